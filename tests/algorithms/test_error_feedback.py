"""What error feedback is in special cases, and what its estimates are."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play, recorded

from jaxbyz import aggregators, algorithms, attacks, compressors, problems
from jaxbyz.algorithms import estimators
from jaxbyz.core import Oracle

KEY = jax.random.key(3)
HONEST, BYZANTINE, D, K, ROUNDS = 3, 1, 6, 2, 12
TOP = compressors.top_k(k=K)
COMMON = {"optimizer": optax.sgd(0.2), "aggregator": aggregators.coordinate_median(BYZANTINE)}

# Some hundreds of additions of float64 numbers of size one, in two orders.
ROUNDING = 1e-13


def quadratics(noise=1.0):
    return problems.quadratics(
        honest=HONEST,
        byzantine=BYZANTINE,
        dimension=D,
        hessian_spread=0.1,
        noise=noise,
        seed=1,
    )


def models_and_estimates(algorithm, noise=1.0):
    """[T, d], [T, n, d] of a run under sign flipping."""
    _, (states, _) = play(algorithm, quadratics(noise), attacks.sign_flip(), rounds=ROUNDS)(KEY)
    return states.server.x, states.server.estimates


def assert_close(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=ROUNDING)


# Special cases. Parameters are traced: one program for each method.

PAIRS = [(1.0, 1.0), (0.3, 1.0), (1.0, 0.3), (0.3, 0.6), (0.6, 0.3)]  # (η, β)
SINGLES = [1.0, 0.3]  # η


@pytest.fixture(scope="module")
def family():
    """Runs of every method: name -> (parameters -> models, estimates)."""
    settings = {"compressor": TOP, **COMMON}

    def runs():
        def two(make):
            return jax.vmap(
                lambda eta, beta: models_and_estimates(make(eta=eta, beta=beta, **settings))
            )(*np.array(PAIRS).T)

        def one(make):
            return jax.vmap(lambda eta: models_and_estimates(make(eta=eta, **settings)))(
                np.array(SINGLES)
            )

        return {
            "dm21": two(algorithms.byz_dm21),
            "vr": two(algorithms.byz_vr_dm21),
            "sgdm": one(algorithms.byz_ef21_sgdm),
            "storm": one(algorithms.byz_ef21_storm),
            "sgd": models_and_estimates(algorithms.byz_ef21_sgd(**settings)),
        }

    with jax.enable_x64(True):
        found = jax.jit(runs)()

    def run(name, *parameters):
        if not parameters:
            return found[name]
        place = PAIRS.index(parameters) if len(parameters) == 2 else SINGLES.index(parameters[0])
        return jax.tree.map(lambda leaf: leaf[place], found[name])

    return run


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (("dm21", 1.0, 1.0), ("sgd",)),
        (("dm21", 0.3, 1.0), ("sgdm", 0.3)),
        (("dm21", 1.0, 0.3), ("sgdm", 0.3)),
        # From equal starts an average of an average does not know which came first.
        (("dm21", 0.3, 0.6), ("dm21", 0.6, 0.3)),
        (("sgdm", 1.0), ("sgd",)),
        (("vr", 1.0, 1.0), ("sgd",)),
        (("vr", 1.0, 0.3), ("sgdm", 0.3)),
        (("vr", 0.3, 1.0), ("storm", 0.3)),
        (("storm", 1.0), ("sgd",)),
    ],
    ids=lambda case: " ".join(map(str, case)),
)
def test_a_weight_of_one_is_no_average(family, ours, theirs):
    assert_close(family(*ours), family(*theirs))


def test_methods_are_not_the_same_otherwise(family):
    """So that the test above compares something."""
    cases = [("dm21", 0.3, 0.6), ("vr", 0.3, 0.6), ("vr", 0.6, 0.3), ("sgdm", 0.3), ("storm", 0.3)]
    runs = [family(*case)[0] for case in [*cases, ("sgd",)]]
    for i, one in enumerate(runs):
        for other in runs[:i]:
            assert np.abs(one - other).max() > 0.01


def test_without_compression_the_mirror_is_the_estimate_and_the_method_is_robust_sgd(x64):
    """From g = 0, where nothing is sent at the start, also the first step is the same."""
    given = {"compressor": compressors.identity(), "start": None, **COMMON}
    ours, sgd, double = jax.jit(
        lambda: [
            play(algorithm, quadratics(), attacks.no_attack(), rounds=ROUNDS)(KEY)[1][0]
            for algorithm in (
                algorithms.byz_ef21_sgd(**given),
                algorithms.robust_sgd(**COMMON),
                algorithms.byz_dm21(eta=0.3, beta=0.6, **given),
            )
        ]
    )()
    np.testing.assert_allclose(ours.server.x, sgd.server.x, rtol=0, atol=ROUNDING)
    workers = double.workers
    np.testing.assert_allclose(
        workers.server_estimate, workers.estimator.average, rtol=0, atol=ROUNDING
    )
    assert np.abs(workers.server_estimate - workers.estimator.inner.average).max() > 0.01


def test_full_gradients_need_no_variance_reduction(x64):
    """Without noise v_i = ∇f_i(x) whatever η: VR is then momentum β, and Byz-EF21 for β = 1."""
    given = {"compressor": TOP, **COMMON}
    vr, sgdm, storm, ef21 = jax.jit(
        lambda: [
            models_and_estimates(algorithm, noise=0.0)
            for algorithm in (
                algorithms.byz_vr_dm21(eta=0.2, beta=0.6, **given),
                algorithms.byz_ef21_sgdm(eta=0.6, **given),
                algorithms.byz_ef21_storm(eta=0.2, **given),
                algorithms.byz_ef21(**given),
            )
        ]
    )()
    assert_close(vr, sgdm)
    assert_close(storm, ef21)


def test_the_error_of_storm_shrinks_by_one_minus_eta_and_takes_in_fresh_noise_only(x64):
    """e⁺ = (1-η) e + η ξ with additive noise ξ: moves of the model do not count."""
    eta, problem = 0.3, quadratics()
    algorithm = recorded(algorithms.byz_vr_dm21(eta=eta, compressor=TOP, **COMMON))
    start, (states, _) = jax.jit(play(algorithm, problem, attacks.alie(z=1.5), rounds=ROUNDS))(KEY)

    def errors(state, x):  # workers' state and the model at which they spoke -> [..., h, d]
        vectors = problem.vectors
        gradients = np.einsum("iab,...b->...ia", problem.matrices, x) - vectors
        return np.asarray(state.estimator.inner.estimate) - gradients

    first, keys = start[0].workers
    workers, later = states.workers
    spoken_at = np.asarray(workers.estimator.inner.previous)[:, 0]
    e = np.concatenate([errors(first, np.zeros(D))[None], errors(workers, spoken_at)])
    oracle = problem.oracle(jax.tree.map(lambda leaf: leaf[0], problem.data))
    noise = jax.vmap(jax.vmap(lambda key: oracle.draw(jax.random.split(key)[0])))(later)
    np.testing.assert_allclose(e[1:], (1 - eta) * e[:-1] + eta * noise, rtol=0, atol=ROUNDING)
    first_noise = jax.vmap(
        lambda key: oracle.draw(jax.random.split(jax.random.split(key)[0], 1)[0])
    )(keys)
    np.testing.assert_allclose(e[0], first_noise, rtol=0, atol=ROUNDING)
    assert np.abs(np.diff(spoken_at, axis=0)).max() > 0.05  # the model did move


def test_the_family_with_the_mean():
    """EF21's server aggregates by the mean, whatever is said."""
    rows = jnp.array([[1.0, 2.0, 3.0], [5.0, -4.0, 0.0], [0.0, 0.0, 99.0]])
    given = {"optimizer": optax.sgd(0.5), "compressor": compressors.identity()}
    family = (
        algorithms.ef21(**given),
        algorithms.ef21_sgdm(eta=0.5, **given),
        algorithms.ef21_sgd2m(eta=0.5, **given),
        algorithms.ef21_storm(eta=0.5, **given),
    )
    assert [each.name for each in family] == ["EF21", "EF21-SGDM", "EF21-SGD2M", "EF21-STORM"]
    for algorithm in family:
        state = algorithm.server.start(jnp.zeros(3), 3)
        broadcast = algorithm.server.broadcast(KEY, state)
        messages = jax.vmap(algorithm.codec.encode, (None, None, 0))(KEY, broadcast, rows)
        state, info = algorithm.server.step(KEY, state, broadcast, messages)
        assert info.aggregate.tolist() == [2.0, pytest.approx(-2 / 3), 34.0]
        assert np.array_equal(state.estimates, rows)


