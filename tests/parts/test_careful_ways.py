"""What is done with care is done where a row asks for it alone, also mapped over seeds.

Mapped, a `cond` becomes a selection, and computes both of its branches for every seed.
"""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz import aggregators
from jaxbyz.aggregators.rows import finite_rows, row_norms
from jaxbyz.aggregators.rows.numbers import SHORT

D = SHORT + 6

pytestmark = pytest.mark.usefixtures("x32")


@pytest.fixture(autouse=True)
def _nothing_remembered():
    yield
    jax.clear_caches()  # functions that count were traced


def counting(monkeypatch, place):
    """How often a function, module.name, is run in compiled programs, seed by seed."""
    jax.clear_caches()
    module, _, name = place.rpartition(".")
    module = importlib.import_module(f"jaxbyz.aggregators.{module}")
    runs, function = [], getattr(module, name)

    def counted(*arguments, **options):
        jax.debug.callback(lambda: runs.append(name))
        return function(*arguments, **options)

    monkeypatch.setattr(module, name, counted)
    return runs


def seeds(change, n=40):
    """Rows [3, n, D] of three seeds, of which the last two are plain, or all."""
    rows = np.random.default_rng(0).normal(size=(3, n, D)).astype(np.float32)
    change(rows[0])
    return rows


def plain(rows):
    pass


def bad(rows):
    rows[1, 5] = np.nan


def large(rows):
    rows[1] *= np.float32(1e30)


WAYS = {
    "median of the other rows": ("rows.finite.over_columns", aggregators.mean(), 20, bad),
    "lengths": ("rows.numbers.largest_of", aggregators.mean(), 20, large),
    "distances from a median": (
        "rows.centred_distances.centred_at_median", aggregators.krum(3), 20, large,
    ),
    "geometric median": (
        "geometric._from_distances", aggregators.geometric_median(3), 40, large,
    ),
    "clipping": (
        "approach.approached_with_care", aggregators.centered_clipping(9.0, 1), 20, large,
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_done_with_care_that_no_seed_asks_for(way, monkeypatch):
    place, rule, n, change = WAYS[way]
    runs = counting(monkeypatch, place)
    call = jax.jit(jax.vmap(lambda rows: rule.apply(None, rule.init(D), rows)[1].value))
    call(seeds(plain, n)).block_until_ready()
    jax.effects_barrier()
    assert runs == []
    found = call(seeds(change, n))
    jax.effects_barrier()
    assert runs
    alone = jax.jit(lambda rows: rule.apply(None, rule.init(D), rows)[1].value)
    for rows, value in zip(seeds(change, n), found, strict=True):
        # The same sums in the order of another program; the residual of a median is 1e-5.
        np.testing.assert_allclose(value, alone(rows), rtol=1e-4, atol=1e-4)


def test_norms_of_a_replacement_are_computed_where_there_is_one(monkeypatch):
    runs = counting(monkeypatch, "rows.norms.lengths")
    call = jax.jit(jax.vmap(lambda rows: jnp.stack(row_norms(finite_rows(rows))[:1])))
    call(seeds(plain)).block_until_ready()
    jax.effects_barrier()
    assert runs == []
    found = call(seeds(bad))[:, 0]
    jax.effects_barrier()
    assert runs
    rows = np.float64(seeds(bad))
    rows[0, 1] = np.median(np.delete(rows[0], 1, axis=0), axis=0)
    np.testing.assert_allclose(found, np.linalg.norm(rows, axis=2), rtol=1e-6)


# ---- derivatives -------------------------------------------------------------------------------

SMOOTH = {
    "mean": aggregators.mean(),
    "krum": aggregators.krum(2),
    "nnm": aggregators.nnm(2, aggregators.trimmed_mean(2)),
    "clipping": aggregators.centered_clipping(20.0, 2),
    "weiszfeld": aggregators.smoothed_weiszfeld(2, 0.1),
    "arc": aggregators.arc(2, aggregators.mean()),
}


def zero(rows):
    """A row of length 0, which is where clipping starts from."""
    rows[4] = 0


def wide(rows):
    """Numbers of a size whose squares vanish beside others, in double precision."""
    rows[3] *= 1e160


def endless(rows):
    rows[6, 2] = -np.inf


CHANGES = [plain, wide, bad, endless, zero]


@pytest.mark.parametrize("d", [40, D], ids=["short", "long"])
@pytest.mark.parametrize("name", SMOOTH)
def test_rules_are_differentiated_in_both_directions(name, d):
    rule, n = SMOOTH[name], 9
    along, weights = (np.random.default_rng(i).normal(size=s) for i, s in enumerate([(n, d), d]))

    def loss(rows):
        return rule.apply(None, rule.init(d), rows)[1].value @ weights

    @jax.jit
    @jax.vmap
    def slopes(rows):
        forwards = jax.jvp(loss, (rows,), (jnp.asarray(along),))[1]
        h = 1e-7  # so that no order of numbers changes on the way
        apart = (loss(rows + h * along) - loss(rows - h * along)) / (2 * h)
        return jax.grad(loss)(rows), forwards, apart

    with jax.enable_x64(True):
        rows = np.random.default_rng(5).normal(size=(len(CHANGES), n, d))
        for change, some in zip(CHANGES, rows, strict=True):
            change(some)
        # Mapped, since then both ways are computed, and the wrong one must leave no trace.
        for some, backwards, forwards, apart in zip(rows, *slopes(rows), strict=True):
            np.testing.assert_allclose((backwards * along).sum(), forwards, rtol=1e-9)
            # Roundings of sums of a thousand numbers, 1e-15 of them, over h.
            tolerance = 1e-7 * np.abs(some[np.isfinite(some)]).max()
            np.testing.assert_allclose(forwards, apart, rtol=1e-6, atol=tolerance)
            rejected = ~np.isfinite(some).all(axis=1)
            assert (backwards[rejected] == 0).all()


BY_A_NUMBER = {
    "tau": lambda tau: aggregators.centered_clipping(tau, 2),
    "nu": lambda nu: aggregators.smoothed_weiszfeld(2, nu),
    "c": lambda c: aggregators.clip(c, aggregators.mean()),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", BY_A_NUMBER)
def test_rules_are_differentiated_by_their_numbers_and_states(name, change):
    rows = np.random.default_rng(5).normal(size=(9, D))
    change(rows)
    start = np.random.default_rng(6).normal(size=D)

    def loss(number, share):
        rule = BY_A_NUMBER[name](number)
        state = rule.init(D)
        state = share * jnp.asarray(start) if state is not None else None
        return rule.apply(None, state, rows)[1].value.sum()

    with jax.enable_x64(True):
        at = jnp.array([33.0, 0.5])  # as long as the rows are
        found = jax.jit(jax.grad(lambda at: loss(*at)))(at)
        for i, step in enumerate(1e-6 * np.eye(2)):
            apart = (loss(*(at + step)) - loss(*(at - step))) / 2e-6
            # Roundings of sums of numbers up to 33, 1e-14 of them, over 1e-6.
            np.testing.assert_allclose(found[i], apart, rtol=1e-6, atol=1e-6)
