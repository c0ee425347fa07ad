"""Rules beside one pass over the rows, one Gram matrix, byzfl's PyTorch rules and NumPy."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from tests.benchmarks.timing import Timing, race, table

F = 3
D = 1_000_000


def sum_of_rows(rows: jax.Array) -> jax.Array:
    """One pass over the data, the least that any rule must do."""
    total = rows[0]
    for i in range(1, rows.shape[0]):
        total = total + rows[i]
    return total


def gram(rows: jax.Array) -> jax.Array:
    """X Xᵀ over blocks of columns: the fastest way found, faster than one product of all."""
    n, d = rows.shape
    block = 8192
    whole = d // block

    def add(i: jax.Array, total: jax.Array) -> jax.Array:
        part = jax.lax.dynamic_slice(rows, (0, i * block), (n, block))
        return total + part @ part.T

    rest = rows[:, whole * block :]
    return jax.lax.fori_loop(0, whole, add, rest @ rest.T)


def by_entry() -> dict[str, Any]:
    """Rules that treat each coordinate on its own."""
    return {
        "trimmed mean": jb.trimmed_mean(F),
        "median": jb.coordinate_median(F),
        "MeaMed": jb.meamed(F),
        "Phocas": jb.phocas(F),
    }


def by_distance() -> dict[str, Any]:
    """Rules that need the distances between rows."""
    return {
        "Krum": jb.krum(F),
        "multi-Krum": jb.multi_krum(F),
        "NNM, mean": jb.nnm(F, jb.mean()),
        "NNM, trimmed mean": jb.nnm(F, jb.trimmed_mean(F)),
        "geometric median": jb.geometric_median(F),
        "MDA": jb.mda(F),
    }


def by_norm() -> dict[str, Any]:
    """Rules that need the length of every row."""
    return {
        "centred clipping": jb.centered_clipping(tau=100.0, iterations=1),
        "CGE": jb.cge(F),
        "ARC, mean": jb.aggregators.arc(F, jb.mean()),
    }


def theirs(f: int = F) -> dict[str, Callable[[Any], Any]]:
    """The same rules of byzfl, whose other parts (and requirements) are left alone."""
    found = importlib.util.find_spec("byzfl")
    if found is None or importlib.util.find_spec("torch") is None:
        print("byzfl and torch are not installed: no comparison (pip install byzfl==0.0.11)")
        return {}
    package = types.ModuleType("byzfl")
    package.__path__ = list(found.submodule_search_locations or [])
    package.__spec__ = found
    sys.modules["byzfl"] = package
    rules = importlib.import_module("byzfl.aggregators.aggregators")
    before = importlib.import_module("byzfl.aggregators.preaggregators")
    mix, trimmed, shorten, average = (
        before.NNM(f=f),
        rules.TrMean(f=f),
        before.ARC(f=f),
        rules.Average(),
    )
    return {
        "trimmed mean": trimmed,
        "median": rules.Median(),
        "MeaMed": rules.Meamed(f=f),
        "Krum": rules.Krum(f=f),
        "multi-Krum": rules.MultiKrum(f=f),
        "NNM, mean": lambda rows: average(mix(rows)),
        "NNM, trimmed mean": lambda rows: trimmed(mix(rows)),
        "geometric median": rules.GeometricMedian(nu=0.1, T=3),
        "MDA": rules.MDA(f=f),
        "centred clipping": rules.CenteredClipping(L=1, tau=100.0),
        "ARC, mean": lambda rows: average(shorten(rows)),
    }


def in_numpy(f: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """What one would write without a library."""

    def krum(rows: np.ndarray) -> np.ndarray:
        products = rows @ rows.T
        squares = np.diag(products)
        distances = squares[:, None] + squares - 2 * products
        near = np.sort(distances, axis=1)[:, : len(rows) - f]
        return rows[near.sum(axis=1).argmin()]

    def cge(rows: np.ndarray) -> np.ndarray:
        order = np.argsort(np.linalg.norm(rows, axis=1))
        return rows[order[: len(rows) - f]].mean(axis=0)

    return {
        "trimmed mean": lambda rows: np.sort(rows, axis=0)[f : len(rows) - f].mean(axis=0),
        "median": lambda rows: np.median(rows, axis=0),
        "Krum": krum,
        "CGE": cge,
    }


def contest(
    title: str,
    rows: jax.Array,
    f: int,
    measure: tuple[str, Callable],
    ours: dict[str, Any],
    others: dict[str, Callable],
    repeats: int,
) -> None:
    """One table: all rules in units of `measure`, then how many times as long byzfl takes."""
    n, d = rows.shape
    name, function = measure
    compiled = {name: jax.jit(function)} | {
        key: jax.jit(_value(rule)) for key, rule in ours.items()
    }
    contestants: dict[str, Callable[[], object]] = {
        key: (lambda g=g: g(rows)) for key, g in compiled.items()
    }
    plain = np.array(rows)
    if others:
        import torch

        tensor = torch.from_numpy(plain)
        for key in ours.keys() & others.keys():
            contestants[f"{key}, byzfl"] = lambda g=others[key]: g(tensor)
    for key, g in in_numpy(f).items():
        if key in ours:
            contestants[f"{key}, NumPy"] = lambda g=g: g(plain)
    timings = race(contestants, repeats=repeats)
    print(table(f"{title} on [{n}, {d:,}] float32, f = {f}; in units of: {name}", timings))
    _factors(ours, timings)


def _value(rule: Any) -> Callable[[jax.Array], jax.Array]:
    return lambda rows: rule.apply(None, rule.init(rows.shape[1]), rows)[1].value


def _factors(ours: dict[str, Any], timings: list[Timing]) -> None:
    median = {timing.name: timing.median for timing in timings}
    for key in ours:
        factors = [
            f"{other} {median[f'{key}, {other}'] / median[key]:.1f}×"
            for other in ("byzfl", "NumPy")
            if f"{key}, {other}" in median
        ]
        if factors:
            print(f"  {key} is faster than {', '.join(factors)}")


def many_workers(repeats: int, workers: tuple[int, ...] = (100, 1000)) -> None:
    """100 and 1000 rows of 10,000 numbers, of which the last fifth are equal: they collude."""
    for n in workers:
        f, d = n // 5, 10_000
        rows = jax.random.normal(jax.random.key(n), (n, d))
        rows = rows.at[-f:].set(rows[-1])
        ours = {
            "Krum": jb.krum(f),
            "multi-Krum": jb.multi_krum(f),
            "NNM, mean": jb.nnm(f, jb.mean()),
            "NNM, trimmed mean": jb.nnm(f, jb.trimmed_mean(f)),
            "geometric median": jb.geometric_median(f),
            "smoothed Weiszfeld, 3 steps": jb.smoothed_weiszfeld(3, 0.1),
            "centred clipping": jb.centered_clipping(tau=100.0, iterations=1),
            "median": jb.coordinate_median(f),
            "trimmed mean": jb.trimmed_mean(f),
        }
        others = theirs(f)
        if others:
            others["smoothed Weiszfeld, 3 steps"] = others["geometric median"]
        if n == 1000:  # byzfl's mixing takes every row apart, 32 GB
            others = {key: rule for key, rule in others.items() if "NNM" not in key}
        gram = ("Gram matrix", lambda rows: jnp.matmul(rows, rows.T))
        contest("many workers", rows, f, gram, ours, others, repeats)


def main(sizes: tuple[int, ...] = (11, 20, 32), repeats: int = 7) -> None:
    """All tables."""
    others = theirs()
    one_pass = ("sum of the rows", sum_of_rows)
    for n in sizes:
        rows = jax.random.normal(jax.random.key(n), (n, D))
        contest("coordinate-wise rules", rows, F, one_pass, by_entry(), others, repeats)
        contest("rules of norms", rows, F, one_pass, by_norm(), others, repeats)
        contest(
            "rules of distances", rows, F, ("Gram matrix", gram), by_distance(), others, repeats
        )
    many_workers(repeats)


if __name__ == "__main__":
    main()
