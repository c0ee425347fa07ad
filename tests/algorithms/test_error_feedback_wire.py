"""Error feedback on the wire: bits, estimates that agree, bad messages, placement, refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play, recorded
from algorithms.test_error_feedback import BYZANTINE, COMMON, HONEST, KEY, TOP, D, K, quadratics
from lengths import often
from simulation import test_placement as placed

from jaxbyz import aggregators, algorithms, attacks, compressors, simulation
from jaxbyz.algorithms.byz_dasha_page import DashaWorkerState
from jaxbyz.algorithms.error_feedback import ErrorFeedbackState
from jaxbyz.algorithms.estimates import EstimatesState
from jaxbyz.core import Oracle
from jaxbyz.problems import Problem

TOP_BITS = K * (32 + 3)


@pytest.mark.parametrize(
    ("start", "bits"),
    [
        (compressors.identity(), D * 32),
        (compressors.top_k(k=3), 3 * (32 + 3)),
        (compressors.scaled_sign(), 32 + D),
        (None, None),
    ],
    ids=["dense", "top-3", "signs", "zero"],
)
def test_bits_of_the_start_and_of_a_round(start, bits):
    algorithm = algorithms.byz_vr_dm21(eta=0.1, compressor=TOP, start=start, **COMMON)
    problem = quadratics()
    sim = simulation.build(algorithm, problem, attacks.sign_flip())

    def two(key):
        state, hello = sim.init(key, problem.init(key), sim.data)
        return state, hello, sim.step(key, state, sim.data)[1]

    state, hello, info = jax.jit(two)(KEY)
    if start is None:
        assert hello is None
        assert not state.server.estimates.any()
        assert not state.server.x.any()  # no step on nothing
        assert not state.workers.server_estimate.any()
        assert state.workers.estimator.average.any()
    else:
        assert hello.uplink.tolist() == [[0, bits]] * (HONEST + BYZANTINE)
        assert hello.downlink.tolist() == [0, D * 32]
    assert info.uplink.tolist() == [[0, TOP_BITS]] * (HONEST + BYZANTINE)
    assert info.downlink.tolist() == [0, D * 32]


COMPRESSORS = {
    "top-k": TOP,
    "rand-k": compressors.scaled(compressors.rand_k(k=K)),
    "ternary": compressors.scaled(compressors.ternary()),
    "signs": compressors.scaled_sign(),
    "natural": compressors.natural(),
}


@pytest.mark.parametrize("name", often(COMPRESSORS, list(COMPRESSORS)[:2]))
def test_both_ends_have_the_same_mirrors_bit_by_bit(name):
    """A difference of one ulp a round would never be corrected: nobody sees the other's copy."""
    algorithm = algorithms.byz_dm21(
        eta=0.3, compressor=COMPRESSORS[name], start=COMPRESSORS[name], **COMMON
    )
    game = play(algorithm, quadratics(), attacks.alie(z=1.5), rounds=100)
    (first, _), (states, _) = jax.jit(game)(KEY)
    assert np.array_equal(first.workers.server_estimate, first.server.estimates[:HONEST])
    estimates = states.server.estimates[:, :HONEST]
    assert np.array_equal(states.workers.server_estimate, estimates)
    assert np.abs(np.diff(estimates, axis=0)).max() > 0.01


def test_random_compressors_have_a_mask_for_every_worker_round_and_seed():
    algorithm = recorded(algorithms.byz_ef21(compressor=COMPRESSORS["rand-k"], **COMMON))
    game = play(algorithm, quadratics(), rounds=40)
    _, (_, infos) = jax.jit(jax.vmap(game))(jax.random.split(KEY, 2))
    masks = np.sort(infos.server.details["messages"].indices, axis=-1).reshape(-1, 4, K)
    # All 15 masks, and two workers have the same one in a share 1/15 of 80 rounds (five standard
    # deviations more).
    assert len(np.unique(masks.reshape(-1, K), axis=0)) == 15
    for i in range(4):
        for j in range(i):
            same = (masks[:, i] == masks[:, j]).all(axis=-1).mean()
            assert same < 1 / 15 + 5 * (1 / 15 / 80) ** 0.5


def overflowing():
    """Each sampled gradient of worker 0 is infinite by chance; the others' never is."""

    def oracle(chance):
        def draw(key):
            return jnp.where(jax.random.bernoulli(key, chance), jnp.inf, 0)

        return Oracle(lambda x: x - 1, draw, lambda batch, x: x - 1 + batch)

    return Problem(
        name="overflowing",
        honest=4,
        byzantine=0,
        dimension=3,
        data=jnp.array([0.3, 0.0, 0.0, 0.0]),
        test=None,
        oracle=oracle,
        init=lambda key: jnp.zeros(3),
        evaluators={},
    )


