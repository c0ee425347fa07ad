"""Every rule of the catalogue with liars of every size: `python -m parts.any_size` in tests.

Sizes from 10³ to the largest number × one liar or f × arrangements × offsets × kinds of numbers ×
numbers of rows. What must hold is the rule's own κ, or the reach that its docstring states, or, for
rules that are measured from 0 or from a point, the bound below.
"""

import math
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from catalogue import AGGREGATORS, AggregatorEntry

from jaxbyz.aggregators import kappa, reach
from jaxbyz.testing.any_size import diameters, moved, of_any_size, some_honest

D = 3
SHAPES = ((5, 1), (5, 2), (11, 2), (11, 5), (31, 15), (64, 31))
KINDS = ("float32", "float64", "bfloat16")
SUBSETS = 2000  # rules that look at every subset are asked where there are fewer
# Of iterative rules beside a flat objective; else 64 roundings of sums over rows and coordinates.
LOOSE = {"geometric median": 2e-2, "nnm, geometric median": 2e-2}


def longest(rows):
    return np.linalg.norm(rows, axis=-1).max(axis=-1)


def from_zero(length):
    """A result of this length may be so far from the mean of the honest rows."""
    return lambda rows, n, f: length(rows, n, f) + np.linalg.norm(rows.mean(axis=1), axis=-1)


def after_steps(rows, n, f):
    """Eight smoothed Weiszfeld steps, ν = 1: none is longer than n/(n-f) max(ν, farthest)."""
    length = np.zeros(len(rows))
    for _ in range(8):
        length += n / (n - f) * np.maximum(1, length + longest(rows))
    return length


BOUNDS = {
    "cge": from_zero(lambda rows, n, f: longest(rows)),
    "clip, trimmed mean": from_zero(lambda rows, n, f: D**0.5),
    "arc, trimmed mean": from_zero(lambda rows, n, f: D**0.5 * longest(rows)),
    "centered clipping": from_zero(lambda rows, n, f: 3.0),
    "centered clipping from coordinate median": (
        lambda rows, n, f: 2 + (n - f) ** 0.5 * diameters(rows)
    ),
    "smoothed weiszfeld": from_zero(after_steps),
}
# The mean is bounded by nothing; a trusted row may lie; f of ⌈n/2⌉ groups may be half of them.
FINITE = ("mean", "monna", "bucketing, coordinate median")


def bound_for(entry, rule, n, f):
    """Honest rows [m, n-f, d] -> the largest distance of the result from their mean [m]."""
    if entry.name in BOUNDS:
        return lambda rows: BOUNDS[entry.name](rows, n, f)
    known = kappa(rule, n, f)
    square = known.published if known.exact is None else known.exact
    if square is not None:
        return lambda rows: np.sqrt(square * rows.var(axis=1).sum(axis=1))
    c = reach(rule, n, f)
    if c is not None:
        return lambda rows: c * diameters(rows)
    assert entry.name in FINITE or n < 2 * f + 2, f"no bound for {entry.name}"
    return None


class Outcome(NamedTuple):
    """What became of one rule on one shape and kind of numbers."""

    name: str
    cases: int
    failures: list[str]
    worst: float  # distance / allowed
    unsettled: int  # inputs on which an iterative rule says that it did not converge


HALVED = "bulyan for half of f"  # its line of the catalogue is a function of 2f


def asked(entry, n, f):
    """Whether a rule can be asked at all."""
    if entry.name == HALVED:
        return n >= 4 * f + 3
    subsets = entry.name in ("mda", "mva", "smea") and math.comb(n, f) > SUBSETS
    return n >= entry.least(f) and not subsets


def examine(entry: AggregatorEntry, n: int, f: int, kind: str, every: bool = True) -> Outcome:
    """All sizes, through one program."""
    wide = kind == "float64"
    with jax.enable_x64(wide):
        dtype = jnp.dtype(kind)
        rule = entry.make(2 * f if entry.name == HALVED else f)
        limits = jnp.finfo(dtype)
        random = np.random.default_rng(7)
        names, rows, marked = zip(*of_any_size(n, f, D, limits, random, every), strict=True)
        rows, marked = np.stack(rows), np.stack(marked)
        given = jnp.asarray(rows).astype(dtype)

        def one(rows):
            return rule.apply(jax.random.key(7), rule.init(D), rows)[1]

        result = jax.jit(jax.vmap(one))(given)
        rows = np.asarray(given.astype(jnp.float64 if wide else jnp.float32))
        value = np.asarray(result.value.astype(rows.dtype), np.float64)
        assert np.array_equal(result.rejected, ~np.isfinite(rows).all(axis=2))
        settled = np.asarray(result.details.get("converged", np.ones(len(names), bool)))
    bound = bound_for(entry, rule, n, f)
    rounding = 64 * (float(limits.eps) if kind == "bfloat16" else float(np.finfo(rows.dtype).eps))
    rounding = max(rounding, LOOSE.get(entry.name, 0.0))
    if bound is None:
        error, allowed = np.where(np.isfinite(value).all(axis=1), 0, np.inf), np.ones(len(names))
    else:
        error, allowed = moved(rows, value, some_honest(marked, f), bound, rounding)
    wrong = ~(error <= allowed)
    failures = [
        f"{entry.name}, n = {n}, f = {f}, {kind}: {names[i]}: {error[i]:.3g} > {allowed[i]:.3g}"
        for i in np.flatnonzero(wrong)
    ]
    share = np.nan_to_num(error / allowed, nan=np.inf).max()
    return Outcome(entry.name, len(names), failures, float(share), int((~settled).sum()))


def main(kinds=KINDS, shapes=SHAPES, only=None):
    total = failed = 0
    for entry in AGGREGATORS:
        if only and only not in entry.name:
            continue
        for kind in kinds:
            found = [examine(entry, n, f, kind) for n, f in shapes if asked(entry, n, f)]
            failures = [line for outcome in found for line in outcome.failures]
            total += sum(outcome.cases for outcome in found)
            failed += len(failures)
            print(
                f"{entry.name:42} {kind:9} {sum(o.cases for o in found):6} cases "
                f"{len(failures):5} failures, worst {max(o.worst for o in found):.2g} of the bound"
                f", {sum(o.unsettled for o in found)} not settled",
                flush=True,
            )
            for line in failures[:3]:
                print("   ", line)
    print(f"{total} cases, {failed} failures")
    return failed


if __name__ == "__main__":
    sys.exit(main(only=sys.argv[1] if len(sys.argv) > 1 else None) > 0)
