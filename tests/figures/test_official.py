"""Deviations of published code: each does what its description says, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from paper_figs.official import common, dm21, marina

HONEST = 3


def problem():
    return jb.problems.quadratics(honest=HONEST, byzantine=1, dimension=4, seed=1)


def rounds_of(algorithm, count=3, attack=None):
    """States before and after every round, and what the round was."""
    simulation = jb.build(algorithm, problem(), attack)
    key = jax.random.key(3)
    state, _ = simulation.init(key, jnp.ones(4), simulation.data)
    seen = []
    for i in range(count):
        after, info = simulation.step(jax.random.fold_in(key, i), state, simulation.data)
        seen.append((state, after, info))
        state = after
    return seen


def sgd(make, **options):
    return make(optimizer=optax.sgd(0.1), aggregator=jb.mean(), **options)


def test_same_masks_are_those_of_all_workers_and_change():
    plain = sgd(jb.br_csgd, compressor=jb.seeded_rand_k(k=2))
    attack = jb.forged("ones", lambda honest: jnp.ones(4))
    kept = [
        np.asarray(i.server.rows) != 0 for *_, i in rounds_of(common.same_masks(plain), 4, attack)
    ]
    for mask in kept:
        assert (mask == mask[0]).all()
        assert mask[0].sum() == 2
    assert len({mask[0].tobytes() for mask in kept}) > 1
    own = [np.asarray(i.server.rows) != 0 for *_, i in rounds_of(plain, 4, attack)]
    assert any((mask != mask[0]).any() for mask in own)


def test_coins_by_the_clock_are_one_at_beginnings_of_epochs():
    made = sgd(jb.byz_vr_marina, compressor=jb.seeded_rand_k(k=1), probability=0.5)
    seen = rounds_of(common.coin_by_clock(made, 3), 7)
    bits = [int(info.uplink[0, 1]) for *_, info in seen]
    assert bits == [128, 32, 32, 128, 32, 32, 128]
    with pytest.raises(ValueError, match="algorithm must have a coin"):
        common.coin_by_clock(sgd(jb.robust_sgd), 3)


def test_what_keeps_the_rest_is_nine_times_too_large():
    compressor = marina.keeps_the_rest(0.1)
    keys = jax.random.split(jax.random.key(1), 400)
    x = jnp.arange(1.0, 21.0)
    found = jax.vmap(lambda key: compressor.decompress(compressor.compress(key, x)))(keys)
    assert ((np.asarray(found) == 0).sum(axis=1) == 2).all()
    # A coordinate's mean of 400 has a deviation of 10 √(0.09/400) = 0.15 times it.
    np.testing.assert_allclose(found.mean(axis=0), 9 * x, rtol=0.1)


def test_frozen_estimates_stay_those_of_the_start():
    made = sgd(jb.byz_ef21_sgdm, compressor=jb.top_k(k=1), eta=0.5)
    for before, after, info in rounds_of(dm21.frozen_estimates(made)):
        np.testing.assert_array_equal(after.server.estimates, before.server.estimates)
        moved = np.asarray(info.server.rows) - np.asarray(before.server.estimates)
        assert ((moved != 0).sum(axis=1) <= 1).all()
    assert any((b.server.estimates != a.server.estimates).any() for b, a, _ in rounds_of(made))


def test_borrowed_estimates_are_the_last_honest_ones():
    made = dm21.borrowed_estimates(sgd(jb.byz_ef21, compressor=jb.top_k(k=1)), HONEST)
    silent = jb.forged("silence", lambda honest: jnp.zeros(4))
    for before, _, info in rounds_of(made, attack=silent):
        np.testing.assert_array_equal(info.server.rows[HONEST], before.server.estimates[HONEST - 1])


def test_the_double_momentum_of_the_code_is_recursive():
    arguments = {"compressor": jb.top_k(k=1), "eta": 0.25}
    coded = sgd(dm21.double_momentum_as_coded, dense_start=True, **arguments)
    seen, known = rounds_of(coded), rounds_of(sgd(jb.byz_vr_dm21, beta=0.25, **arguments))
    np.testing.assert_array_equal(seen[-1][1].server.x, known[-1][1].server.x)
    assert sgd(dm21.double_momentum_as_coded, dense_start=False, **arguments).hello is None


def test_declared_constants_give_the_steps_of_the_code():
    rand = jb.seeded_rand_k(k=1)
    assert 1 / (1 + dm21.declared(rand, dm21.DIANA_OMEGA).omega(123)) == 1 / 100
    assert 1 / (2 * dm21.declared(rand, dm21.DASHA_OMEGA).omega(123) + 1) == 1 / 201


@pytest.mark.parametrize("byzantine", [8, 9])
def test_the_division_over_all_workers_leaves_the_honest_ones_without_two_classes(byzantine):
    labels = np.repeat(np.arange(10), 200)
    rows = dm21.label_sorted_over_all(labels, 20, seed=0)
    assert rows.shape == (20, 100)
    assert len(np.unique(rows)) == 2000
    held = np.unique(labels[rows[: 20 - byzantine]])
    assert set(held) == set(range(10)) - {3, 4}
    for i, row in enumerate(labels[rows]):
        assert set(row[row < 5]) == {i // 4}