@pytest.mark.parametrize("name", ["top-k", "signs", "natural", "rand-k"])
def test_a_gradient_that_overflowed_enters_neither_mirror(name):
    """Its sender says nothing in that round, at both ends, and goes on."""
    algorithm = algorithms.byz_ef21_sgd(
        optimizer=optax.sgd(0.1),
        aggregator=aggregators.mean(),
        compressor=COMPRESSORS[name]
        if name != "rand-k"
        else compressors.scaled(compressors.rand_k(k=3)),
    )
    start, (states, infos) = jax.jit(play(algorithm, overflowing(), rounds=30))(KEY)
    first = start[0]
    assert not infos.server.rejected.any()
    bad = np.asarray(infos.faulty)
    assert bad[:, 0].any()
    assert not bad[:, 0].all()
    assert not bad[:, 1:].any()
    assert np.isfinite(states.server.estimates).all()
    assert np.array_equal(states.workers.server_estimate, states.server.estimates)
    assert np.array_equal(first.workers.server_estimate, first.server.estimates)
    kept = np.concatenate([first.server.estimates[None, 0], states.server.estimates[:, 0]])
    refused = np.diff(kept, axis=0)[bad[:, 0]]
    assert not refused.any()


def test_a_gradient_that_overflowed_enters_no_mirror_of_dasha_either():
    algorithm = algorithms.byz_dasha_page(
        optimizer=optax.sgd(0.1),
        aggregator=aggregators.mean(),
        compressor=compressors.rand_k(k=1),
        probability=0.3,
    )
    _, (states, infos) = jax.jit(play(algorithm, overflowing(), rounds=30))(KEY)
    assert not infos.server.rejected.any()
    bad = np.asarray(infos.faulty)
    assert bad[:, 0].any()
    assert not bad[:, 0].all()
    assert np.isfinite(states.workers.estimate).all()
    assert np.isfinite(states.workers.server_estimate).all()
    # The sender's product with d/k may be rounded together with the sum.
    np.testing.assert_allclose(
        states.workers.server_estimate, states.server.estimates, rtol=1e-5, atol=1e-6
    )


LIES = {"zero": 0.0, "NaN": np.nan, "Inf": np.inf, "huge": 1e38}


@pytest.fixture(scope="module")
def lied_to():
    """One program: {lie: (start, (states, infos))}."""
    algorithm = algorithms.byz_vr_dm21(eta=0.3, compressor=TOP, **COMMON)

    def game(lie):
        attack = attacks.forged("constant", lambda honest: lie)
        return play(algorithm, quadratics(), attack, rounds=5)(KEY)

    lies = np.array([np.full(D, lie, np.float32) for lie in LIES.values()])
    runs = jax.jit(jax.vmap(game))(lies)
    runs = jax.tree.map(np.asarray, runs)
    return {name: jax.tree.map(lambda leaf, i=i: leaf[i], runs) for i, name in enumerate(LIES)}


@pytest.mark.parametrize("lie", ["NaN", "Inf"])
def test_a_bad_message_is_a_message_of_zeros(lied_to, lie):
    (first, hello), (states, infos) = lied_to[lie]
    (zero_first, _), (zero_states, zero_infos) = lied_to["zero"]
    for ours, theirs in ((first, zero_first), (states, zero_states)):
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
            assert np.isfinite(a).all()
            assert np.array_equal(a, b)
    liars = [False] * HONEST + [True] * BYZANTINE
    assert hello.server.rejected.tolist() == liars
    assert infos.server.rejected.tolist() == [liars] * 5
    assert not zero_infos.server.rejected.any()
    assert not states.server.estimates[:, HONEST:].any()
    assert np.array_equal(states.workers.server_estimate, states.server.estimates[:, :HONEST])


def test_a_huge_message_is_heard_and_held(lied_to):
    _, (states, infos) = lied_to["huge"]
    assert not infos.server.rejected.any()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(states.server))
    assert (np.abs(states.server.estimates[:, HONEST:]).max(axis=-1) >= 1e38 * (1 - 1e-6)).all()
    assert np.array_equal(states.workers.server_estimate, states.server.estimates[:, :HONEST])


# Where it runs.


def spread_out(**how):
    algorithm = algorithms.byz_vr_dm21(
        eta=0.3, compressor=TOP, **(COMMON | {"aggregator": placed.COMMON["aggregator"]})
    )
    return simulation.build(algorithm, placed.quadratics(), attacks.no_attack(), **how)


