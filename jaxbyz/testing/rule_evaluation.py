"""Rules on their inputs: eagerly one by one, and all of them through one compiled program."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.core import Aggregated, Aggregator, Tree
from jaxbyz.testing.report import Battery, Case
from jaxbyz.testing.short_runs import described

SETUP = """
# `rule` is the aggregator that was checked.


def aggregate(rows):
    rows = jnp.asarray(rows)
    return rule.apply(jax.random.key(7), rule.init(rows.shape[1]), rows)[1]


def distance(a, b):
    return np.linalg.norm(np.asarray(a, np.float64) - np.asarray(b, np.float64))

"""


class Evaluated(NamedTuple):
    """Inputs of one kind, and what the rule made of them."""

    names: list[str]
    rows: np.ndarray  # [m, n, d]
    value: np.ndarray  # [m, d] float64
    rejected: np.ndarray  # [m, n]
    settled: np.ndarray  # [m] bool, whether an iterative rule says that it converged

    def cases(self, **arrays: Any) -> list[Case]:
        """Every input, and of each of `arrays` [m, ...] its own entry."""
        return [
            Case(name, {"rows": rows, **{key: array[i] for key, array in arrays.items()}})
            for i, (name, rows) in enumerate(zip(self.names, self.rows, strict=True))
        ]


def stacked(named: Iterable[tuple[str, np.ndarray]]) -> tuple[list[str], np.ndarray]:
    """Names, and rows [m, n, d]."""
    pairs = list(named)
    return [name for name, _ in pairs], np.stack([rows for _, rows in pairs])


def stacked_and_marked(
    named: Iterable[tuple[str, np.ndarray, np.ndarray]],
) -> tuple[list[str], Any, Any]:
    """Names, rows [m, n, d], and which rows are Byzantine [m, n]."""
    names, rows, marked = zip(*named, strict=True)
    return list(names), np.stack(rows), np.stack(marked)


def apply_once(rule: Aggregator, rows: jax.Array) -> tuple[Tree, Aggregated]:
    """One call from the first state, always with the same key."""
    return rule.apply(jax.random.key(7), rule.init(rows.shape[1]), rows)


def check_contract(
    battery: Battery, rule: Aggregator, rows: np.ndarray, d: int
) -> tuple[Aggregated, np.ndarray]:
    """Shapes, dtypes and state on one ordinary input, eagerly: what came of it, and the input."""
    name = "shape, dtype and state"
    case = Case("Gaussian rows 0", {"rows": rows})
    n = len(rows)
    code = """
result = aggregate(rows)
assert isinstance(result, tuple) and hasattr(result, "rejected"), type(result)
assert np.shape(result.value) == rows.shape[1:], np.shape(result.value)
assert result.value.dtype == rows.dtype, result.value.dtype
assert np.shape(result.rejected) == rows.shape[:1] and result.rejected.dtype == bool
state = rule.init(rows.shape[1])
after, _ = rule.apply(jax.random.key(7), state, jnp.asarray(rows))
describe = lambda tree: jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.asarray(leaf).dtype), tree)
assert describe(state) == describe(after), (state, after)
"""
    # Without jit the loops of a rule are run and not compiled, which would take longer.
    with battery.attempt(name, case, code), jax.disable_jit():
        given = rows.copy()
        state = rule.init(d)
        after, result = rule.apply(jax.random.key(7), state, jnp.asarray(given))
        value, rejected = result.value, result.rejected
        kinds = [(array.dtype, array.shape) for array in (value, rejected)]
        found = f"value {kinds[0]}, rejected {kinds[1]}"
        right = kinds == [(rows.dtype, (d,)), (bool, (n,))]
        asked = f"value [d], of the dtype of the rows, and rejected [n] bool, here d = {d}, n = {n}"
        battery.demand(name, case, right, found, asked, code)
        before, end = described(state), described(after)
        found = f"state {end} after {before}"
        battery.demand(name, case, before == end, found, "a scan needs a state of one type", code)
    return result, given


def check_purity(
    battery: Battery, rule: Aggregator, rows: np.ndarray, first: Aggregated, given: np.ndarray
) -> None:
    """A second call gives what the `first` gave, and leaves the rows `given` to it as they are."""
    name, case = "pure", Case("Gaussian rows 0", {"rows": rows})
    code = """
