"""The neighbourhood κζ² is attained by every method of the family, whatever it compresses."""

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxbyz import algorithms, simulation
from jaxbyz.aggregators import kappa, trimmed_mean
from jaxbyz.attacks.closed_form.lower_bounds import tight_trimmed_mean
from jaxbyz.compressors import seeded_rand_k, top_k
from jaxbyz.theory.byz_dm21 import setting, theorem_1, worst_population

pytestmark = pytest.mark.usefixtures("x64")

N, F, D = 7, 2, 4
STEP = {"optimizer": optax.sgd(0.05), "aggregator": trimmed_mean(f=F)}
METHODS = {
    "Byz-EF21": algorithms.byz_ef21(compressor=top_k(k=2), **STEP),
    "Byz-EF21-SGDM": algorithms.byz_ef21_sgdm(compressor=top_k(k=2), eta=0.2, **STEP),
    "Byz-DM21": algorithms.byz_dm21(compressor=top_k(k=2), eta=0.2, **STEP),
    "Byz-DM21, k = 1": algorithms.byz_dm21(compressor=top_k(k=1), eta=0.2, **STEP),
    "Byz-VR-DM21": algorithms.byz_vr_dm21(compressor=top_k(k=2), eta=0.04, beta=0.2, **STEP),
    "Byz-VR-MARINA": algorithms.byz_vr_marina(
        compressor=seeded_rand_k(k=2), probability=0.3, **STEP
    ),
    "Byz-DASHA-PAGE": algorithms.byz_dasha_page(
        compressor=seeded_rand_k(k=2), probability=0.3, **STEP
    ),
}


def squared_gradient(algorithm, problem, rounds):
    sim = simulation.build(algorithm, problem, tight_trimmed_mean())

    @jax.jit
    def run(key):
        state, _ = sim.init(key, problem.init(key), sim.data)
        last, _ = simulation.run(sim.step, rounds, lambda *both: None)(key, state, sim.data)
        return ((last.server.x - jnp.asarray(problem.optimum)) ** 2).sum()

    return float(run(jax.random.key(0)))


@pytest.mark.parametrize(
    "name",
    [
        n if n in {"Byz-DM21", "Byz-VR-DM21"} else pytest.param(n, marks=pytest.mark.long)
        for n in METHODS
    ],
)
def test_the_floor_is_kappa_zeta_squared(name):
    problem = worst_population(N, F, D)
    floor = kappa(trimmed_mean(f=F), N, F).exact * problem.heterogeneity
    assert floor == pytest.approx(D)
    # The transient shrinks by at least 1-0.01 a round.
    assert squared_gradient(METHODS[name], problem, 1000) == pytest.approx(floor, rel=0.01)


def test_the_guarantee_has_a_floor_not_below():
    problem = worst_population(N, F, D)
    point = setting(problem, trimmed_mean(f=F), top_k(k=2))
    for theta in (0.01, 1.0):
        promise = theorem_1(point, eta=0.2, theta=theta)
        assert promise.floor == pytest.approx((1 + theta) ** 2 * D)
        assert promise.noise == 0
