"""Units and factors inside rules, at the sizes of numbers where they matter."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz import aggregators, core

SMALL = 1e-30


def clipped(rows, c):
    norms = np.linalg.norm(rows, axis=1)
    return (rows * np.minimum(1, c / norms)[:, None]).mean(axis=0)


def cut_to_the_next(rows, _):
    return clipped(rows, np.sort(np.linalg.norm(rows, axis=1))[-2])


RULES = {
    "clip": (aggregators.clip(SMALL, aggregators.mean()), clipped),
    "arc": (aggregators.arc(1, aggregators.mean()), cut_to_the_next),
    "centered clipping": (aggregators.centered_clipping(SMALL, 1), clipped),
}


@pytest.mark.parametrize("d", [3, 1500])  # lengths are found in two ways
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_small_rows_beside_one_of_size_one(kind, d):
    with jax.enable_x64(False):
        rows = np.random.default_rng(0).normal(size=(4, d)) * SMALL / d**0.5
        rows[2] /= SMALL
        orders = [list(order) for order in itertools.permutations(range(4))]
        given = jnp.asarray(rows[np.array(orders)]).astype(kind)
        seen = np.asarray(given[0].astype(jnp.float32), np.float64)

        def every(rows):
            return {k: r.apply(None, r.init(d), rows)[1].value for k, (r, _) in RULES.items()}

        compiled = jax.jit(every)
        ways = [
            ("vmap", jax.jit(jax.vmap(every))(given)),
            ("jit", jax.tree.map(lambda *v: jnp.stack(v), *[compiled(x) for x in given])),
            ("eager", jax.tree.map(lambda v: v[None], every(given[-1]))),
        ]
        # Some roundings of numbers of this size; the last of them to the kind of the rows.
        limit = 1e-36 if kind == "float32" else float(jnp.finfo(kind).eps) * SMALL
        for name, (_, exact) in RULES.items():
            expected = exact(seen, SMALL)
            assert 0.05 * SMALL < np.linalg.norm(expected) < 2 * SMALL
            for way, values in ways:
                value = np.asarray(values[name].astype(jnp.float32), np.float64)
                assert np.abs(value - expected).max() <= limit, (name, way)


def test_the_longest_rows_near_the_largest_number_are_cut_to_the_next():
    with jax.enable_x64(False):
        rows = np.float32([[1e38], [2e38], [3e38], [3.4e38]])
        value = jax.jit(aggregators.arc(1, aggregators.mean()))(rows)
        np.testing.assert_allclose(value, [2.25e38], rtol=1e-6)


def test_a_far_row_counts_by_its_direction_in_the_geometric_median():
    with jax.enable_x64(True):
        rows = np.random.default_rng(5).normal(size=(6, 2))
        liar = np.array([0.6, 0.8])
        point = np.zeros(2)
        for _ in range(2000):  # Weiszfeld's steps; a row without end pulls by its direction alone
            weights = 1 / np.linalg.norm(rows - point, axis=1)
            point = (weights @ rows + liar) / weights.sum()
        given = np.concatenate([rows, 1e15 * liar[None]])
        value = jax.jit(aggregators.geometric_median(1))(given)
        np.testing.assert_allclose(value, point, atol=1e-8)


@pytest.mark.parametrize("power", [2, 4])
def test_scores_of_krum_by_their_definition(power):
    rows = np.random.default_rng(3).normal(size=(9, 4)).astype(np.float32)
    rows[0] *= 4
    distances = np.linalg.norm(np.float64(rows)[:, None] - rows, axis=2)
    best = np.argmin((np.sort(distances, axis=1)[:, :7] ** power).sum(axis=1))
    with jax.enable_x64(False):
        for size in (1e-30, 1, 1e30):
            scaled = rows * np.float32(size)
            spoilt = scaled.copy()
            spoilt[0] = 3e38
            told = jax.jit(aggregators.krum(2, power=power))
            assert (told(scaled) == scaled[best]).all()
            kept = np.delete(distances, 0, axis=1)
            nearest = np.sort(kept, axis=1)[1:, :7] ** power
            assert (told(spoilt) == spoilt[1 + np.argmin(nearest.sum(axis=1))]).all()


def test_from_where_on_a_row_is_huge():
    # Around the median 0 the fourth of the five distances is q = 2.
    with jax.enable_x64(False):
        for rule, reach in ((aggregators.dnc(1), 2.0**10), (aggregators.caf(1), 2.0**20)):
            told = jax.jit(lambda rows, rule=rule: rule.apply(None, None, rows)[1].details)
            for size, huge in ((1.99, False), (2.01, True)):
                rows = np.float32([[-2], [-1], [0], [1], [size * reach]])
                assert told(rows)["huge_rows"].tolist() == [False] * 4 + [huge]


def test_a_smoothing_below_the_least_number_is_the_least_number():
    with jax.enable_x64(False):
        value = aggregators.smoothed_weiszfeld(1, 1e-46)(jnp.array([[0.0], [1.0]]))
        assert 0 <= value.item() <= 1e-37


def test_what_a_pivot_rejects_is_rejected():
    def suspicious(key, state, rows):
        return state, core.Aggregated(rows[1], jnp.arange(3) == 0, {})

    pivot = core.Aggregator(lambda d: None, suspicious)
    rule = aggregators.centered_clipping_from(pivot, 1.0, 1)
    _, result = rule.apply(None, None, jnp.ones((3, 2)).at[2].set(jnp.nan))
    assert result.rejected.tolist() == [True, False, True]
