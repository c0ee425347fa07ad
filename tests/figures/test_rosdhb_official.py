"""What the public code of RoSDHB does differently, against its definition in plain NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.core import View
from paper_figs.official import rosdhb as official
from paper_figs.setups import rosdhb_images


def trimmed(rows, f):
    ordered = np.sort(np.asarray(rows, np.float64), axis=0)
    return ordered[f : len(ordered) - f].mean(axis=0)


def view(honest, f):
    return View(jnp.int32(1), honest, None, None, None, None, None, f)


@pytest.fixture
def honest():
    return jax.random.normal(jax.random.key(3), (10, 6)) + 1.0


def searched(honest, f, vector):
    """The η that moves the trimmed mean most if one worker sends the vector."""
    honest = np.asarray(honest, np.float64)
    moved = [
        np.linalg.norm(trimmed(honest, f) - trimmed(np.vstack([honest, vector(eta)]), f))
        for eta in np.arange(1, 51) / 10
    ]
    return (np.argmax(moved) + 1) / 10


def test_the_search_adds_one_attacker_whatever_f(honest):
    mean = np.asarray(honest, np.float64).mean(axis=0)
    _, rows = official.foe_of_one_attacker().forge(jax.random.key(0), None, view(honest, 3))
    eta = searched(honest, 3, lambda eta: -eta * mean)
    np.testing.assert_allclose(rows, np.tile(-eta * mean, (3, 1)), rtol=1e-5)


def test_noise_called_alie(honest):
    key = jax.random.key(5)
    _, rows = official.noise_called_alie().forge(key, None, view(honest, 1))
    values = np.asarray(honest, np.float64)
    noise = np.sqrt(values.var(axis=0) + 1e-12) * np.asarray(jax.random.normal(key, (6,)))
    eta = searched(honest, 1, lambda eta: values.mean(axis=0) + eta * noise)
    np.testing.assert_allclose(rows[0], values.mean(axis=0) + eta * noise, rtol=1e-4)


def test_rescaled_again(honest):
    plain = official.foe_of_one_attacker()
    again = official.rescaled_again(plain, 0.1)
    rows = [attack.forge(jax.random.key(0), None, view(honest, 3))[1] for attack in (plain, again)]
    np.testing.assert_allclose(rows[1], 10 * rows[0], rtol=1e-6)
    assert again.name != plain.name


def test_a_trim_that_leaves_nothing_is_lowered(honest):
    np.testing.assert_allclose(official.trim(honest, 5), trimmed(honest, 4), rtol=1e-6)


def problem():
    return jb.problems.quadratics(honest=4, byzantine=1, dimension=6, seed=1)


def test_masks_depend_on_run_seed_plus_round_alone():
    rule = jb.trimmed_mean(f=1)

    def masks(run_seed, seed):
        plain = jb.rosdhb(ratio=0.5, momentum=0.5, optimizer=optax.sgd(0.1), aggregator=rule)
        algorithm = official.masks_by_run_seed(plain, run_seed)
        server, found = algorithm.server, []
        state = server.start(jnp.zeros(6), 5)
        for key in jax.random.split(jax.random.key(seed), 6):
            broadcast = server.broadcast(key, state)
            found.append(np.sort(np.asarray(broadcast.subset)).tolist())
            encode = functools.partial(algorithm.codec.encode, key, broadcast)
            messages = jax.vmap(encode)(jnp.ones((5, 6)))
            state, _ = server.step(key, state, broadcast, messages)
        return found

    first, second = masks(42, 0), masks(44, 1)
    assert first[2:] == second[:4]  # the masks of seed 44 are those of 42, two rounds earlier
    assert first != masks(60, 0)


def test_a_zero_start_sends_nothing_first():
    plain = jb.byz_dasha_page(
        compressor=jb.seeded_rand_k(ratio=0.5), probability=1.0, optimizer=optax.sgd(0.1),
        aggregator=jb.trimmed_mean(f=1),
    )  # fmt: skip
    history = jb.train(official.zero_start(plain), problem(), rounds=2, evaluate_every=1)
    assert history["uplink_bits"][0].tolist() == [0, 96, 192]
    assert history["loss"][0, 0] != history["loss"][0, 1]


def test_searched_alie_is_no_weaker_than_canonical_alie_of_the_grid():
    algorithm = jb.rosdhb(
        ratio=0.5, momentum=0.5, optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=1)
    )

    def damage(attack):
        simulation = jb.build(algorithm, problem(), attack)
        keys = jax.random.split(jax.random.key(0), 3)
        state, _ = simulation.init(keys[0], problem().init(keys[1]), simulation.data)
        _, info = simulation.step(keys[2], state, simulation.data)
        rows = info.server.rows
        return float(jnp.linalg.norm(info.server.aggregate - rows[:4].mean(axis=0)))

    best = damage(rosdhb_images.attack_of(rosdhb_images.ALIE_SEARCHED, 4, 1))
    assert best > 0
    for z in (1.0, 3.0):  # numbers of the list
        assert best >= damage(jb.alie(z=z)) * (1 - 1e-6)