def play_placed(sim, **how):
    return placed.game(sim.init, sim.step, **how)


@functools.cache
def on_one_device():
    sim = spread_out()
    return placed.result(play_placed(sim), sim.data)


@pytest.mark.parametrize("spread", often(["mesh", "pmap", "one by one"], ["mesh"]))
def test_where_workers_live_changes_nothing(spread):
    if spread == "one by one":
        sim = spread_out(map_workers=simulation.one_by_one)
        ours = placed.result(play_placed(sim), sim.data)
    else:
        sim = spread_out(placement=simulation.along_axis())
        over = {
            "mesh": functools.partial(simulation.over_mesh, mesh=placed.mesh()),
            "pmap": functools.partial(simulation.over_pmap, devices=placed.DEVICES),
        }[spread]
        game = play_placed(sim, spread=over)
        game = game if spread == "pmap" else jax.jit(game)
        ours = game(placed.INIT, placed.RUN, jnp.zeros(placed.DIMENSION), sim.data)
    placed.assert_same(jax.tree.map(np.asarray, ours), on_one_device())


def test_seeds_at_once_are_seeds_alone():
    sim = spread_out()
    keys = jnp.stack([placed.RUN, jax.random.key(5)])
    x = jnp.zeros(placed.DIMENSION)
    play_all = jax.jit(jax.vmap(play_placed(sim), (None, 0, None, None)))
    runs = play_all(placed.INIT, keys, x, sim.data)
    alone = on_one_device()
    for a, b in zip(jax.tree.leaves(runs), jax.tree.leaves(alone), strict=True):
        # A product of a matrix and a batch of vectors may be summed in another order: float32 of
        # size one, ten rounds of a contraction.
        np.testing.assert_allclose(a[0], b, rtol=0, atol=2e-5)
    assert not np.array_equal(runs[1][0].server.x[0], runs[1][0].server.x[1])


# Hyper-parameters.

GIVEN = {"compressor": TOP, **COMMON}
UNBIASED = {"compressor": compressors.rand_k(k=2), **COMMON}
WRONG = {
    "eta 0": (lambda: algorithms.byz_dm21(eta=0.0, **GIVEN), r"eta must lie in \(0, 1\]"),
    "eta 1.1": (lambda: algorithms.byz_dm21(eta=1.1, **GIVEN), r"eta must lie in \(0, 1\]"),
    "eta NaN": (lambda: algorithms.byz_ef21_sgdm(eta=float("nan"), **GIVEN), "eta must lie"),
    "eta text": (lambda: algorithms.byz_ef21_storm(eta="low", **GIVEN), "eta must be a number"),
    "beta 0": (lambda: algorithms.byz_dm21(eta=0.1, beta=0.0, **GIVEN), "beta must lie"),
    "beta 2": (lambda: algorithms.byz_vr_dm21(eta=0.1, beta=2.0, **GIVEN), "beta must lie"),
    "vr eta 0": (lambda: algorithms.byz_vr_dm21(eta=0.0, beta=0.5, **GIVEN), "eta must lie"),
    "batch 0": (
        lambda: algorithms.byz_dm21(eta=0.1, start_batch=0, **GIVEN),
        "start_batch must be an integer >= 1, got 0",
    ),
    "batch 1.5": (
        lambda: algorithms.byz_ef21_sgd(start_batch=1.5, **GIVEN),
        "start_batch must be an integer",
    ),
    "rand-k": (
        lambda: algorithms.byz_dm21(eta=0.1, **UNBIASED),
        "compressor must be contractive with a known alpha",
    ),
    "sign": (
        lambda: algorithms.byz_ef21(**(GIVEN | {"compressor": compressors.sign()})),
        "compressor must be contractive",
    ),
    "start rand-k": (
        lambda: algorithms.byz_ef21(start=compressors.rand_k(k=2), **GIVEN),
        "start must be contractive",
    ),
}


@pytest.mark.parametrize(("make", "message"), WRONG.values(), ids=WRONG)
def test_wrong_hyper_parameters_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("state", "old", "new"),
    [
        (EstimatesState(None, "g", None, None), "mirrors", "estimates"),
        (ErrorFeedbackState(None, "g"), "mirror", "server_estimate"),
        (DashaWorkerState(None, "g", None), "mirror", "server_estimate"),
    ],
)
def test_old_names_of_fields_are_there_for_one_release(state, old, new):
    with pytest.warns(DeprecationWarning, match=rf"{old} is now \w+\.{new}"):
        assert getattr(state, old) == getattr(state, new) == "g"
