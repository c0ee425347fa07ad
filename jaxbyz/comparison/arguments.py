"""Checks of the arguments of `compare`, before hours of computing."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.contracts.parts import said
from jaxbyz.core import Algorithm


def require_named(name: str, given: Any) -> None:
    """Raise unless something is a dictionary whose keys are texts.

    >>> require_named("methods", {1: None})
    Traceback (most recent call last):
    ValueError: methods must have texts as names, got the number 1
    """
    if not isinstance(given, Mapping):
        what = "functions that make algorithms" if name == "methods" else "rules"
        raise ValueError(f"{name} must be a dictionary of names and {what}, got {said(given)}")
    for key in given:
        if not isinstance(key, str):
            raise ValueError(f"{name} must have texts as names, got {said(key)}")


def require_method(name: str, make: Any, arguments: str) -> None:
    """Raise unless a method can be called with these arguments, "step" or "step, rule".

    >>> require_method("a", lambda: None, "step")
    Traceback (most recent call last):
    ValueError: methods['a'] must be a function of (step), got the function <lambda> of ()
    """
    if isinstance(make, Algorithm) or not callable(make) or hasattr(make, "makes"):
        raise ValueError(
            f"methods[{name!r}] must be a function of a step size that makes an algorithm, got "
            f"{said(make)}: write lambda {arguments}: "
            "jaxbyz.robust_sgd(optimizer=optax.sgd(step), aggregator=...)"
        )
    checks.function(f"methods[{name!r}]", make, arguments)


def require_traceable(name: str, make: Callable[..., Any], *rule: Any) -> None:
    """Raise if a method needs the value of its step size: it is traced, one program for all.

    >>> require_traceable("a", lambda step: float(step))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: methods['a'](step) is compiled, so it must compute with jax.numpy, ...
    """

    def made(step: jax.Array) -> None:
        with returned.explaining_tracers(f"methods[{name!r}](step)"):
            make(step, *rule)

    jax.eval_shape(made, jax.ShapeDtypeStruct((), np.float32))


def budgets_of(budgets: Any, rounds: int, spent: Sequence[str]) -> dict[str, float]:
    """Budgets: column -> the amount that a run may use of it; None: all rounds.

    Raises:
        ValueError: not a dictionary, a column that does not grow over rounds, a number that is not
            >= 0, or more rounds than a run has.

    >>> budgets_of(None, 10, []), budgets_of({"uplink_bits": 64}, 10, ["uplink_bits"])
    ({'round': 10.0}, {'uplink_bits': 64.0})
    """
    if budgets is None:
        return {"round": float(rounds)}
    known = ["round", *spent]
    if not isinstance(budgets, Mapping):
        raise ValueError(
            f"budgets must be a dictionary of columns and how much of them one may use, got "
            f'{said(budgets)}: write for instance {{"round": {rounds}}}'
        )
    if not budgets or not set(budgets) <= set(known):
        raise ValueError(f"budgets must name columns among {known}, got {list(budgets)}")
    found = {}
    for column, value in budgets.items():
        most = rounds if column == "round" else math.inf
        found[column] = float(checks.interval(f"budgets[{column!r}]", value, 0, most))
    return found


def grid_of(steps: Any) -> np.ndarray:
    """Step sizes in ascending order.

    Raises:
        ValueError: none, or one that is no positive finite number.

    >>> grid_of([0.5, 0.1]).tolist()
    [0.1, 0.5]
    """
    wrong = f"steps must be positive finite numbers, got {steps!r}"
    try:
        grid = np.asarray(steps)
        if grid.dtype.kind not in "iuf":
            raise ValueError(wrong)
        grid = grid.astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(wrong) from error
    if grid.ndim != 1 or grid.size == 0 or not (np.isfinite(grid) & (grid > 0)).all():
        raise ValueError(wrong)
    return np.sort(grid)
