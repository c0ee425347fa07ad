"""One-step inequalities against adversaries: the ball, linear rules, the stall.

An adversary is what it can make of an instance (`Reach`): another instance, and a set of errors
centre + spanᵀ t with ‖t‖ ≤ 1, of which the worst is found globally, as the solution of a
trust-region problem in t. So the same claim is held against

    ball      every error that (f, κ)-robustness allows               span = radius · I
    linear    m̄ + Σ t_i (m_i - m̄), all weights of coefficient κ       span = √(κ/h) · (m_i - m̄)
    stall     the state in which momenta cancel, R = 0                a point

Every adversary plays from random states and from the worst states that a search without it, over
errors as free numbers, has found; gradient ascent over the state goes on in both cases, with the
adversary's best error at every step. Derived here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory.claims import Budget, Check, Claim, Family
from jaxbyz.theory.engines.ball import ball_error
from jaxbyz.theory.engines.judge import TOLERANCE, judge, measure
from jaxbyz.theory.engines.search import ascend_with, starts_of
from jaxbyz.theory.reports import Report

__all__ = ["Adversary", "Reach", "fixed", "worst_adversary"]

GAP = 1e-9  # of the trust-region problem, beside the size of its terms


class Reach(NamedTuple):
    """What an adversary can make of an instance: errors centre + spanᵀ t, ‖t‖ ≤ 1."""

    instance: Any
    centre: jax.Array  # [d]
    span: jax.Array  # [p, d], where p may be another for every adversary


Adversary = Callable[[Any], Reach]


def fixed(instance: Any, error: jax.Array) -> Reach:
    """One error [d] and no other.

    >>> fixed(None, jnp.array([1.0, 2.0])).span.tolist()
    [[0.0, 0.0]]
    """
    return Reach(instance, error, jnp.zeros((1, error.shape[0])))


def _chosen(reaches: list[Reach], which: jax.Array) -> Reach:
    """One of several, by a traced index."""
    most = max(reach.span.shape[0] for reach in reaches)
    same = [
        reach._replace(span=jnp.pad(reach.span, ((0, most - reach.span.shape[0]), (0, 0))))
        for reach in reaches
    ]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves)[which], *same)


def worst_adversary(
    adversaries: Mapping[str, Adversary],
    replace: Callable[[Any, jax.Array], Any],
    error: Callable[[Any], jax.Array],
    *,
    tolerance: float = TOLERANCE,
    tight: float | None = 0.999,
) -> Check:
    """A check against all adversaries; the evidence names the worst and what each one reached.

    Args:
        adversaries: by name.
        replace: (instance, e [d]) -> the instance with this error.
        error: instance -> the error that it has.
        tolerance: of a violation.
        tight: as for `judge`.

    What the search finds on its own, with the error as free numbers, counts too, so that claims
    with this check need no `searched` beside it.

    left - right must be quadratic in e (quadratic losses, linear compressors). The evidence names
    the largest duality gap of the trust-region problems at the ends as well.
    """
    players: tuple[Adversary, ...] = (
        lambda instance: fixed(instance, error(instance)),  # the search without an adversary
        *adversaries.values(),
    )

    def play(claim: Claim, instance: Any, which: jax.Array) -> tuple[Any, jax.Array]:
        """The instance as the adversary leaves it, and the duality gap."""
        reach = _chosen([player(instance) for player in players], which)
        # The best t is held fixed for gradients (envelope theorem): only what it multiplies moves.
        still = jax.lax.stop_gradient(reach)

        def excess(t: jax.Array) -> jax.Array:
            left, right = claim.sides(replace(still.instance, still.centre + t @ still.span))
            return jnp.asarray(left - right)

        worst = ball_error(excess, still.span.shape[0], jnp.ones(()))
        return replace(reach.instance, reach.centre + worst.point @ reach.span), worst.gap

    def climb(claim: Claim, family: Family, steps: int) -> Callable[..., Any]:
        def one(which: jax.Array, starts: jax.Array) -> tuple[jax.Array, ...]:
            def value(z: jax.Array) -> tuple[jax.Array, tuple[Any, jax.Array]]:
                instance, gap = play(claim, family.make(z), which)
                return measure(claim, instance), (instance, gap)

            points, values, (instances, gaps) = ascend_with(value, starts, steps)
            top = jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))
            instance = jax.tree.map(lambda leaf: leaf[top], instances)
            return points, values, instance, jnp.abs(gaps[top])

        return jax.jit(jax.vmap(one))

    def check(claim: Claim, budget: Budget) -> Report:
        reached = dict.fromkeys(adversaries, -np.inf)

        def find() -> tuple[float, Any, str]:
            top, where, gap, alone = -np.inf, None, 0.0, -np.inf
            steps = max(1, budget.steps // 2)
            for family in claim.families:
                run = climb(claim, family, steps)
                which = jnp.arange(len(players))
                starts = starts_of(budget, family)
                points = jnp.broadcast_to(starts, (len(players), *starts.shape))
                for _ in range(2):  # from random states, then from those that the search found
                    points, values, instances, gaps = run(which, points)
                    best = np.nanmax(np.where(np.isnan(values), -np.inf, values), axis=1)
                    gap = max(gap, float(gaps[1:].max()))
                    for i, name in enumerate(adversaries, start=1):
                        reached[name] = max(reached[name], float(best[i]))
                    alone = max(alone, float(best[0]))
                    i = int(np.argmax(best))
                    if where is None or best[i] > top:
                        top = float(best[i])
                        where = jax.tree.map(lambda leaf, i=i: leaf[i], instances)
                    points = jnp.broadcast_to(points[0], points.shape)
            if not gap <= GAP:
                return float("nan"), where, f"duality gap {gap:.1e} too large"
            order = sorted(reached, key=lambda name: -reached[name])
            said = ", ".join(f"{name} {reached[name]:.6g}" for name in order)
            done = (
                f"{said}, search alone {alone:.6g}; {budget.starts} random states and as many "
                f"found ones a family, {steps} steps from each, duality gap {gap:.1e}"
            )
            return top, where, done

        report = judge(claim, "adversaries", find, tolerance=tolerance, tight=tight)
        name = max(reached, key=lambda name: reached[name])
        return dataclasses.replace(report, adversary=name)

    return check
