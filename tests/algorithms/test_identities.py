"""What every algorithm is when something is switched off, and what it is on average, exactly."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play, recorded
from reference.algorithms import gradient_descent

from jaxbyz import aggregators, algorithms, attacks, compressors, problems, simulation
from jaxbyz.algorithms.byz_dasha_page import DashaWorkerState, PageBroadcast
from jaxbyz.algorithms.rosdhb import RoSDHBBroadcast
from jaxbyz.core import Oracle
from jaxbyz.messages import Dense, Seeded, SharedSupport

KEY = jax.random.key(3)

# Some tens of additions of float64 numbers of size one, in two orders.
ROUNDING = 1e-14


def honest_quadratics(**more):
    return problems.quadratics(honest=4, dimension=3, hessian_spread=0.2, seed=2, **more)


def full_gradient(problem):
    return lambda x: problem.matrices.mean(axis=0) @ x - problem.vectors.mean(axis=0)


# Everything switched off.


def test_rosdhb_without_compression_is_heavy_ball_and_gradient_descent(x64):
    """k = d and the mean; β = 0 is gradient descent. Step size and momentum are traced."""
    problem = honest_quadratics()
    pairs = np.array([(0.3, 0.0), (0.6, 0.0), (0.3, 0.9), (0.6, 0.5)])

    def models(gamma, beta):
        algorithm = algorithms.rosdhb(
            k=3, momentum=beta, optimizer=optax.sgd(gamma), aggregator=aggregators.mean()
        )
        return play(algorithm, problem, rounds=15)(KEY)[1][0].server.x

    ours = jax.jit(jax.vmap(models))(*pairs.T)
    for (gamma, beta), run in zip(pairs, ours, strict=True):
        theirs = gradient_descent(np.zeros(3), full_gradient(problem), gamma, 15, beta)
        np.testing.assert_allclose(run, theirs, rtol=0, atol=ROUNDING)


def test_robust_sgd_is_gradient_descent_and_momentum_zero_is_no_momentum(x64):
    problem = honest_quadratics()
    noisy = honest_quadratics(noise=1.0)

    def models(problem, **momentum):
        algorithm = algorithms.robust_sgd(
            optimizer=optax.sgd(0.3), aggregator=aggregators.mean(), **momentum
        )
        return play(algorithm, problem, rounds=15)(KEY)[1][0].server.x

    exact, plain, zero = jax.jit(
        lambda: (models(problem), models(noisy), models(noisy, momentum=0.0))
    )()
    theirs = gradient_descent(np.zeros(3), full_gradient(problem), 0.3, 15)
    np.testing.assert_allclose(exact, theirs, rtol=0, atol=ROUNDING)
    assert np.array_equal(plain, zero)


def test_dasha_without_compression_mirrors_gradients_and_is_gradient_descent(x64):
    """Also for p < 1, as additive noise cancels in a difference on one sample, and for any a.

    Probability, correction and step size are traced.
    """
    problem = honest_quadratics(noise=1.0)
    settings = np.array([(1.0, 1.0, 0.3), (0.5, 1.0, 0.3), (0.5, 0.2, 0.6)])

    def play_with(probability, correction, gamma):
        algorithm = algorithms.byz_dasha_page(
            compressor=compressors.identity(),
            probability=probability,
            correction=correction,
            optimizer=optax.sgd(gamma),
            aggregator=aggregators.mean(),
        )
        (first, _), (states, _) = play(algorithm, problem, rounds=15)(KEY)
        return first.server, states.server

    starts, servers = jax.jit(jax.vmap(play_with))(*settings.T)
    for i, (_, _, gamma) in enumerate(settings):
        models = np.concatenate([starts.x[i][None], servers.x[i]])  # the start steps too
        theirs = gradient_descent(np.zeros(3), full_gradient(problem), gamma, 16)
        np.testing.assert_allclose(models, theirs, rtol=0, atol=ROUNDING)
        gradients = np.einsum("iab,tb->tia", problem.matrices, models[:-1]) - problem.vectors
        np.testing.assert_allclose(servers.estimates[i], gradients, rtol=0, atol=ROUNDING)
        assert np.array_equal(starts.estimates[i], -problem.vectors)


def optional_momentum(**momentum):
    common = {"optimizer": optax.sgd(0.5), "aggregator": aggregators.mean()}
    return (
        algorithms.rosdhb(k=2, **momentum, **common),
        algorithms.robust_sgd(**momentum, **common),
    )


def momenta_after_one_round(rosdhb, robust_sgd, old, heard):
    """The server's momenta [n, 3] of RoSDHB, and one worker's of robust SGD, from the same past."""
    n, d = old.shape
    old, heard = jnp.asarray(old), jnp.asarray(heard)
    state = rosdhb.server.start(jnp.zeros(d), n)._replace(momenta=old)
    broadcast = RoSDHBBroadcast(jnp.zeros(d), jnp.array([2, 0]))
    server, _ = rosdhb.server.step(KEY, state, broadcast, SharedSupport(heard[:, [2, 0]]))
    oracle = Oracle(lambda x: heard[0], lambda key: None, lambda batch, x: heard[0])
    broadcast = robust_sgd.server.broadcast(KEY, robust_sgd.server.start(jnp.zeros(d), n))
    worker, message = robust_sgd.worker.step(KEY, old[0], broadcast, oracle)
    assert np.array_equal(worker, message.values)
    return server.momenta, worker


OLD = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -7.0]], np.float32)
HEARD = np.array([[5.0, 1.0, -1.0], [3.0, 9.0, 11.0]], np.float32)


def test_one_minus_momentum_is_momentum():
    by_momentum = momenta_after_one_round(*optional_momentum(momentum=0.75), OLD, HEARD)
    by_rest = momenta_after_one_round(*optional_momentum(one_minus_momentum=0.25), OLD, HEARD)
    for a, b in zip(by_momentum, by_rest, strict=True):
        assert np.array_equal(a, b)


def test_one_minus_momentum_keeps_its_digits_in_float32():
    tiny = 1e-9  # 1 - tiny is 1 in float32
    server, worker = momenta_after_one_round(
        *optional_momentum(one_minus_momentum=tiny), 0 * OLD, HEARD
    )
    # Two roundings of float32.
    np.testing.assert_allclose(worker, tiny * HEARD[0], rtol=2e-7)
    np.testing.assert_allclose(server[:, [0, 2]], tiny * 1.5 * HEARD[:, [0, 2]], rtol=2e-7)
    assert np.array_equal(server[:, 1], [0, 0])


def test_without_momentum_a_worker_forgets_a_gradient_that_overflowed():
    """Robust D-SGD has no memory: one infinite batch must not silence a worker for good."""
    algorithm = algorithms.robust_sgd(optimizer=optax.sgd(0.5), aggregator=aggregators.mean())
    broadcast = algorithm.server.broadcast(KEY, algorithm.server.start(jnp.zeros(3), 1))

    def said(state, gradient):
        oracle = Oracle(lambda x: gradient, lambda key: None, lambda batch, x: gradient)
        return algorithm.worker.step(KEY, state, broadcast, oracle)

    state, _ = algorithm.worker.init(KEY, broadcast, None)
    state, message = said(state, jnp.array([jnp.inf, 1.0, 2.0]))
    assert not np.isfinite(message.values).all()
    _, message = said(state, jnp.array([3.0, 1.0, 2.0]))
    assert message.values.tolist() == [3.0, 1.0, 2.0]


# Averages over masks, by enumeration of all masks.


def subsets(d, k):
    return np.array(list(itertools.combinations(range(d), k)))


def drift(momenta):
    """(1/h) Σ ‖m_i - m̄‖² over the last two axes [h, d]."""
    centred = momenta - momenta.mean(axis=-2, keepdims=True)
    return (centred**2).sum(axis=(-2, -1)) / momenta.shape[-2]


def rosdhb_round(algorithm):
    """(state, gradients [n, d], subset [k]) -> state: one round with a hand-made broadcast."""

    def round_of(state, gradients, subset):
        broadcast = RoSDHBBroadcast(state.x, subset)
        messages = SharedSupport(jnp.asarray(gradients)[:, subset])
        return algorithm.server.step(KEY, state, broadcast, messages)[0]

    return round_of


@pytest.mark.parametrize(("d", "k", "rounds"), [(3, 1, 4), (4, 2, 3), (3, 3, 2)])
def test_frozen_gradients_have_the_closed_forms(x64, d, k, rounds):
    """E Υ_t = ((1-β^t)² + ν_t) Δ and E ‖δ_t‖² = (β^{2t} + ν_t) ‖∇‖² for constant gradients.

    ν_t = (1-β)(d/k - 1)(1-β^{2t})/(1+β). The average is over all sequences of masks.
    """
    beta = 0.6
    gradients = np.random.default_rng(d).normal(size=(3, d))
    algorithm = algorithms.rosdhb(
        k=k, momentum=beta, optimizer=optax.sgd(0.1), aggregator=aggregators.mean()
    )
    start = algorithm.server.start(jnp.zeros(d), 3)
    advance = rosdhb_round(algorithm)

    def sequence(masks):  # [T, k] -> momenta [T, n, d]
        def body(state, subset):
            state = advance(state, gradients, subset)
            return state, state.momenta

        return jax.lax.scan(body, start, masks)[1]

    everything = np.array(list(itertools.product(subsets(d, k), repeat=rounds)))
    momenta = np.asarray(jax.jit(jax.vmap(sequence))(everything))  # [sequences, T, n, d]
    mean = gradients.mean(axis=0)
    for t in range(1, rounds + 1):
        after = momenta[:, t - 1]
        nu = (1 - beta) * (d / k - 1) * (1 - beta ** (2 * t)) / (1 + beta)
        expected_drift = ((1 - beta**t) ** 2 + nu) * drift(gradients)
        expected_deviation = (beta ** (2 * t) + nu) * mean @ mean
        deviation = ((after.mean(axis=1) - mean) ** 2).sum(axis=1)
        # Averages of at most 216 positive float64 numbers.
        np.testing.assert_allclose(drift(after).mean(), expected_drift, rtol=1e-13)
        np.testing.assert_allclose(deviation.mean(), expected_deviation, rtol=1e-13)


def test_one_round_of_rosdhb_on_average_over_masks(x64):
    """From any state: E m_i, E x with the mean, and the exact drift and deviation of one round."""
    n, d, k, beta, gamma = 3, 5, 2, 0.7, 0.3
    random = np.random.default_rng(0)
    x, old, gradients = random.normal(size=d), *random.normal(size=(2, n, d))
    algorithm = algorithms.rosdhb(
        k=k, momentum=beta, optimizer=optax.sgd(gamma), aggregator=aggregators.mean()
    )
    state = algorithm.server.start(jnp.asarray(x), n)._replace(momenta=jnp.asarray(old))
    advance = rosdhb_round(algorithm)
    after = jax.jit(jax.vmap(lambda mask: advance(state, gradients, mask)))(subsets(d, k))
    momenta, models = np.asarray(after.momenta), np.asarray(after.x)

    expected = beta * old + (1 - beta) * gradients
    np.testing.assert_allclose(momenta.mean(axis=0), expected, rtol=0, atol=ROUNDING)
    step = gamma * expected.mean(axis=0)
    np.testing.assert_allclose(models.mean(axis=0), x - step, rtol=0, atol=ROUNDING)

    fresh, ratio, mean = 1 - beta, d / k, gradients.mean(axis=0)
    product = ((old - old.mean(axis=0)) * (gradients - mean)).sum() / n
    expected_drift = beta**2 * drift(old) + 2 * beta * fresh * product
    expected_drift += fresh**2 * ratio * drift(gradients)
    np.testing.assert_allclose(drift(momenta).mean(), expected_drift, rtol=1e-13)  # 10 numbers
    remembered = old.mean(axis=0) - mean
    expected_deviation = beta**2 * remembered @ remembered + fresh**2 * (ratio - 1) * mean @ mean
    deviation = ((momenta.mean(axis=1) - mean) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(deviation, expected_deviation, rtol=1e-13)  # 10 numbers


def test_a_worker_of_dasha_sends_the_corrected_difference_on_average(x64):
    """E m_i = h⁺ - h - a (g - h) over all subsets, and g_i takes in what is sent."""
    d, k = 4, 2
    h, g, before, after = np.random.default_rng(1).normal(size=(4, d))
    oracle = Oracle(
        full=lambda x: 7 * x, draw=lambda key: jnp.array(100.0), grad=lambda batch, x: batch + 5 * x
    )
    masks = subsets(d, k)

    def step(mask, coin):
        by_hand = compressors.seeded_rand_k(k=k)._replace(
            compress=lambda key, x: Seeded(x[mask] * (d / k), mask, size=d)
        )
        algorithm = algorithms.byz_dasha_page(
            compressor=by_hand,
            probability=0.5,
            optimizer=optax.sgd(0.1),
            aggregator=aggregators.mean(),
        )
        state = DashaWorkerState(jnp.asarray(h), jnp.asarray(g), jnp.asarray(before))
        state, message = algorithm.worker.step(KEY, state, PageBroadcast(after, coin), oracle)
        return state, by_hand.decompress(message)

    run = jax.jit(jax.vmap(jax.vmap(step, (0, None)), (None, 0)))
    states, sent = run(masks, np.array([True, False]))  # leaves [coin, mask, ...]
    for coin, new in enumerate((7 * after, h + 5 * after - 5 * before)):
        wanted = new - h - (g - h) / (2 * (d / k - 1) + 1)
        np.testing.assert_allclose(sent[coin].mean(axis=0), wanted, rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(
            states.server_estimate[coin], g + sent[coin], rtol=0, atol=ROUNDING
        )
        np.testing.assert_allclose(
            states.estimate[coin], np.tile(new, (len(masks), 1)), rtol=0, atol=ROUNDING
        )
        assert (states.previous[coin] == after).all()


# Masks and coins.


def test_masks_of_rosdhb_are_common_fresh_and_differ_between_seeds():
    d, k, rounds, seeds = 16, 4, 20, 4
    problem = problems.quadratics(honest=3, dimension=d, seed=0)
    algorithm = recorded(
        algorithms.rosdhb(
            k=k, momentum=0.5, optimizer=optax.sgd(0.1), aggregator=aggregators.coordinate_median()
        )
    )
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds))  # neighbouring seeds on purpose
    _, (_, infos) = jax.jit(jax.vmap(play(algorithm, problem, rounds=rounds)))(keys)
    crossed = jax.tree.map(np.asarray, infos.server.details)
    subset, x = crossed["broadcast"].subset, crossed["broadcast"].x
    assert subset.min() >= 0
    assert subset.max() < d
    assert all(len(set(one)) == k for one in subset.reshape(-1, k))

    # Common: what every worker sent is its gradient at the broadcast's model on that subset.
    gradients = np.einsum("iab,stb->stia", problem.matrices, x) - problem.vectors
    expected = np.take_along_axis(gradients, subset[:, :, None, :], axis=-1)
    # Matrix products of float32 in two orders.
    np.testing.assert_allclose(crossed["messages"].values, expected, rtol=0, atol=1e-5)

    # Fresh: 1820 masks, 20 rounds; and no seed's sequence is another's or its own, shifted.
    masks = [[frozenset(mask) for mask in run.tolist()] for run in subset]
    for a, b in itertools.product(range(seeds), repeat=2):
        for shift in range(-rounds + 1, rounds):
            if a == b and shift == 0:
                continue
            equal = sum(
                masks[a][t] == masks[b][t + shift] for t in range(rounds) if 0 <= t + shift < rounds
            )
            # By chance alone 20/1820 coincidences per shift.
            assert equal <= 1
    assert len({mask for run in masks for mask in run}) > 0.9 * rounds * seeds


def test_masks_of_dasha_are_independent_and_the_coin_is_common():
    """Of honest workers and of liars, who do not choose theirs."""
    d, k, rounds, workers, probability = 5, 2, 600, 5, 0.3
    problem = problems.quadratics(honest=3, byzantine=2, dimension=d, seed=0)
    algorithm = recorded(
        algorithms.byz_dasha_page(
            compressor=compressors.seeded_rand_k(k=k),
            probability=probability,
            optimizer=optax.sgd(0.1),
            aggregator=aggregators.coordinate_median(),
        )
    )
    _, (_, infos) = jax.jit(play(algorithm, problem, constant(jnp.zeros(d)), rounds=rounds))(KEY)
    crossed = jax.tree.map(np.asarray, infos.server.details)
    chosen = np.zeros((rounds, workers, d), int)
    np.put_along_axis(chosen, crossed["messages"].indices, 1, axis=-1)
    assert (chosen.sum(axis=-1) == k).all()
    number = chosen @ 2 ** np.arange(d)  # [T, n], which of the ten masks
    # Frequencies of independent uniform choices: five standard deviations of a share of 600.
    for i, j in itertools.combinations(range(workers), 2):
        same = (number[:, i] == number[:, j]).mean()
        assert abs(same - 0.1) < 5 * (0.1 * 0.9 / rounds) ** 0.5
    for i in range(workers):  # of one round and the next
        same = (number[1:, i] == number[:-1, i]).mean()
        assert abs(same - 0.1) < 5 * (0.1 * 0.9 / rounds) ** 0.5
        share = np.unique(number[:, i], return_counts=True)[1] / rounds
        assert (abs(share - 0.1) < 5 * (0.1 * 0.9 / rounds) ** 0.5).all()
    coins = crossed["broadcast"].coin  # one for everybody, as a broadcast
    assert coins.shape == (rounds,)
    spread = 5 * (probability * (1 - probability) / rounds) ** 0.5
    assert abs(coins.mean() - probability) < spread


# What liars can do to a server: bits, the start, and numbers that arithmetic cannot hold.

HONEST, BYZANTINE, D, K = 4, 2, 6, 2
NAN_AT_ZERO = np.array([np.nan, 1, 1, 1, 1, 1], np.float32)
LIES = {
    "zero": np.zeros(D, np.float32),
    "threes": np.full(D, 3.0, np.float32),
    "NaN": np.full(D, np.nan, np.float32),
    "Inf": np.full(D, np.inf, np.float32),
    "-Inf": np.full(D, -np.inf, np.float32),
    "huge": np.full(D, 1e38, np.float32),
    "-huge": np.full(D, -1e38, np.float32),
    "NaN at 0": NAN_AT_ZERO,
}
BAD = ("NaN", "Inf", "-Inf")
ALGORITHMS = {
    "robust_sgd": lambda **common: algorithms.robust_sgd(**common),
    "robust_shb": lambda **common: algorithms.robust_sgd(momentum=0.5, **common),
    "rosdhb": lambda **common: algorithms.rosdhb(k=K, momentum=0.5, **common),
    "byz_dasha_page": lambda **common: algorithms.byz_dasha_page(
        compressor=compressors.seeded_rand_k(k=K), probability=0.5, **common
    ),
}


def actors(name):
    algorithm = ALGORITHMS[name](
        optimizer=optax.sgd(0.1), aggregator=aggregators.coordinate_median(BYZANTINE)
    )
    problem = problems.quadratics(
        honest=HONEST, byzantine=BYZANTINE, dimension=D, noise=0.5, seed=1
    )
    return recorded(algorithm), problem


def constant(lie):
    return attacks.forged("constant", lambda honest: lie)


def lied_to(name, rounds=6):
    """(lie [d], key) -> start, records, of an algorithm whose liars say one vector for ever."""
    algorithm, problem = actors(name)
    return lambda lie, key: play(algorithm, problem, constant(lie), rounds=rounds)(key)


@pytest.fixture(scope="module", params=ALGORITHMS)
def liars(request):
    """One program per algorithm: (name, {lie: (start, (states, infos))})."""
    lies = np.stack(list(LIES.values()))
    runs = jax.jit(jax.vmap(lied_to(request.param), (0, None)))(lies, KEY)
    return request.param, {name: entry(runs, i) for i, name in enumerate(LIES)}


def entry(tree, i):
    return jax.tree.map(lambda leaf: leaf[i], tree)


def same(a, b):
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def test_bits_of_a_round(liars):
    name, runs = liars
    start, (_, infos) = runs["threes"]
    up = {"rosdhb": K * 32, "byz_dasha_page": K * 32}.get(name, D * 32)
    down = {"rosdhb": D * 32 + 64, "byz_dasha_page": D * 32 + 1}.get(name, D * 32)
    assert infos.uplink.shape == (6, HONEST + BYZANTINE, 2)
    assert (np.asarray(infos.uplink) == [0, up]).all()
    assert (np.asarray(infos.downlink) == [0, down]).all()
    if name == "byz_dasha_page":
        assert start[1].uplink.tolist() == [[0, D * 32]] * (HONEST + BYZANTINE)
        assert start[1].downlink.tolist() == [0, down]
    else:
        assert start[1] is None


def test_start_of_dasha_is_dense_and_attacked():
    algorithm, problem = actors("byz_dasha_page")
    attack = attacks.forged("5 times the sum", lambda honest: 5 * honest.sum(axis=0))
    built = simulation.build(algorithm, problem, attack)
    state, info = jax.jit(built.init)(KEY, problem.init(KEY), built.data)
    messages = info.server.details["messages"]
    assert isinstance(messages, Dense)
    gradients = -problem.vectors  # at x = 0
    # Sums of four numbers of float32.
    np.testing.assert_allclose(messages.values[:HONEST], gradients, rtol=1e-6)
    lie = 5 * gradients.sum(axis=0)
    np.testing.assert_allclose(messages.values[HONEST:], [lie, lie], rtol=1e-5)
    assert np.array_equal(state.server.estimates, messages.values)
    assert np.array_equal(info.server.rows, messages.values)
    assert not info.server.rejected.any()
    step = 0.1 * np.asarray(info.server.aggregate)
    np.testing.assert_allclose(state.server.x, -step, rtol=1e-6)  # one rounding of float32


@pytest.mark.parametrize("lie", BAD)
def test_a_bad_message_is_a_message_of_zeros(liars, lie):
    """Nothing of it reaches model, momenta or estimates; exactly the liars are counted."""
    name, runs = liars
    start, (states, infos) = runs[lie]
    zero_start, (zero_states, zero_infos) = runs["zero"]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(states.server))
    assert same(states.server, zero_states.server)
    assert same(infos.server.rows, zero_infos.server.rows)
    assert same(infos.server.aggregate, zero_infos.server.aggregate)
    liars_only = [False] * HONEST + [True] * BYZANTINE
    assert infos.server.rejected.tolist() == [liars_only] * 6
    assert not zero_infos.server.rejected.any()
    assert same(infos.uplink, zero_infos.uplink)  # charged all the same
    if start[1] is not None:
        assert same(start[0].server, zero_start[0].server)
        assert start[1].server.rejected.tolist() == liars_only
    if name == "rosdhb":  # never heard of: the momenta stay at zero
        assert not states.server.momenta[:, HONEST:].any()
    if name == "byz_dasha_page":
        assert not states.server.estimates[:, HONEST:].any()


@pytest.mark.parametrize("lie", ["huge", "-huge"])
def test_a_huge_number_is_heard_and_held(liars, lie):
    """Six rounds of a third of the largest number: of estimates that add it up too."""
    _, runs = liars
    _, (states, infos) = runs[lie]
    assert not infos.server.rejected.any()
    for leaf in jax.tree.leaves((states.server, infos.server.rows)):
        assert np.isfinite(leaf).all()
    assert np.abs(infos.server.rows[:, HONEST:]).max() >= 1e38 / 4
    assert np.abs(states.server.x).max() < 10  # the median's


def test_a_lie_that_is_a_number_is_heard(liars):
    """So that the test above would see a server that hears nobody."""
    name, runs = liars
    _, (_, infos) = runs["threes"]
    assert not infos.server.rejected.any()
    said = np.asarray(infos.server.rows)[:, HONEST:]
    if name == "rosdhb":
        # Every round adds (1-β) (wanted on the mask): scaled by d/k neither twice nor never.
        heard = said - 0.5 * np.concatenate([0 * said[:1], said[:-1]])
        expected = np.zeros_like(heard)
        subset = np.asarray(infos.server.details["broadcast"].subset)
        np.put_along_axis(expected, np.repeat(subset[:, None], BYZANTINE, axis=1), 1.5, axis=-1)
        np.testing.assert_allclose(heard, expected, rtol=0, atol=1e-6)  # float32 of size 3
    elif name == "byz_dasha_page":
        heard = said - np.concatenate([np.full_like(said[:1], 3), said[:-1]])
        assert ((heard == 0).sum(axis=-1) == D - K).all()
        assert ((heard == 3).sum(axis=-1) == K).all()
    else:
        assert (said == 3).all()


def test_only_what_is_sent_is_judged(liars):
    """A NaN at one coordinate is bad in the rounds in which that coordinate is sent."""
    name, runs = liars
    _, (_, infos) = runs["NaN at 0"]
    bad = np.asarray(infos.server.rejected)
    crossed = infos.server.details
    if name == "rosdhb":
        sent = (np.asarray(crossed["broadcast"].subset) == 0).any(axis=-1)[:, None]
    elif name == "byz_dasha_page":
        sent = (np.asarray(crossed["messages"].indices)[:, HONEST:] == 0).any(axis=-1)
    else:
        sent = np.ones((6, 1), bool)
    assert np.array_equal(bad[:, HONEST:], np.broadcast_to(sent, (6, BYZANTINE)))
    assert not bad[:, :HONEST].any()
    assert sent.any()


@pytest.mark.parametrize("lie", ["NaN", pytest.param("huge", marks=pytest.mark.long)])
def test_eager_is_compiled(liars, lie):
    """One round, op by op."""
    name, runs = liars
    algorithm, problem = actors(name)
    built = simulation.build(algorithm, problem, constant(LIES[lie]))
    init_key, run_key = jax.random.split(KEY)
    state, _ = built.init(init_key, problem.init(init_key), built.data)
    state, info = built.step(jax.random.fold_in(run_key, 0), state, built.data)
    compiled, compiled_info = entry(runs[lie][1], 0)
    assert info.server.rejected.tolist() == compiled_info.server.rejected.tolist()
    assert same(info.uplink, compiled_info.uplink)
    for a, b in zip(
        jax.tree.leaves((state.server, info.server.rows)),
        jax.tree.leaves((compiled.server, compiled_info.server.rows)),
        strict=True,
    ):
        # Fused multiplications and additions round once instead of twice: float32 of size 3.
        np.testing.assert_allclose(a, b, rtol=1e-6 if lie == "huge" else 0, atol=1e-6)


# Hyper-parameters.

COMMON = {"optimizer": optax.sgd(0.1), "aggregator": aggregators.mean()}
HALF = compressors.seeded_rand_k(ratio=0.5)
WRONG = {
    "rosdhb momentum 1": lambda: algorithms.rosdhb(k=1, momentum=1.0, **COMMON),
    "rosdhb momentum -0.1": lambda: algorithms.rosdhb(k=1, momentum=-0.1, **COMMON),
    "rosdhb momentum NaN": lambda: algorithms.rosdhb(k=1, momentum=float("nan"), **COMMON),
    "rosdhb momentum text": lambda: algorithms.rosdhb(k=1, momentum="high", **COMMON),
    "rosdhb no momentum": lambda: algorithms.rosdhb(k=1, **COMMON),
    "rosdhb both momenta": lambda: algorithms.rosdhb(
        k=1, momentum=0.5, one_minus_momentum=0.5, **COMMON
    ),
    "rosdhb 1-momentum 0": lambda: algorithms.rosdhb(k=1, one_minus_momentum=0.0, **COMMON),
    "rosdhb 1-momentum 1.1": lambda: algorithms.rosdhb(k=1, one_minus_momentum=1.1, **COMMON),
    "rosdhb k 0": lambda: algorithms.rosdhb(k=0, momentum=0.9, **COMMON),
    "rosdhb k 1.5": lambda: algorithms.rosdhb(k=1.5, momentum=0.9, **COMMON),
    "rosdhb neither k nor ratio": lambda: algorithms.rosdhb(momentum=0.9, **COMMON),
    "rosdhb k and ratio": lambda: algorithms.rosdhb(k=1, ratio=0.5, momentum=0.9, **COMMON),
    "rosdhb ratio 0": lambda: algorithms.rosdhb(ratio=0.0, momentum=0.9, **COMMON),
    "rosdhb ratio 1.1": lambda: algorithms.rosdhb(ratio=1.1, momentum=0.9, **COMMON),
    "sgd momentum 1": lambda: algorithms.robust_sgd(momentum=1.0, **COMMON),
    "sgd momentum -0.1": lambda: algorithms.robust_sgd(momentum=-0.1, **COMMON),
    "sgd both momenta": lambda: algorithms.robust_sgd(
        momentum=0.5, one_minus_momentum=0.5, **COMMON
    ),
    "sgd 1-momentum 0": lambda: algorithms.robust_sgd(one_minus_momentum=0.0, **COMMON),
    "dasha probability 0": lambda: algorithms.byz_dasha_page(
        compressor=HALF, probability=0.0, **COMMON
    ),
    "dasha probability 1.1": lambda: algorithms.byz_dasha_page(
        compressor=HALF, probability=1.1, **COMMON
    ),
    "dasha correction 0": lambda: algorithms.byz_dasha_page(
        compressor=HALF, probability=0.5, correction=0.0, **COMMON
    ),
    "dasha correction 1.1": lambda: algorithms.byz_dasha_page(
        compressor=HALF, probability=0.5, correction=1.1, **COMMON
    ),
    "dasha top-k": lambda: algorithms.byz_dasha_page(
        compressor=compressors.top_k(k=1), probability=0.5, **COMMON
    ),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG)
def test_wrong_hyper_parameters_are_refused_at_construction(make):
    with pytest.raises(ValueError, match=r"must|give exactly one"):
        make()
