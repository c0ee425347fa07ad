"""Coordinate-wise rules against the time of summing the rows, and against PyTorch's sort."""

from __future__ import annotations

import jax
import numpy as np

import jaxbyz as jb
from tests.benchmarks.timing import race, table


def sum_of_rows(rows: jax.Array) -> jax.Array:
    """One pass over the data, the least that any rule must do."""
    total = rows[0]
    for i in range(1, rows.shape[0]):
        total = total + rows[i]
    return total


def main() -> None:
    """[11, 1e6], [20, 1e6], [32, 1e6] float32, f = 3."""
    try:
        import torch
    except ImportError:
        torch = None
        print("torch is not installed: no comparison with its sort-based rule")
    d, f = 1_000_000, 3
    for n in (11, 20, 32):
        rows = jax.random.normal(jax.random.key(n), (n, d))
        functions = {
            "sum of the rows": jax.jit(sum_of_rows),
            "trimmed mean": jax.jit(jb.trimmed_mean(f=f)),
            "median": jax.jit(jb.coordinate_median(f=f)),
        }
        contestants = {name: lambda g=g, r=rows: g(r) for name, g in functions.items()}
        if torch is not None:
            tensor = torch.from_numpy(np.array(rows))

            def by_sorting(tensor=tensor, n=n):
                ordered = torch.sort(tensor, dim=0).values
                return np.asarray(ordered[f : n - f].mean(dim=0))

            np.testing.assert_allclose(
                by_sorting(), functions["trimmed mean"](rows), rtol=1e-4, atol=1e-5
            )
            contestants["trimmed mean, torch sort"] = by_sorting
        timings = race(contestants, repeats=15)
        print(table(f"rules on [{n}, {d:,}] float32, f = {f}", timings))
        if torch is not None:
            ours, theirs = timings[1].median, timings[3].median
            print(f"  torch's sort takes {theirs / ours:.0f} times as long as trimmed mean")


if __name__ == "__main__":
    main()
