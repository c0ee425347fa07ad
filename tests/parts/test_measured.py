"""Distances of long rows: taken of the rows as they are, wherever that is safe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz import aggregators
from jaxbyz.aggregators.rows.centred_distances import centred_distances
from jaxbyz.aggregators.rows.centring import FAR
from jaxbyz.aggregators.rows.finite import finite_rows
from jaxbyz.aggregators.rows.numbers import SHORT

D = SHORT + 76


def inputs(n, f):
    """Rows [n, D] by name, and whether the distances of the rows as they are can be used."""
    plain = np.random.default_rng(n).normal(size=(n, D)).astype(np.float32)
    diameter = np.linalg.norm(plain[:, None] - plain, axis=2).max()

    def with_first(count, size):
        rows = plain.copy()
        rows[:count] = size
        return rows

    near = np.zeros((n, D), np.float32)
    near[f:, 0] = np.arange(n - f)
    return {
        "plain": (plain, True),
        "far from the origin": (np.round(plain * 64) / 64 + np.float32(1e4), True),
        "f bad ones": (with_first(f, np.nan), True),
        "one bad row more": (with_first(f + 1, np.nan), False),
        "far ones within reach": (with_first(f, 0.02 * FAR * diameter / D**0.5), True),
        "far ones beyond": (with_first(f, 2 * FAR * diameter / D**0.5), False),
        "squares overflow": (with_first(f, 1e25), False),
        "squares vanish": (plain * np.float32(1e-25), False),
        "some squares vanish": (plain * np.float32(1e-12), False),
        "n-f equal rows": (with_first(n - f, 1.0), None),  # the median is a row as well
        "liars near one another": (near, True),
    }


@pytest.mark.parametrize(("n", "f"), [(7, 2), (40, 9)])  # direct differences, and a product
def test_as_they_are_or_with_care(n, f):
    cases = inputs(n, f)
    batch = np.stack([rows for rows, _ in cases.values()])
    with jax.enable_x64(False):
        both = jax.jit(lambda rows: centred_distances(finite_rows(rows), f))
        if n < 32:
            seen, squares = jax.jit(jax.vmap(lambda rows: centred_distances(finite_rows(rows), f)))(
                batch
            )
        else:  # mapped, the product takes long to compile
            results = [both(rows) for rows in batch]
            seen, squares = jax.tree.map(lambda *leaves: jnp.stack(leaves), *results)
        for i, (name, (rows, safe)) in enumerate(cases.items()):
            # What is left out is the search for the median: the centre is a row then.
            a_row = (seen.centre[i] == rows).all(axis=1).any()
            assert safe is None or a_row == safe, name
            assert not (safe and seen.far[i].any()), name
            assert np.isfinite(squares[i]).all(), name
            assert np.isfinite(seen.q[i]), name
            if n < 32:
                alone = both(rows)[1]
                np.testing.assert_allclose(alone, squares[i], rtol=1e-5, atol=1e-30, err_msg=name)
            good = np.isfinite(rows).all(axis=1) & ~np.asarray(seen.far[i])
            exact = np.float64(rows[good])
            exact = ((exact[:, None] - exact) ** 2).sum(axis=2)
            unit = float(seen.unit[i]) / float(seen.shrink[i])
            found = np.float64(squares[i])[good][:, good] * unit**2
            # Of rows around a centre each entry is rounded; far ones beside their own length.
            least = 1e-5 * exact.max() if name != "far ones within reach" else 0
            np.testing.assert_allclose(
                found, exact, rtol=1e-4, atol=least * (not safe), err_msg=name
            )
            if safe:
                distances = np.sort(exact, axis=1)[:, n - f - 1]
                np.testing.assert_allclose(seen.q[i], distances.min() ** 0.5, rtol=1e-5)
                assert 1 <= seen.q[i] / seen.unit[i] < 2


def test_long_rows_of_any_size_are_held():
    """As `test_liars_of_every_size` asks of short rows, for which there is one way only."""
    n, f = 11, 3
    with jax.enable_x64(False):
        honest = np.random.default_rng(0).normal(size=(n - f, D)).astype(np.float32)
        mean, spread = honest.mean(axis=0), np.sqrt(honest.var(axis=0).sum())
        liars = np.float32([1, 1e3, 1e6, 1e9, 1e15, 1e19, 1e30, 3e38])
        batch = np.stack([np.concatenate([np.full((f, D), s), honest]) for s in liars])
        batch = np.float32(batch)
        trimmed = aggregators.trimmed_mean(f)
        rules = {
            "krum": aggregators.krum(f),
            "nnm": aggregators.nnm(f, trimmed),
            "geometric median": aggregators.geometric_median(f),
            "caf": aggregators.caf(f),
            "dnc": aggregators.dnc(f),
        }
        results = jax.jit(jax.vmap(lambda rows: {k: r(rows) for k, r in rules.items()}))(batch)
        for name, values in results.items():
            bound = aggregators.kappa(rules[name], n, f).published
            # Rules without κ: here far ones are dropped, and near ones are within the spread.
            limit = (1 if bound is None else bound**0.5) * spread
            assert (np.linalg.norm(np.float64(values) - mean, axis=1) <= limit).all(), name


def test_a_minimiser_that_is_a_row_is_that_row():
    with jax.enable_x64(False):
        rows = np.random.default_rng(1).normal(size=(7, D)).astype(np.float32) / 3 + 100
        rows[:4] = rows[0]
        for given in (rows, rows[:, :5]):
            value = jax.jit(aggregators.geometric_median(0))(given)
            assert (np.asarray(value) == given[0]).all()
        away = rows[:, :5] - rows[0, :5]
        away[4:] = [[1, 0, 0, 0, 0], [-0.5, 3**0.5 / 2, 0, 0, 0], [-0.5, -(3**0.5) / 2, 0, 0, 0]]
        away[1:4] = -away[4:]
        told = jax.jit(lambda rows: aggregators.geometric_median(0).apply(None, None, rows)[1])
        assert (jnp.abs(told(away).value) < 1e-5).all()
        assert (told(away + rows[0, :5]).value == rows[0, :5]).all()
