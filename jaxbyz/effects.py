"""What an attack does to a run: the same rounds with the attack and without it.

If an attack has no effect, for instance through a mistake, the algorithm looks robust. `effect`
measures the effect, and warns if there is none.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.attacks import honest_mean
from jaxbyz.contracts.callers import warn
from jaxbyz.contracts.parts import require
from jaxbyz.core import Algorithm, Attack
from jaxbyz.problems.problem import Problem
from jaxbyz.seeds import streams
from jaxbyz.simulation import RoundInfo, SimulationState, session
from jaxbyz.simulation.agreement import agreed
from jaxbyz.storage.programs import compiled_once


class Effect(NamedTuple):
    """Effect of an attack in every round, [T] each. Without it, Byzantine workers are honest."""

    rows: np.ndarray  # ‖Byzantine rows with - without‖, of the rows that the server aggregates
    aggregate: np.ndarray  # ‖F(rows) with - without‖
    model: np.ndarray  # ‖x with - without‖, after the round
    error: np.ndarray  # ‖F(rows) - mean of the honest rows‖, with
    error_without: np.ndarray  # the same, without
    kept: np.ndarray | None  # share of the Byzantine rows selected, for rules that select


class _Round(NamedTuple):
    rows: jax.Array  # [f, d]
    aggregate: jax.Array  # [d]
    model: jax.Array  # [d]
    error: jax.Array  # []
    kept: jax.Array | None  # []


def effect(
    algorithm: Algorithm, problem: Problem, attack: Attack, *, rounds: int = 10, seed: int = 0
) -> Effect:
    """Distances between a run with an attack and the same run without it, in every round.

    Both runs start at the same model and draw with the same keys, those of `train` for this seed.
    From the second round on, their models differ too, and with them the honest rows. Round 0 is not
    reported.

    Args:
        algorithm: from `jaxbyz.algorithms`.
        problem: from `jaxbyz.problems`.
        attack: from `jaxbyz.attacks`.
        rounds: T, at least 1.
        seed: of the initial model and all draws, in 0..2**32-1.

    Warns (UserWarning) of an attack without effect: in all rounds the Byzantine rows, or the
    aggregates, are the same with it and without it. The same means up to √ε of their norm, with ε
    the precision of the floats, because two programs round differently.

    Raises:
        ValueError: an argument that is no such part; rounds or seed outside its range.

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
    >>> algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
    >>> report = effect(algorithm, problem, jb.sign_flip(), rounds=5)
    >>> report.rows.shape, bool((report.model > 0).all()), report.kept
    ((5,), True, None)
    """
    rounds = checks.count("rounds", rounds, minimum=1)
    seed = checks.count("seed", seed, maximum=2**32 - 1)
    given = {"algorithm": algorithm, "problem": problem, "attack": attack}
    attack = require("Attack", "attack", attack, given)
    algorithm, problem, _ = agreed(algorithm, problem)  # that nobody attacks is measured
    with_it = _run(algorithm, problem, attack, rounds, seed)
    without = _run(algorithm, problem, None, rounds, seed)

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:  # [T, ...] -> [T]
        return np.sqrt(((a - b) ** 2).reshape(rounds, -1).sum(axis=1))

    def same(a: np.ndarray, b: np.ndarray) -> bool:
        close = float(np.finfo(a.dtype).eps) ** 0.5
        return bool((distance(a, b) <= close * distance(b, np.zeros_like(b))).all())

    if same(with_it.rows, without.rows):
        what = "the Byzantine rows are what honest workers would have sent"
    elif same(with_it.aggregate, without.aggregate):
        what = "its rows differ, but the aggregates do not"
    else:
        what = None
    if what is not None:
        warn(
            f"attack {attack.name!r} has no effect on {algorithm.name} in {rounds} rounds with "
            f"{problem.byzantine} Byzantine workers: {what}"
        )
    return Effect(
        distance(with_it.rows, without.rows),
        distance(with_it.aggregate, without.aggregate),
        distance(with_it.model, without.model),
        with_it.error,
        without.error,
        with_it.kept,
    )


def _run(
    algorithm: Algorithm, problem: Problem, attack: Attack | None, rounds: int, seed: int
) -> Any:
    """One run, round by round: a `_Round` with leaves [T, ...]."""

    def look(state: SimulationState, info: RoundInfo) -> _Round:
        h, server = problem.honest, info.server
        error = jnp.linalg.norm(server.aggregate - honest_mean(server.rows[:h]))
        kept = server.details.get("selected")
        if kept is not None:
            kept = kept[h:].mean()
        return _Round(server.rows[h:], server.aggregate, state.server.x, error, kept)

    one = session(algorithm, problem, attack, record=look)
    keys = [stream[0] for stream in streams([seed])]
    records = compiled_once(lambda keys, data: one.run(keys, rounds, data)[2])
    return jax.tree.map(np.asarray, records(keys, one.simulation.data))
