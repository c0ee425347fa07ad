"""Any loss of any parameters, as a mean over the samples of honest workers.

    f_i(x) = (1/m_i) Σ_j loss(parameters, sample_ij),    f = (1/h) Σ f_i

Parameters may be any pytree of floats; x are all of them in one vector.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.core import Key
from jaxbyz.problems.division import divide
from jaxbyz.problems.finite_sums import FiniteSum
from jaxbyz.problems.problem import Problem, check_workers
from jaxbyz.problems.samples import weighted
from jaxbyz.problems.width import on_device

Parameters = Any
Loss = Callable[[Parameters, Any], jax.Array]  # parameters, one sample -> []


def from_loss(
    init: Callable[[Key], Parameters],
    loss: Loss,
    data: Any,
    *,
    honest: int,
    byzantine: int = 0,
    test: Any = None,
    evaluate: Mapping[str, Loss] | None = None,
    batch: int | None = None,
    partition: Any = None,
    weighting: str = "equal",
    partition_seed: int = 0,
    chunk: int = 500,
    classes: int | None = None,
    name: str = "own loss",
) -> Problem:
    """A problem of your own: how parameters start, the loss of one sample, and samples.

    f_i(x) = (1/m_i) Σ_j loss(parameters, sample_ij),  f = (1/h) Σ f_i.

    Args:
        init: key -> parameters, a pytree of floats.
        loss: (parameters, sample) -> a number. A sample is `data` without its first axis. Like all
            that JAX compiles, it must be pure: it is traced once for samples of one form, and other
            variables that it reads count with the values that they have then.
        data: a pytree of arrays [N, ...], N samples.
        honest: h, the workers among whom the samples are divided: equally, at random, unless
            `partition` says otherwise.
        byzantine: f, workers besides these.
        test: samples [M, ...] that are held out, of the form of `data`.
        evaluate: name -> a function like `loss`, whose means are columns too.
        batch: samples in one draw, without replacement; None: all of a worker.
        partition: positions of samples [h, m]; or h lists of different lengths m_i, as
            `data.power_law` or `data.by_owner` make them.
        weighting: of workers with different numbers of samples. "equal": f_i is the mean over a
            worker's samples, as above. "size": that mean times h m_i/Σ m_i, so that f is the mean
            over all samples.
        partition_seed: of the division, the same for all seeds of a run.
        chunk: how many samples go through the loss at a time.
        classes: of a field `labels` of `data`, a NamedTuple, for attacks that change labels.
        name: of the problem.

    Evaluators: "train" (loss and the columns of `evaluate`), "test" (the same with test_ before
    their names, where there is a test), "gradient" (gradient_norm = ‖∇f‖).

    Raises:
        ValueError: an argument out of range; arrays of different lengths; parameters that are no
            floats; a loss that raises, or gives something else than one floating-point number.

    >>> import jax, jax.numpy as jnp
    >>> rows = {"a": jnp.arange(8.0), "b": 2 * jnp.arange(8.0)}
    >>> line = from_loss(lambda key: {"slope": jnp.zeros(())},
    ...                  lambda p, sample: (p["slope"] * sample["a"] - sample["b"]) ** 2 / 2,
    ...                  rows, honest=2)
    >>> line.dimension, line.unravel(jnp.array([3.0]))["slope"].item()
    (1, 3.0)
    >>> uneven = from_loss(lambda key: jnp.zeros(()), lambda x, y: (x - y) ** 2 / 2, rows["a"],
    ...                    honest=2, partition=[[1], [2, 4]])
    >>> uneven.evaluators["gradient"](jnp.zeros(1), uneven.data, None)["gradient_norm"].item()
    2.0
    """
    honest, byzantine = check_workers(honest, byzantine)
    chunk = checks.count("chunk", chunk, minimum=1)
    init, loss = checks.function("init", init, "key"), checks.function("loss", loss, "p, sample")
    columns = {"loss": loss, **_columns(evaluate)}
    classes = None if classes is None else checks.count("classes", classes, minimum=1)
    count = _length("data", data)
    division = divide(count, honest, None, partition, partition_seed, weighting)
    batch = division.batch(batch)
    template = _parameters(init)
    flat, unravel = ravel_pytree(jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), template))
    local = jax.tree.map(lambda leaf: _on_device("data", np.asarray(leaf)[division.places]), data)
    if test is not None:
        _length("test", test)
        test = jax.tree.map(lambda leaf: _on_device("test", np.asarray(leaf)), test)
        forms = [_form(jax.tree.map(lambda leaf: leaf[0], local), 1), _form(test, 1)]
        if forms[0] != forms[1]:
            raise ValueError(f"test must have samples as data, {forms[0]}, got {forms[1]}")
    for column, function in columns.items():
        _check_loss(column, function, template, jax.tree.map(lambda leaf: leaf[0], local))

    def every(names: tuple[str, ...], parameters: Any, samples: Any) -> dict[str, jax.Array]:
        return {
            name: jax.vmap(functools.partial(columns[name], parameters))(samples) for name in names
        }

    mean = FiniteSum(every, tuple(columns), unravel, batch, chunk)
    evaluators = {"train": mean.evaluator(held_out=False), "gradient": mean.gradient_norm}
    if test is not None:
        evaluators["test"] = mean.evaluator(held_out=True)
    return Problem(
        name=name, honest=honest, byzantine=byzantine, dimension=flat.shape[0],
        data=weighted(local, division), test=test, oracle=mean.oracle,
        init=lambda key: ravel_pytree(init(key))[0], evaluators=evaluators, classes=classes,
        unravel=unravel, sizes=division.sizes, batch=batch,
    )  # fmt: skip


def _columns(evaluate: Any) -> dict[str, Loss]:
    """Name -> function of one sample."""
    if evaluate is None:
        return {}
    if not isinstance(evaluate, Mapping) or not all(isinstance(name, str) for name in evaluate):
        raise ValueError(
            f"evaluate must be a dictionary of names and functions, got {checks.said(evaluate)}"
        )
    if "loss" in evaluate:
        raise ValueError("evaluate must have other names than 'loss', which is the loss itself")
    for name, function in evaluate.items():
        checks.function(name, function, "p, sample")
    return dict(evaluate)


def _form(samples: Any, axes: int) -> str:
    """Structure and shapes of samples, without so many leading axes."""
    shapes = jax.tree.map(lambda leaf: tuple(leaf.shape[axes:]), samples)
    return str(shapes)


def _on_device(name: str, leaf: np.ndarray) -> jax.Array:
    """In the width of the run.

    Raises:
        ValueError: a number is beyond what that width holds.
    """
    if leaf.dtype.kind == "f":
        return on_device(name, leaf)
    width = jax.dtypes.canonicalize_dtype(leaf.dtype)
    if leaf.dtype.kind in "iu" and leaf.size:
        info = jnp.iinfo(width)
        if int(leaf.min()) < info.min or int(leaf.max()) > info.max:
            raise ValueError(
                f"{name} must hold integers in {info.min}..{info.max}, what {width} holds, got "
                f"{leaf.min()}..{leaf.max()}"
            )
    return jnp.asarray(leaf)


def _length(name: str, samples: Any) -> int:
    """How many samples a pytree of arrays [N, ...] has, all of them numbers."""
    leaves = jax.tree.leaves(samples)
    shapes = [np.shape(leaf) for leaf in leaves]
    if not leaves or any(not shape or not shape[0] for shape in shapes):
        raise ValueError(
            f"{name} must be arrays [N >= 1, ...], got shapes {shapes[:3]}"
            + ("" if len(shapes) < 4 else f" and {len(shapes) - 3} more: write np.asarray(...)")
        )
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"{name} must have one length N, got arrays of shapes {shapes}")
    for leaf in map(np.asarray, leaves):
        if leaf.dtype.kind not in "fiub":
            raise ValueError(f"{name} must hold numbers, got {leaf.dtype}")
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            raise ValueError(f"{name} must be finite, got NaN or Inf")
    return shapes[0][0]


def _parameters(init: Callable[[Key], Parameters]) -> Parameters:
    """Shapes of what `init` makes."""
    with returned.explaining_tracers("init"):
        try:
            template = jax.eval_shape(init, jax.random.key(0))
        except returned.ASKED:
            raise
        except Exception as error:
            raise ValueError(
                f"init must make parameters of a key, got one that raises "
                f"{checks.first_line(error)}"
            ) from error
    leaves = jax.tree.leaves(template)
    kinds = sorted({str(x.dtype) for x in leaves if not jnp.issubdtype(x.dtype, jnp.floating)})
    if kinds or not leaves:
        raise ValueError(f"init must give parameters of floats, got {kinds or 'none'}")
    return template


def _check_loss(name: str, function: Loss, template: Parameters, local: Any) -> None:
    """Raise unless it gives one floating-point number for one sample."""
    sample = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), local)
    with returned.explaining_tracers(name):
        try:
            found = jax.eval_shape(function, template, sample)
        except returned.ASKED:
            raise
        except Exception as error:
            raise ValueError(
                f"{name} must map parameters and one sample to a number, got one that raises "
                f"{checks.first_line(error)}"
            ) from error
    if getattr(found, "shape", None) != () or not jnp.issubdtype(found.dtype, jnp.floating):
        raise ValueError(f"{name} must give one floating-point number, got {found}")
