"""Checks of what functions of users return: shapes, dtypes and kinds, when they are traced.

So an error comes before anything is computed. Without these checks JAX would broadcast a wrong
shape, and the run would go on with wrong numbers.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks


def vector(name: str, value: Any, d: int) -> Any:
    """What a rule returned, if it is a vector [d] of floats.

    Raises:
        ValueError: naming the rule, what it returned and what it should.

    >>> vector("aggregator", jnp.zeros(()), 3)
    Traceback (most recent call last):
    ValueError: aggregator must return a vector [d] = (3,) of floats, got float32 of shape ()
    """
    dtype = getattr(value, "dtype", None)
    if dtype is None or value.shape != (d,) or not jnp.issubdtype(dtype, jnp.floating):
        came = checks.said(value) if dtype is None else f"{dtype} of shape {value.shape}"
        raise ValueError(f"{name} must return a vector [d] = {(d,)} of floats, got {came}")
    return value


TOTALS = ("uplink_bits", "downlink_bits", "rejected_rows", "faulty_rows")  # what is counted
OTHERS = {"gradients", "server_seconds", "round", "rounds", "seeds", "parameters", "about"}
RESERVED = OTHERS.union(TOTALS)  # what a history, or one of a comparison, has already


def columns(what: str, value: Any, others: Any) -> dict[str, Any]:
    """What an evaluator or `watch` returns: single real numbers, under names of their own.

    Raises:
        ValueError: something else; a name that a history has already, or one of `others`.

    >>> columns("evaluator 'loss'", {"loss": 3.0}, others=())
    {'loss': 3.0}
    >>> columns("watch", {"uplink_bits": 3.0}, others=())
    Traceback (most recent call last):
    ValueError: watch must name columns of its own, got 'uplink_bits', which is taken
    """
    if not isinstance(value, dict):
        raise ValueError(
            f"{what} must return a dictionary of names and single numbers, got {checks.said(value)}"
        )
    for name, number in value.items():
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ValueError(
                f"{what} must name its columns by printable texts, got {checks.said(name)}"
            )
        if name in RESERVED or name in others:
            raise ValueError(f"{what} must name columns of its own, got {name!r}, which is taken")
        if not _single(number):
            raise ValueError(
                f"{what} must return single real numbers, got {checks.said(number)} for {name!r}"
            )
    return value


def _single(number: Any) -> bool:
    """Whether something is one real number, known or traced."""
    if not isinstance(number, bool | int | float | np.generic | np.ndarray | jax.Array):
        return False
    try:
        kind = jax.eval_shape(jnp.asarray, number)
    except (TypeError, ValueError, OverflowError):  # an integer of more bits, text, objects
        return False
    return kind.shape == () and checks.real(kind.dtype)


def aggregated(name: str, outcome: Any, rows: jax.Array) -> Any:
    """What `apply` of an aggregator made of rows [n, d], if it is (state, aggregated) that fits.

    Raises:
        ValueError: naming the rule, what it returned and what it should.

    >>> aggregated("aggregator", (1.0, 2.0, 3.0), jnp.zeros((4, 3)))
    Traceback (most recent call last):
    ValueError: aggregator must return (state, Aggregated(value, rejected, details)), got a tuple of 3
    """  # noqa: E501
    whole = isinstance(outcome, tuple) and len(outcome) == 2 and hasattr(outcome[1], "value")
    if not whole:
        came = checks.said(outcome)
        raise ValueError(
            f"{name} must return (state, Aggregated(value, rejected, details)), got {came}"
        )
    n, d = rows.shape
    value, rejected = vector(name, outcome[1].value, d), outcome[1].rejected
    if value.dtype != rows.dtype:
        raise ValueError(
            f"{name} must return a vector of the dtype of the rows, {rows.dtype}, got {value.dtype}"
        )
    if getattr(rejected, "shape", None) != (n,) or rejected.dtype != bool:
        raise ValueError(
            f"{name} must return which rows were rejected, [n] = {(n,)} bool, got {rejected!r}"
        )
    return outcome


def rows(attack: str, value: Any, *allowed: tuple[int, ...]) -> Any:
    """What an attack wants to be read, if it is an array of real numbers of one of these shapes.

    Raises:
        ValueError: naming the attack, what it returned and what it should.

    >>> rows("mine", [0.0, 0.0], (3,), (2, 3))
    Traceback (most recent call last):
    ValueError: attack 'mine' must forge rows of shape [d] = (3,) or [f, d] = (2, 3) of real numbers, got a list of 2
    """  # noqa: E501
    if getattr(value, "shape", None) not in allowed or not checks.real(value.dtype):
        names = {1: "[d]", 2: "[f, d]"}
        shapes = " or ".join(f"{names[len(shape)]} = {shape}" for shape in allowed)
        raise ValueError(
            f"attack {attack!r} must forge rows of shape {shapes} of real numbers, got "
            f"{checks.said(value)}"
        )
    return value


def forged(attack: str, outcome: Any, shape: tuple[int, int], dtype: Any) -> tuple[Any, Any]:
    """What `forge` of an attack returned, if it is (state, rows [f, d]) of this dtype.

    Raises:
        ValueError: naming the attack, what it returned and what it should.

    >>> forged("mine", jnp.zeros((2, 3)), (2, 3), jnp.float32)
    Traceback (most recent call last):
    ValueError: attack 'mine' must forge (state, rows [f, d]), got an array float32[2, 3]
    """
    if not isinstance(outcome, tuple) or len(outcome) != 2:
        raise ValueError(
            f"attack {attack!r} must forge (state, rows [f, d]), got {checks.said(outcome)}"
        )
    state, wanted = outcome[0], rows(attack, outcome[1], shape)
    if wanted.dtype != dtype:
        raise ValueError(
            f"attack {attack!r} must forge rows of the dtype of the honest ones, {dtype}, got "
            f"{wanted.dtype}"
        )
    return state, wanted


def poisoned(attack: str, data: Any, before: Any, classes: int | None = None) -> None:
    """Raise unless poisoned data are arrays like those before, with labels that there are.

    Raises:
        ValueError: naming the attack, what it returned and what it should.

    >>> poisoned("mine", jnp.zeros((2, 3)), jnp.zeros((2, 4)))
    Traceback (most recent call last):
    ValueError: attack 'mine' must poison data into arrays float32[2, 4], got float32[2, 3]
    """

    def kinds(tree: Any) -> str:
        leaves = map(jnp.asarray, jax.tree.leaves(tree))
        return ", ".join(f"{leaf.dtype}{list(leaf.shape)}" for leaf in leaves)

    if str(jax.tree.structure(data)) != str(jax.tree.structure(before)):
        raise ValueError(
            f"attack {attack!r} must poison data into {checks.said(before)} like the one that it "
            f"was given, got {checks.said(data)}"
        )
    if kinds(data) != kinds(before):
        raise ValueError(
            f"attack {attack!r} must poison data into arrays {kinds(before)}, got {kinds(data)}"
        )
    labels = getattr(data, "labels", None)
    if classes is None or labels is None or checks.is_traced(labels):
        return
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= classes:
        raise ValueError(
            f"attack {attack!r} must leave labels in 0..{classes - 1}, as the problem has "
            f"{classes} classes, got labels in {least}..{most}"
        )


ASKED = (  # for a number that is not known yet
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.NonConcreteBooleanIndexError,
)


@contextlib.contextmanager
def explaining_tracers(name: str) -> Iterator[None]:
    """For a user's function that is traced: explain JAX's errors if it needs concrete numbers.

    Raises:
        ValueError: for the errors of JAX about a number that is not known yet.

    >>> import numpy as np
    >>> def total(rows):
    ...     with explaining_tracers("aggregator"):
    ...         return np.asarray(rows).sum()
    >>> jax.eval_shape(total, jnp.zeros(3))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ValueError: aggregator is compiled, so it must compute with jax.numpy, ...
    """
    try:
        yield
    except ASKED as error:
        raise ValueError(
            f"{name} is compiled, so it must compute with jax.numpy, not with numpy, and choose "
            "with jnp.where, not with `if`: it asked for the numbers of an array while it was "
            f"traced ({type(error).__name__})"
        ) from error
