"""Hyper-parameters from theory: one line to an algorithm, bounds that hold, bad arguments."""

import jax
import jax.numpy as jnp
import pytest

import jaxbyz as jb
from jaxbyz import simulation
from jaxbyz.theory.byz_dm21 import (
    LinearGuarantee,
    Setting,
    certify,
    corollary_1,
    corollary_2,
    corollary_3,
    setting,
    theorem_1,
    theorem_2,
    theorem_3,
    theorem_4,
)
from jaxbyz.theory.byz_dm21.simplified import (
    corollary_bound_1,
    corollary_bound_2,
    corollary_bound_3,
)

POINT = Setting(0.1, 0.25, 8, 1.0, 2.0, 0.5, 1.0, 1.0)
QUIET = POINT._replace(noise_variance=0.0)
COROLLARIES = [
    (corollary_1, corollary_bound_1),
    (corollary_2, corollary_bound_2),
    (corollary_3, corollary_bound_3),
]
pairs = pytest.mark.parametrize(("make", "stated"), COROLLARIES)


@pairs
@pytest.mark.parametrize("point", [POINT, QUIET, POINT._replace(sample_smoothness=0.0)])
def test_a_corollary_keeps_its_closed_form(make, stated, point):
    for rounds in (1, 1000, 10**7):
        promise = make(point, rounds=rounds, gap=3.0)
        assert promise.start_batch >= 1 / (promise.eta**2 * rounds) * (1 - 1e-9)
        assert promise.bound(rounds, 3.0) <= stated(point, rounds, 3.0) * (1 + 1e-12)


def test_rounds_inverts_the_bound():
    for promise in (
        theorem_1(POINT, eta=0.01),
        theorem_2(POINT, eta=0.001, beta=0.1),
        theorem_3(POINT, mu=0.1, eta=0.01),
        theorem_4(POINT, mu=0.1, eta=0.01, beta=0.3),
    ):
        epsilon = 1.5 * (promise.floor + promise.noise)
        rounds = promise.rounds(epsilon, gap=100.0)
        assert promise.bound(rounds, 100.0) <= epsilon * (1 + 1e-9)
        assert rounds == 1 or promise.bound(rounds - 1, 100.0) > epsilon * (1 - 1e-9)
        bits = promise.uplink_bits(epsilon, 100.0, jb.top_k(k=3), dimension=1000)
        assert bits == rounds * 3 * (32 + 10) + 32 * 1000
        with pytest.raises(ValueError, match="epsilon must lie in"):
            promise.rounds(promise.floor, gap=1.0)


def test_the_accelerated_rate_is_better_in_the_end():
    """Two parameters gain a power: the ratio of the bounds grows as T^(1/6)."""
    quiet = POINT._replace(heterogeneity=0.0)
    gain = [
        corollary_3(quiet, rounds=t, gap=1.0).bound(t, 1.0)
        / corollary_2(quiet, rounds=t, gap=1.0).bound(t, 1.0)
        for t in (10**12, 10**15)
    ]
    assert gain[1] / gain[0] == pytest.approx(10**0.5, rel=0.05)


def test_certify_finds_the_theorem_and_the_best_theta():
    promise = certify(POINT, recursive=True, step_size=1e-4, eta=0.01, beta=0.1)
    assert promise.theorem == "Theorem 2"
    assert promise.step_size == 1e-4
    best = promise.floor + promise.noise
    for theta in (0.3, 1.0):
        other = theorem_2(POINT, eta=0.01, beta=0.1, theta=theta)
        assert best <= (other.floor + other.noise) * 1.001
    # Without noise only the floor is left, and a smaller step allows a smaller neighbourhood.
    floors = [
        certify(QUIET, recursive=False, step_size=step, eta=0.1).floor
        for step in (1.5e-3, 1e-3, 5e-4)
    ]
    assert 4 * 0.25 > floors[0] > floors[1] > floors[2] > 0.25
    linear = certify(POINT, recursive=False, step_size=1e-4, eta=0.1, mu=0.01)
    assert isinstance(linear, LinearGuarantee)
    assert linear.theorem == "Theorem 3"


