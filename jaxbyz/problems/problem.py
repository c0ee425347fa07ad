"""What a problem is: data with a worker axis, and what may be asked of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import jax

from jaxbyz import checks
from jaxbyz.core import Key, Oracle, Tree

__all__ = ["Problem", "check_workers"]

Evaluator = Callable[[jax.Array, Tree, Tree], dict[str, jax.Array]]


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """The honest objective f = (1/h) Σ f_i of h honest workers, beside f Byzantine ones.

    Data are arguments of every computation, never captured constants: `data` has the honest
    workers along the leading axis of every leaf, `test` is what is held out.
    """

    name: str
    honest: int  # h
    byzantine: int  # f
    dimension: int  # d
    data: Tree  # leaves [h, ...]
    test: Tree
    oracle: Callable[[Tree], Oracle]  # one worker's entry of `data` -> what it may ask
    init: Callable[[Key], jax.Array]  # key -> x⁰ [d]
    # name -> (x, data, test) -> columns of scalars, all about the honest objective
    evaluators: Mapping[str, Evaluator]


def check_workers(honest: int, byzantine: int) -> tuple[int, int]:
    """Numbers of workers as ints, honest ≥ 1 and byzantine ≥ 0, else ValueError.

    >>> check_workers(10, 3)
    (10, 3)
    """
    honest = checks.count("honest", honest, minimum=1)
    return honest, checks.count("byzantine", byzantine)
