"""Rounds in which Byzantine workers send what the protocol makes of their data, as it is."""

import jax
import numpy as np
import optax
import pytest

import jaxbyz as jb

pytestmark = pytest.mark.usefixtures("x64")
PROBLEM = jb.problems.quadratics(honest=3, byzantine=1, dimension=6, seed=1)
# A message with a mask of its own: encoded again, it would have another mask.
ALGORITHM = jb.br_csgd(
    compressor=jb.seeded_rand_k(k=2), optimizer=optax.sgd(0.1), aggregator=jb.mean()
)


def models(attack, rounds=4):
    simulation = jb.build(ALGORITHM, PROBLEM, attack)
    key = jax.random.key(0, impl="threefry2x32")
    state, _ = simulation.init(key, PROBLEM.init(key), simulation.data)
    step = jb.run(simulation.step, rounds, lambda state, info: state.server.x)
    return np.asarray(jax.jit(step)(key, state, simulation.data)[1])


def test_an_attack_that_waits_changes_nothing_before():
    honest, waiting = models(jb.no_attack()), models(jb.attacks.after(2, jb.sign_flip()))
    np.testing.assert_array_equal(waiting[:2], honest[:2])
    assert (waiting[2:] != honest[2:]).any(axis=1).all()


def test_one_of_several_is_that_one():
    attacks = [jb.no_attack(), jb.ipm(), jb.attacks.after(2, jb.sign_flip())]
    for i, attack in enumerate(attacks):
        # Another program: some roundings.
        np.testing.assert_allclose(
            models(jb.attacks.one_of(attacks, i)), models(attack), rtol=1e-12, atol=1e-15
        )