def test_certify_says_none_beyond_every_theorem():
    assert certify(POINT, recursive=False, step_size=1.0, eta=0.1) is None
    assert certify(POINT._replace(growth=5.0), recursive=True, step_size=1e-6, eta=0.1) is None


BAD = {
    "eta": lambda: theorem_1(POINT, eta=0.0),
    "beta": lambda: theorem_2(POINT, eta=0.1, beta=1.5),
    "theta": lambda: theorem_1(POINT, eta=0.1, theta=0.0),
    "step_size": lambda: theorem_1(POINT, eta=0.1, step_size=1.0),
    "start_batch": lambda: theorem_1(POINT, eta=0.1, start_batch=0),
    "mu": lambda: theorem_3(POINT, mu=2.0, eta=0.1),
    "growth": lambda: corollary_1(POINT._replace(growth=0.1), rounds=10, gap=1.0),
    "rounds": lambda: corollary_2(POINT, rounds=0, gap=1.0),
    "gap": lambda: corollary_3(POINT, rounds=10, gap=0.0),
    "alpha": lambda: theorem_1(POINT._replace(alpha=0.0), eta=0.1),
    "kappa": lambda: theorem_1(POINT._replace(kappa=-1.0), eta=0.1),
    "mean_square_smoothness": lambda: theorem_1(
        POINT._replace(mean_square_smoothness=0.5), eta=0.1
    ),
    "Theorem 1": lambda: theorem_1(POINT._replace(growth=1.0), eta=0.1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name):
    with pytest.raises(ValueError, match=name):
        BAD[name]()


def test_constants_of_a_problem():
    problem = jb.problems.quadratics(honest=8, byzantine=2, dimension=10, noise=0.5)
    point = setting(problem, jb.trimmed_mean(f=2), jb.top_k(k=2))
    assert point.kappa == pytest.approx(1 / 3)
    assert (point.alpha, point.honest, point.noise_variance) == (0.2, 8, 0.25)
    with pytest.raises(ValueError, match="alpha"):
        setting(problem, jb.trimmed_mean(f=2), jb.rand_k(k=2))
    with pytest.raises(ValueError, match="kappa"):
        setting(problem, jb.cge(f=2), jb.top_k(k=2))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("recursive", [pytest.param(False, marks=pytest.mark.long), True])
def test_one_line_from_a_guarantee_to_an_algorithm_whose_run_keeps_the_bound(recursive):
    """A smoke test: a bound evaluated on one problem is not how a theorem is checked."""
    problem = jb.problems.quadratics(honest=8, byzantine=2, dimension=5, noise=1.0)
    rule, compressor, rounds = jb.trimmed_mean(f=2), jb.top_k(k=2), 2000
    corollary = corollary_2 if recursive else corollary_1
    make = jb.byz_vr_dm21 if recursive else jb.byz_dm21
    optimum, mean = jnp.asarray(problem.optimum), jnp.asarray(problem.matrices.mean(axis=0))
    gap = float(optimum @ mean @ optimum) / 2
    promise = corollary(setting(problem, rule, compressor), rounds=rounds, gap=gap)
    algorithm = make(**promise.arguments(), aggregator=rule, compressor=compressor)
    sim = simulation.build(algorithm, problem, jb.alie(z=1.5))

    @jax.jit
    def average(key):
        state, _ = sim.init(key, problem.init(key), sim.data)

        def look(state, info):
            return ((mean @ (state.server.x - optimum)) ** 2).sum()

        _, squares = simulation.run(sim.step, rounds, look)(key, state, sim.data)
        return squares.mean()

    assert float(average(jax.random.key(0))) <= promise.bound(rounds, gap)