def one_worker(gradient_of, draw):
    return Oracle(lambda x: gradient_of(0.0, x), draw, gradient_of)


def test_the_first_estimate_is_the_mean_of_so_many_samples(x64):
    oracle = one_worker(lambda batch, x: batch * x, lambda key: jax.random.normal(key))
    x = jnp.array([1.0, -2.0])
    for size in (1, 4):
        samples = [oracle.draw(key) for key in jax.random.split(KEY, size)]
        for estimator in (
            estimators.sampled_gradient(size),
            estimators.storm(0.5, size),
            estimators.averaged(0.5, estimators.storm(0.5, size)),
        ):
            _, estimate = estimator.init(KEY, x, oracle)
            np.testing.assert_allclose(estimate, np.mean(samples) * x, rtol=1e-14)


def test_small_weights_keep_their_digits_in_float32():
    tiny = 1e-9  # 1 - tiny is 1 in float32
    oracle = one_worker(lambda batch, x: jnp.full(3, 7.0), lambda key: None)
    x = jnp.zeros(3)
    mean = estimators.averaged(tiny, estimators.sampled_gradient())
    _, average = mean.step(KEY, estimators.AveragedState((), x), x, oracle)
    np.testing.assert_allclose(average, tiny * 7.0, rtol=2e-7)  # two roundings of float32
    # v - s = -7 shrinks by 1-η: what is left of v+ is η 7.
    storm = estimators.storm(tiny)
    _, estimate = storm.step(KEY, estimators.StormState(x, x), x, oracle)
    np.testing.assert_allclose(estimate, tiny * 7.0, rtol=0, atol=4e-7)  # an ulp of 7
