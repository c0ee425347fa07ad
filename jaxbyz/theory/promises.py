"""Statements about numbers that users receive, as the two sides of a claim.

`rosdhb.promises` and `byz_dm21.promises` call what users call and hold each number that comes back
against the statement: parameters, bounds, rates, numbers of rounds.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.guarantees import Guarantee
from jaxbyz.theory.subjects import Cases

Pair = tuple[Any, Any]
UNPROVED = "floating-point numbers that functions return, at single points"


def stated(at_most: Iterable[Pair], equal: Iterable[Pair] = ()) -> tuple[Any, Any]:
    """Sides (left [S], right [S]): of equalities both directions, of positive numbers.

    >>> left, right = stated([(1.0, 2.0)], [(3.0, 4.0)])
    >>> left.tolist(), right.tolist()
    ([1.0, 3.0, 4.0], [2.0, 4.0, 3.0])
    """
    pairs = [*at_most]
    for one, other in equal:
        pairs += [(one, other), (other, one)]
    left, right = zip(*pairs, strict=True)
    return jnp.asarray(left, float), jnp.asarray(right, float)


def cases(instances: Iterable[Any], what: str = "random arguments", exact: bool = False) -> Cases:
    """`Cases` that say how many there are.

    >>> cases([1, 2]).description
    '2 random arguments'
    """
    found = tuple(instances)
    return Cases(f"{len(found)} {what}", found, exact=exact)


def spread_out(count: int, seed: int, **ranges: tuple[float, float]) -> Iterator[dict[str, float]]:
    """Points of a box, random on logarithmic scales, with fixed seeds.

    >>> [sorted(point) for point in spread_out(1, 0, a=(1.0, 2.0), b=(0.1, 1.0))]
    [['a', 'b']]
    """
    rng = np.random.default_rng(seed)
    low, high = np.log(np.array(list(ranges.values())).T)
    for _ in range(count):
        numbers = np.exp(rng.uniform(low, high))
        yield dict(zip(ranges, map(float, numbers), strict=True))


def inverted(promise: Guarantee, room: float, gap: float) -> tuple[list[Pair], int]:
    """T = rounds(ε) is the fewest with bound(T) ≤ ε, for ε = lowest + room; the pairs, and T.

    The promise is to need more than one round.
    """
    epsilon = promise.lowest + room
    rounds = promise.rounds(epsilon, gap)
    return [
        (promise.bound(rounds, gap), epsilon),
        (epsilon, promise.bound(max(1, rounds - 1), gap)),
    ], rounds


def step_of(promise: Guarantee) -> float:
    """The step size of the optimiser among a promise's arguments."""
    optimizer = promise.arguments()["optimizer"]
    change, _ = optimizer.update(jnp.ones(()), optimizer.init(jnp.zeros(())))
    return -float(change)


def relative_room(promise: Guarantee, gap: float, rounds: int = 1000) -> float:
    """bound(T) - lowest, so that about so many rounds are needed; > 0."""
    room = promise.bound(rounds, gap) - promise.lowest
    return room if room > 0 and math.isfinite(room) else promise.lowest
