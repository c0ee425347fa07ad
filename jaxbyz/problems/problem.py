"""The type `Problem`: what is learned, from which data, and how it is evaluated."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxbyz import checks
from jaxbyz.contracts.shown import shown
from jaxbyz.core import Key, Oracle, Recipe, Tree

Evaluator = Callable[[jax.Array, Tree, Tree], dict[str, jax.Array]]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """An objective to be minimised, the data of h honest workers, and f Byzantine workers.

    The *honest objective* is (1/h) Σ f_i(x), where f_i is the objective of honest worker i on its
    own data. Every leaf of `data` has a leading axis of honest workers; `test` is held-out data.
    Both are passed to every compiled function as arguments, and never captured as constants.
    """

    name: str
    honest: int  # h
    byzantine: int  # f
    dimension: int  # d
    data: Tree  # leaves [h, ...]
    test: Tree
    oracle: Callable[[Tree], Oracle]  # one worker's entry of `data` -> its oracle
    init: Callable[[Key], jax.Array]  # key -> x⁰ [d]
    # name -> (x, data, test) -> columns of scalars, all about the honest objective
    evaluators: Mapping[str, Evaluator]
    classes: int | None = dataclasses.field(default=None, kw_only=True)  # of `labels` in `data`
    recipe: Recipe | None = dataclasses.field(default=None, kw_only=True)
    # Where x are parameters of a model: x [d] -> its variables; (x or these, inputs) -> outputs.
    unravel: Callable[[jax.Array], Tree] | None = dataclasses.field(default=None, kw_only=True)
    predict: Callable[[Any, Any], Any] | None = dataclasses.field(default=None, kw_only=True)
    # Where the oracle draws samples: how many each honest worker has, [h], and how many are drawn
    # (None: all of them).
    sizes: np.ndarray | None = dataclasses.field(default=None, kw_only=True)
    batch: int | None = dataclasses.field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return shown(self)


def gradient_of(problem: Problem) -> Callable[[jax.Array], jax.Array]:
    """x [d] -> ∇f(x) [d] of the honest objective, (1/h) Σ ∇f_i(x).

    Of a problem with one worker it is the gradient of that worker's data, as the server of
    `jaxbyz.fltrust` needs it.

    >>> import jax.numpy as jnp
    >>> import jaxbyz as jb
    >>> problem = jb.problems.quadratics(honest=3, dimension=2, seed=0)
    >>> at = gradient_of(problem)(jnp.ones(2))
    >>> wanted = problem.matrices.mean(axis=0).sum(axis=1) - problem.vectors.mean(axis=0)
    >>> bool(abs(at - wanted).max() < 1e-6)
    True
    """

    def gradient(x: jax.Array) -> jax.Array:
        return jax.lax.map(lambda entry: problem.oracle(entry).full(x), problem.data).mean(axis=0)

    return gradient


def check_workers(honest: int, byzantine: int) -> tuple[int, int]:
    """Numbers of workers as ints, honest ≥ 1 and byzantine ≥ 0, else ValueError.

    >>> check_workers(10, 3)
    (10, 3)
    """
    honest = checks.count("honest", honest, minimum=1)
    return honest, checks.count("byzantine", byzantine)


def require_data(data: Any, field: str, instead: str) -> None:
    """Raise unless data is the name of a data set or holds one.

    >>> require_data((1, 2), "features", "jaxbyz.data.BinaryDataset(name, features, labels)")
    Traceback (most recent call last):
    ValueError: data must be a data set or the name of one, got a tuple of 2: write \
jaxbyz.data.BinaryDataset(name, features, labels)
    """
    if not isinstance(data, str) and (isinstance(data, type) or not hasattr(data, field)):
        raise ValueError(
            f"data must be a data set or the name of one, got {checks.said(data)}: write {instead}"
        )


def prediction(
    function: Callable[[jax.Array, jax.Array], Any],
    d: int,
    shape: tuple[int, ...],
    template: Tree,
) -> Callable[[Any, Any], Any]:
    """(x, features) -> outputs, for parameters [d] and features [B >= 1, *shape] alone.

    Instead of x [d] it takes the model's variables too, a tree of the form of `template`.

    >>> import jax.numpy as jnp
    >>> double = prediction(lambda x, features: 2 * features, 3, (2,), {"w": jnp.ones(3)})
    >>> [double(x, [[1.0, 2.0]]).tolist() for x in (jnp.ones(3), {"w": jnp.ones(3)})]
    [[[2.0, 4.0]], [[2.0, 4.0]]]
    >>> double(jnp.ones(3), [1.0, 2.0])
    Traceback (most recent call last):
    ValueError: features must have shape [B >= 1, 2], got (2,)
    """

    def form(variables: Tree) -> Any:
        return str(jax.tree.structure(variables)), [*map(np.shape, jax.tree.leaves(variables))]

    def predict(x: Any, features: Any) -> Any:
        if getattr(x, "shape", None) != (d,):
            if form(x) != form(template):
                came = getattr(x, "shape", checks.said(x))
                raise ValueError(
                    f"x must be parameters [d] = [{d}] or the model's variables, got {came}"
                )
            x = ravel_pytree(x)[0]
        features = jnp.asarray(features)
        if features.shape[1:] != shape or not features.shape[0]:
            wanted = ", ".join(["B >= 1", *map(str, shape)])
            raise ValueError(f"features must have shape [{wanted}], got {features.shape}")
        return function(jnp.asarray(x), features)

    return predict