before, first = rows.copy(), np.asarray(aggregate(rows).value)
assert np.array_equal(rows, before)
assert np.array_equal(first, np.asarray(aggregate(rows).value))
"""
    with battery.attempt(name, case, code), jax.disable_jit():
        again = apply_once(rule, jnp.asarray(given))[1]
        one, two = np.asarray(first.value), np.asarray(again.value)
        measured = f"{one.tolist()}, then {two.tolist()}"
        reason = "a rule has no memory outside its state"
        battery.demand(name, case, np.array_equal(one, two), measured, reason, code)
        call_with_numpy(lambda array: apply_once(rule, array), given)
        reason = "the rows belong to the caller"
        unchanged = np.array_equal(given, rows)
        code = "before = rows.copy()\nrule.apply(jax.random.key(7), rule.init(rows.shape[1]), rows)"
        code += "\nassert np.array_equal(rows, before)"
        battery.demand(name, case, unchanged, "the rows given were changed", reason, code)


def call_with_numpy(function: Callable[[Any], Any], array: np.ndarray) -> None:
    """Call with an array that can be changed, unless the part takes JAX arrays only."""
    with contextlib.suppress(AttributeError, TypeError):
        function(array)


def evaluate(
    battery: Battery, rule: Aggregator, groups: Mapping[str, tuple[list[str], Any]], dtype: Any
) -> dict[str, Evaluated]:
    """The rule on all groups of inputs, (names, rows [m, n, d]) by kind, in one program."""
    groups = {key: group for key, group in groups.items() if len(group[0])}
    whole = np.concatenate([rows for _, rows in groups.values()]).astype(dtype)
    code = "jax.jit(jax.vmap(aggregate))(rows[None])"
    with battery.attempt("eager = jit = vmap", Case("Gaussian rows 0", {"rows": whole[0]}), code):
        results = jax.jit(jax.vmap(lambda rows: apply_once(rule, rows)[1]))(jnp.asarray(whole))
    settled = np.ones(len(whole), bool)
    if isinstance(results.details, dict) and "converged" in results.details:
        settled = np.asarray(results.details["converged"])
    value, rejected = np.asarray(results.value, np.float64), np.asarray(results.rejected)
    parts, start = {}, 0
    for key, (names, _) in groups.items():
        part = slice(start, start + len(names))
        parts[key] = Evaluated(names, whole[part], value[part], rejected[part], settled[part])
        start += len(names)
    return parts


def check_sixteen_bits(
    battery: Battery, rule: Aggregator, rows: np.ndarray, rounding: float
) -> None:
    """16 bits in and out, and 32 in between; rows [n, d] near 100."""
    name = "16-bit rows"
    rows = rows.astype(np.float16)
    case = Case("float16 rows near 100", {"rows": rows})
    dtype = "assert aggregate(rows).value.dtype == rows.dtype, aggregate(rows).value.dtype"
    code = """
found = aggregate(rows).value
wide = aggregate(rows.astype(np.float32)).value
error = np.abs(np.asarray(found, np.float64) - np.asarray(wide, np.float64)).max()
assert error <= ALLOWED, error
"""
    with battery.attempt(name, case, code), jax.disable_jit():
        found = apply_once(rule, jnp.asarray(rows))[1].value
        wide = apply_once(rule, jnp.asarray(rows.astype(np.float32)))[1].value
        right = found.dtype == rows.dtype
        battery.demand(name, case, right, str(found.dtype), "16 bits in, 16 bits out", dtype)
        error = np.abs(np.asarray(found, np.float64) - np.asarray(wide, np.float64)).max()
        unit = 128 * (2.0**-11 + rounding)
        reason = "rounded once to float16, near 100; sums are formed in 32 bits"
        battery.judge(name, [case], error, unit, reason, code)


def check_ways_of_calling(
    battery: Battery,
    single: Callable[[Any], Aggregated],
    eager: Aggregated,
    group: Evaluated,
    rounding: float,
) -> None:
    """Eager, jit and vmap on the first input of a group."""
    name = "eager = jit = vmap"
    case = group.cases()[0]
    code = """
eager, jitted = aggregate(rows), jax.jit(aggregate)(rows)
mapped = jax.tree.map(lambda leaf: leaf[0], jax.jit(jax.vmap(aggregate))(rows[None]))
for other in (jitted, mapped):
    assert np.array_equal(other.rejected, eager.rejected)
    assert np.abs(np.asarray(other.value - eager.value)).max() <= ALLOWED
"""
    with battery.attempt(name, case, code):
        jitted = single(group.rows[0])
    allowed = rounding * (1 + np.abs(group.rows[0]).max())
    for value, rejected in ((jitted.value, jitted.rejected), (group.value[0], group.rejected[0])):
        error = np.abs(np.asarray(value, np.float64) - np.asarray(eager.value)).max()
        error = error if np.array_equal(rejected, eager.rejected) else np.inf
        reason = "programs may sum in another order"
        battery.judge(name, [case], error, allowed, reason, code)
