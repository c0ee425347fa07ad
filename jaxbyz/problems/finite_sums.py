"""Means over samples, as functions of flat parameters x [d]; for models and losses of any kind."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.core import Oracle
from jaxbyz.problems.chunks import summed_in_chunks, wide
from jaxbyz.problems.problem import Evaluator
from jaxbyz.problems.samples import at, counted, drawn, owned, parted, summed, together

Columns = dict[str, jax.Array]


@dataclasses.dataclass(frozen=True, eq=False)
class FiniteSum:
    """The mean of the column "loss" over samples, with oracle and evaluators.

    `data` are samples or `Weighted`, of one worker where no other is said.
    """

    # (names, variables, samples [m, ...]) -> these columns of every sample, [m] each
    columns: Callable[[tuple[str, ...], Any, Any], Columns]
    names: tuple[str, ...]  # of all columns
    unravel: Callable[[jax.Array], Any]  # x [d] -> variables
    batch: int | None
    chunk: int
    # Without a batch size, a draw is the samples themselves: none of them is copied.
    whole: bool = False
    # (x, all workers' data) -> the variables to evaluate with, where `unravel` is not all
    calibrated: Callable[[jax.Array, Any], Any] | None = None

    def oracle(self, local: Any) -> Oracle:
        """What one worker may ask; a draw is positions, so that a table of gradients can be kept.

        Of a position that is none of the worker's samples nothing is counted.
        """

        def full(x: jax.Array) -> jax.Array:
            return self.gradient(local, x)

        if self.whole and self.batch is None:
            return Oracle(full, lambda key: local, self.gradient)
        return Oracle(
            full,
            lambda key: drawn(key, local, self.batch, replace=False),
            lambda places, x: self.gradient(at(places, local), x),
            owned(local),
        )

    # What is compiled asks for these again and again: every worker, at the start, in the rounds and
    # for the logs, and of every part of the samples. Each is traced once for data of a form.

    @functools.cached_property
    def gradient(self) -> Callable[[Any, jax.Array], jax.Array]:
        """(data, x) -> of the mean loss, [d]."""

        def gradient(data: Any, x: jax.Array) -> jax.Array:
            total = summed_in_chunks(lambda part: self._slope(x, part), data, self.chunk)
            return (total / counted(data)).astype(x.dtype)

        return jax.jit(gradient)

    @functools.cached_property
    def _slope(self) -> Callable[[jax.Array, Any], jax.Array]:
        """(x, samples) -> the gradient of the sum of the losses."""
        return jax.jit(
            jax.grad(lambda x, part: self._sums(("loss",), self.unravel(x), part)["loss"])
        )

    @functools.cached_property
    def _totals(self) -> Callable[[Any, Any], Columns]:
        """(variables, samples) -> the sums of all columns."""
        return jax.jit(lambda variables, part: self._sums(self.names, variables, part))

    @functools.cached_property
    def _means(self) -> Callable[[Any, Any], Columns]:
        """(variables, samples) -> the means of all columns."""

        def means(variables: Any, samples: Any) -> Columns:
            total = summed_in_chunks(
                lambda part: self._totals(variables, part), samples, self.chunk
            )
            return {name: total[name] / counted(samples) for name in self.names}

        return jax.jit(means)

    def evaluated_with(self, x: jax.Array, data: Any) -> Any:
        """Variables to evaluate with; data are all workers'."""
        return self.unravel(x) if self.calibrated is None else self.calibrated(x, data)

    def evaluator(self, *, held_out: bool) -> Evaluator:
        """Means of all columns over the honest workers' samples, or those that are held out."""

        def means(x: jax.Array, data: Any, test: Any) -> Columns:
            samples, prefix = (test, "test_") if held_out else (together(data), "")
            found = self._means(self.evaluated_with(x, data), samples)
            return {prefix + name: found[name] for name in self.names}

        return means

    def gradient_norm(self, x: jax.Array, data: Any, test: Any) -> Columns:
        """‖∇f‖ of the honest objective."""
        return {"gradient_norm": jnp.linalg.norm(self.gradient(together(data), x))}

    def _sums(self, names: tuple[str, ...], variables: Any, data: Any) -> Columns:
        samples, _ = parted(data)
        found = self.columns(names, variables, samples)
        return {name: summed(wide(found[name]), data) for name in names}
