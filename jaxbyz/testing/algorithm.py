"""The checks of an algorithm: short runs on a small problem."""

from functools import partial
from typing import Any

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts.parts import require
from jaxbyz.core import Algorithm
from jaxbyz.problems.problem import Problem
from jaxbyz.testing.algorithm_faulty_rounds import check_faulty_rounds
from jaxbyz.testing.algorithm_not_finite import can_send_nan, check_no_byzantine, check_not_finite
from jaxbyz.testing.algorithm_runs import check_bits, check_devices, check_runs, check_state
from jaxbyz.testing.report import Battery, Case, Property, Report
from jaxbyz.testing.short_runs import SHORT_RUN, quadratic, short_run


def check_algorithm(
    algorithm: Algorithm, *, problem: Problem | None = None, descent: float | None = None
) -> Report:
    """Try all properties that an algorithm has, on a small problem.

    - a scan can carry the state, and a round is traced once;
    - one key makes one run; eager = jit; many seeds = one by one; a run cut in two is the same run;
    - workers may be spread over devices;
    - forged messages have as many bits as honest ones, where those have all one length;
    - NaN, ±Inf or the largest number from f workers leave all states finite; the rows that are not
      finite are counted as rejected;
    - one faulty round of an honest worker is counted as faulty, and its later messages are used;
    - a gradient 10³, 10⁶ or 10¹² times too large leaves the model bounded;
    - it also runs with f = 0.

    Args:
        algorithm: with a rule for the problem's f Byzantine workers (2 of 7 by default).
        problem: with f ≥ 1 Byzantine workers; default: small noisy quadratics, 5 + 2 workers.
        descent: a step size γ; claims that on honest quadratics with full gradients the algorithm,
            in a setting where nothing is compressed or trimmed, is x ← x - γ∇f(x).

    Raises:
        PropertyFailed: an AssertionError that shows the first property that does not hold.
        ValueError: a problem without Byzantine workers, or γ ≤ 0.

    >>> import jaxbyz as jb, optax
    >>> sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(2))
    >>> "NaN and Inf reach no state" in check_algorithm(sgd).checked
    True
    """
    require("Algorithm", "algorithm", algorithm, {"problem": problem})
    if problem is not None:
        require("Problem", "problem", problem, {"algorithm": algorithm})
    own = problem is not None
    problem = quadratic(5, 2, noise=0.5) if problem is None else problem
    checks.count("problem.byzantine", problem.byzantine, minimum=1)
    given = "short_runs.quadratic(5, 2, noise=0.5)" if not own else "problem"
    setup = f"""
import jaxbyz as jb
from jaxbyz import attacks
from jaxbyz.testing import short_runs

# `algorithm` is the one that was checked{", on `problem`" if own else ""}.

problem = {given}
{SHORT_RUN}"""
    battery = Battery("algorithm", setup)
    for check in (check_state, check_runs, check_bits, check_devices, check_not_finite):
        check(battery, algorithm, problem)
    check_faulty_rounds(battery, algorithm, problem, can_send_nan(algorithm, problem))
    check_no_byzantine(battery, algorithm, problem)
    claimed = descent is not None
    gamma = checks.interval("descent", descent, 0, float("inf"), closed="neither") if claimed else 0
    check = partial(_check_descent, battery, algorithm, float(gamma))
    battery.check([Property("gradient descent", claimed, check)])
    return battery.report()


def _check_descent(battery: Battery, algorithm: Algorithm, gamma: float) -> None:
    """x ← x - γ∇f(x), in 64 bits."""
    name, rounds = "gradient descent", 10
    case = Case(f"{rounds} rounds, 5 workers with full gradients, f = 0, step size {gamma:g}")
    code = f"""
jax.config.update("jax_enable_x64", True)
problem = short_runs.quadratic(5, 0)
x = np.zeros(4)
for model in np.asarray(short_run(None, {rounds})[1].x):
    x = x - {gamma!r} * (problem.matrices.mean(axis=0) @ x - problem.vectors.mean(axis=0))
    assert np.abs(model - x).max() <= ALLOWED, (model, x)
"""
    with battery.attempt(name, case, code), jax.enable_x64(True):
        problem: Any = quadratic(5, 0)
        models = short_run(algorithm, problem, None, rounds)().server.x
    x, error = np.zeros(4), []
    for model in models:
        gradient = problem.matrices.mean(axis=0) @ x - problem.vectors.mean(axis=0)
        x = x - gamma * gradient
        error.append(np.abs(model - x).max())
    reason = "ten steps in float64, numbers of size one"
    battery.judge(name, [case], max(error), 1e-12, reason, code)
