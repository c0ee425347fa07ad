"""Whether an algorithm, a problem and an attack fit together, checked before anything runs.

`build`, `train`, `effect` and `compare` call `agreed`. It checks that

    each argument is a part of its kind,
    the rule was made for the problem's number of Byzantine workers,
    an attack meets a problem that has Byzantine workers,
    the rule makes a vector [d] of rows [n, d],
    the problem's initial model and gradients are vectors [d].

Nothing is computed: the functions are traced on shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxbyz.attacks import no_attack
from jaxbyz.contracts import returned
from jaxbyz.contracts.callers import warn
from jaxbyz.contracts.constructors import with_f
from jaxbyz.contracts.parts import require
from jaxbyz.contracts.recipes import written
from jaxbyz.core import Aggregator, Algorithm, Attack, Key
from jaxbyz.problems.problem import Problem


class Agreed(NamedTuple):
    """The parts of a run: the rule has an f; the attack is None if nobody is Byzantine."""

    algorithm: Algorithm
    problem: Problem
    attack: Attack | None


def agreed(algorithm: Any, problem: Any, attack: Any = None) -> Agreed:
    """The parts of a run, checked. A rule that was made with f = None is made for the problem's f.

    Warns (UserWarning) of a rule that was made for another f than the problem has, and of an attack
    on a problem without Byzantine workers. There is no warning if the problem has no Byzantine
    worker: one runs the same rule, made for f > 0, without an attack to compare with.

    Raises:
        ValueError: a part of another kind, or two that are swapped; a rule that does not make a
            vector [d] of the problem's rows [n, d]; a problem whose start or gradients are no
            vectors [d] of floats; an attack on another number of classes than the problem has.

    >>> import jaxbyz as jb, optax
    >>> problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
    >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=None))
    >>> agreed(sgd, problem).algorithm.aggregator.f
    1
    """
    given = {"algorithm": algorithm, "problem": problem, "attack": attack}
    algorithm = require("Algorithm", "algorithm", algorithm, given)
    problem = require("Problem", "problem", problem, given)
    if attack is not None:
        attack = require("Attack", "attack", attack, given)
        same_classes(attack, problem)
    check_problem(problem)
    algorithm = with_f(algorithm, problem.byzantine)
    check_rule_shape(algorithm, problem)
    warn_of_other_f(algorithm, problem)
    if attack is not None and problem.byzantine == 0:
        warn_of_idle_attack([attack])
        attack = None
    return Agreed(algorithm, problem, attack)


def check_problem(problem: Problem) -> None:
    """Raise unless a problem starts at a vector [d] and its oracle answers with such vectors.

    One worker is asked once for everything, and nothing is computed.

    Raises:
        ValueError: data without the honest workers along the leading axis; `init`, or a gradient
            of the oracle, that is no vector [d] of floats.

    >>> import jaxbyz as jb
    >>> check_problem(jb.problems.quadratics(honest=4, dimension=3))
    """
    honest, d = problem.honest, problem.dimension
    for leaf in jax.tree.leaves(problem.data):
        if jnp.shape(leaf)[:1] != (honest,):
            raise ValueError(
                f"problem.data must have honest = {honest} workers along the leading axis of every "
                f"array, got one of shape {jnp.shape(leaf)}"
            )

    def asked(key: Key, data: Any) -> None:
        with returned.explaining_tracers("problem.init"):
            x = jnp.asarray(returned.vector("problem.init", problem.init(key), d))
        entry = jax.tree.map(lambda leaf: leaf[0], data)
        with returned.explaining_tracers("problem.oracle"):
            oracle = problem.oracle(entry)
            returned.vector("full of problem.oracle", oracle.full(x), d)
            gradient = oracle.grad(oracle.draw(key), x)
            returned.vector("grad of problem.oracle", gradient, d)

    jax.eval_shape(asked, jax.random.key(0, impl="threefry2x32"), problem.data)


def same_classes(attack: Attack, problem: Problem) -> None:
    """Raise if an attack, or one inside it, was made for other classes than the problem has."""
    known = getattr(problem, "classes", None)
    for wanted in _classes(written(attack)):
        if known is not None and wanted != known:
            raise ValueError(
                f"attack {attack.name!r} must have the classes of the problem, {known}, got "
                f"{wanted}"
            )


def _classes(told: Any) -> Iterator[int]:
    """Numbers of classes that an attack was made for, or one inside it, from what is written."""
    if isinstance(told, dict):
        if isinstance(told.get("classes"), int):
            yield told["classes"]
        told = list(told.values())
    if isinstance(told, list):
        for inner in told:
            yield from _classes(inner)


def check_rule_shape(algorithm: Algorithm, problem: Problem) -> None:
    """Raise unless the rule makes a vector [d] of the rows of a round; nothing is computed."""
    rule = algorithm.aggregator
    n, d = problem.honest + problem.byzantine, problem.dimension
    if (some := algorithm.participation) is not None:
        if some.workers > n:
            raise ValueError(f"workers must be at most the problem's n = {n}, got {some.workers}")
        n = some.workers
    if rule is not None:
        jax.eval_shape(lambda: applied("aggregator", rule, n, d))


def warn_of_other_f(algorithm: Algorithm, problem: Problem) -> None:
    """Warn of a rule that was made for another f than the Byzantine workers of every round.

    There is nothing to warn of on a problem without Byzantine workers, or with partial
    participation, where their number in a round varies.
    """
    rule = algorithm.aggregator
    if algorithm.participation is not None:
        return
    if rule is not None and rule.f not in (None, problem.byzantine) and problem.byzantine > 0:
        warn(
            f"the aggregator of {algorithm.name} was made for f = {rule.f} Byzantine workers, but "
            f"the problem has byzantine = {problem.byzantine}; f = None takes the problem's"
        )


def warn_of_idle_attack(attacks: Any) -> None:
    """Warn of an attack on a problem without Byzantine workers."""
    names = [attack.name for attack in attacks if attack.name != no_attack().name]
    if names:
        warn(
            f"attack {', '.join(map(repr, names))} does nothing: the problem has byzantine = 0; "
            "give the problem Byzantine workers, or no attack"
        )


def applied(name: str, rule: Aggregator, n: int, d: int) -> Any:
    """What a rule makes of rows [n, d]; to be traced."""
    key = jax.random.key(0, impl="threefry2x32")
    state = rule.init(d)
    rows = jnp.zeros((n, d))
    with returned.explaining_tracers(name):
        outcome = rule.apply(key, state, rows)
    return returned.aggregated(name, outcome, rows)
