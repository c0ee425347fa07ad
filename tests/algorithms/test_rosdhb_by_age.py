"""RoSDHB on the drawn coordinates alone: the same numbers as with all momenta faded in every round.

`by_rows` is the server that keeps momenta [n, d], `by_age` the one that keeps them as they were
when last drawn.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play
from lengths import often

import jaxbyz as jb
from jaxbyz import algorithms, attacks
from jaxbyz.algorithms.rosdhb import RoSDHBBroadcast, RoSDHBState
from jaxbyz.algorithms.rosdhb_by_age import AgedState, server_by_age
from jaxbyz.compressors import shared_mask
from jaxbyz.core import Oracle
from jaxbyz.messages import SharedSupport
from jaxbyz.problems import Problem

KEY = jax.random.key(3)
N, D, ROUNDS = 7, 12, 300
RULES = {
    "mean": jb.mean(),
    "trimmed mean": jb.trimmed_mean(2),
    "median": jb.coordinate_median(2),
    "lower median": jb.aggregators.lower_median(2),
    "MeaMed": jb.aggregators.meamed(2),
    "Phocas": jb.aggregators.phocas(2),
}
STEPS = optax.exponential_decay(0.1, transition_steps=20, decay_rate=0.9)
COMMON = {"optimizer": optax.sgd(STEPS), "aggregator": RULES["trimmed mean"]}


def by_age(k, fresh, **parts):
    """The algorithm with the server by age, whatever d is."""
    parts = COMMON | parts
    algorithm = algorithms.rosdhb(k=k, one_minus_momentum=fresh, **parts)
    optimizer, rule = parts["optimizer"], parts["aggregator"]
    server = server_by_age(optimizer, rule, shared_mask(k), fresh, algorithm.server.broadcast)
    return algorithm._replace(server=server)


def two_servers(k, fresh, **parts):
    by_rows = algorithms.rosdhb(k=k, one_minus_momentum=fresh, **COMMON | parts).server.by_rows
    return by_rows, by_age(k, fresh, **parts).server


def told(server, x, masks, values):
    """After every round, of given masks [T, k] and messages [T, n, k]: model, momenta, info."""

    def turn(state, given):
        mask, sent = given
        state, info = server.step(KEY, state, RoSDHBBroadcast(state.x, mask), SharedSupport(sent))
        return state, (state.x, state.momenta, info)

    return jax.lax.scan(turn, server.start(x, values.shape[1]), (masks, values))[1]


def masks_of(random, rounds, k):
    return np.stack([np.sort(random.permutation(D)[:k]) for _ in range(rounds)]).astype(np.int32)


def spoilt(values, random):
    """The last two workers send what harms, of every kind; others are rejected now and then.

    No two huge numbers are equal: where they cancel, rounding decides what is left.
    """
    largest = np.finfo(values.dtype).max
    kinds = [np.nan, np.inf, -np.inf, largest, -largest, largest / 99, 1e30, 1e-30, 0.0, 1e-40]
    values = values.copy()
    for t in range(0, len(values), 3):
        values[t, -2:] = kinds[(t // 3) % len(kinds)] * random.uniform(0.5, 1, values[t, -2:].shape)
        values[t, -1] *= -1
    values[1::7, 0] = np.nan
    values[5] = np.nan  # all of them
    return values


FRESH = np.array([1.0, 0.999, 0.5, 0.1, 1e-3, 1e-9], np.float32)


@pytest.mark.parametrize("k", [1, 3, D])
def test_both_servers_agree_whatever_is_sent(k):
    """Every β, from 0 to where float32 has no 1-β; huge and infinite numbers; k = 1 and k = d."""
    random = np.random.default_rng(k)
    masks = jnp.asarray(masks_of(random, ROUNDS, k))
    values = jnp.asarray(spoilt(random.normal(size=(ROUNDS, N, k)).astype(np.float32), random))
    x = jnp.asarray(random.normal(size=D), jnp.float32)
    both = jax.vmap(
        lambda fresh: [told(server, x, masks, values) for server in two_servers(k, fresh)]
    )
    rows, aged = jax.tree.map(np.asarray, jax.jit(both)(jnp.asarray(FRESH)))
    assert np.array_equal(rows[2].rejected, aged[2].rejected)
    assert rows[2].rejected[:, 5].all()
    assert np.array_equal(aged[1], aged[2].rows)
    # Some momenta are as large as numbers can be: every worker's are compared in its own unit.
    assert np.abs(rows[1]).max() > 1e36
    size = np.abs(rows[1]).max(axis=(1, 3), keepdims=True)
    # Between two draws there are some hundred times two roundings of momenta that fade, of 6e-8
    # each, where β is near 1; in the other server one of the exponent, and of its exponential.
    np.testing.assert_allclose(aged[1] / size, rows[1] / size, rtol=0, atol=5e-5)
    for one, other in ((rows[0], aged[0]), (rows[2].aggregate, aged[2].aggregate)):
        assert np.abs(one).max() < 100  # nothing huge comes through
        size = np.abs(one).max(axis=(1, 2), keepdims=True)
        np.testing.assert_allclose(other / size, one / size, rtol=0, atol=5e-5)


@pytest.mark.parametrize("rule", often(RULES, ("trimmed mean", "median")))
def test_every_rule_by_coordinate_gives_the_same(x64, rule):
    """And every optimiser: a step that is scheduled, and momenta of its own."""
    random = np.random.default_rng(11)
    rounds, k = 200, 3
    masks, values = masks_of(random, rounds, k), random.normal(size=(rounds, N, k))
    if rule != "mean":
        values = spoilt(values, random)
    x = jnp.asarray(random.normal(size=D))
    parts = {"aggregator": RULES[rule]}
    if rule == "median":
        parts["optimizer"] = optax.adam(0.1)
    both = jax.jit(lambda masks, values: [
        told(server, x, masks, values) for server in two_servers(k, 0.1, **parts)
    ])  # fmt: skip
    rows, aged = jax.tree.map(np.asarray, both(jnp.asarray(masks), jnp.asarray(values)))
    for one, other in ((rows[0], aged[0]), (rows[2].aggregate, aged[2].aggregate)):
        # Some hundred roundings of float64; Adam divides by roots of squares, which doubles them.
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-13 * np.abs(one).max() * 10)


ATTACKS = {
    attack.name: attack
    for attack in (attacks.alie(), attacks.sign_flip(), attacks.ipm(0.5), attacks.not_a_number())
}


@pytest.mark.parametrize("attack", often(ATTACKS, ("ALIE", "not a number")))
def test_runs_under_attack_are_the_same(attack):
    attack = ATTACKS[attack]
    problem = jb.problems.quadratics(honest=5, byzantine=2, dimension=D, seed=1)
    plain = algorithms.rosdhb(k=3, one_minus_momentum=0.1, **COMMON)
    both = jax.jit(lambda key: [
        play(algorithm, problem, attack, rounds=ROUNDS)(key)[1]
        for algorithm in (plain, by_age(3, 0.1))
    ])  # fmt: skip
    (rows, infos), (aged, aged_infos) = both(KEY)
    assert isinstance(rows.server, RoSDHBState)
    assert isinstance(aged.server, AgedState)
    # A descent, which forgets its errors: some roundings of float32 at a time.
    for one, other in (
        (rows.server.x, aged.server.x),
        (rows.server.momenta, jax.vmap(lambda state: state.momenta)(aged.server)),
        (infos.server.aggregate, aged_infos.server.aggregate),
    ):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-5 * np.abs(one).max())
    assert np.array_equal(infos.server.rejected, aged_infos.server.rejected)
    assert np.array_equal(infos.uplink, aged_infos.uplink)
    assert np.array_equal(infos.downlink, aged_infos.downlink)


def test_nothing_drifts_in_a_hundred_thousand_rounds():
    """In float32 beside float64, at β = 0.9 and 0.999: errors fade as momenta do."""
    rounds, period, k, n = 100_000, 97, 2, 3
    random = np.random.default_rng(5)
    masks = masks_of(random, period, k)
    values = random.normal(size=(period, n, k)) + 0.3
    parts = {"aggregator": jb.coordinate_median(1), "optimizer": optax.sgd(1e-3)}

    def last(server, dtype):
        given = jnp.asarray(masks), jnp.asarray(values, dtype)

        def turn(t, state):
            mask, wanted = (part[t % period] for part in given)
            sent = SharedSupport(state.x[mask] - wanted)  # gradients of ‖x - wanted‖²/2
            return server.step(KEY, state, RoSDHBBroadcast(state.x, mask), sent)[0]

        state = jax.lax.fori_loop(0, rounds, turn, server.start(jnp.zeros(D, dtype), n))
        return state.x, state.momenta

    def errors_of(found, exact):
        return [
            np.abs(one - other).max(axis=tuple(range(1, one.ndim))) / np.abs(other).max()
            for one, other in zip(found, exact, strict=True)
        ]

    fresh = np.array([0.1, 1e-3], np.float32)
    rows, aged = jax.jit(jax.vmap(lambda fresh: [
        last(server, jnp.float32) for server in two_servers(k, fresh, **parts)
    ]))(fresh)  # fmt: skip
    with jax.enable_x64(True):
        exact = jax.jit(
            jax.vmap(lambda fresh: last(two_servers(k, fresh, **parts)[0], jnp.float64))
        )(jnp.asarray(fresh, jnp.float64))
        exact = jax.tree.map(np.asarray, exact)
    # A model stays within some hundred roundings of 6e-8, since steps of 1e-3 draw it back; so do
    # momenta, which are differences to it.
    for found in (rows, aged):
        for error in errors_of(found, exact):
            assert (error < 3e-5).all()


def test_one_by_one_mapped_and_differentiated():
    """Eager = jit; one of many seeds = alone; the gradient of a round, which searches follow."""
    random = np.random.default_rng(6)
    masks, values = masks_of(random, 3, 5), random.normal(size=(3, 2, 3, 5)).astype(np.float32)
    parts = {"aggregator": jb.coordinate_median(1), "optimizer": optax.sgd(0.1)}
    rows, aged = two_servers(5, 0.25, **parts)

    def last(server, values):
        state = server.start(jnp.ones(D), 3)
        for mask, sent in zip(masks, values, strict=True):
            broadcast = RoSDHBBroadcast(state.x, jnp.asarray(mask))
            state, info = server.step(KEY, state, broadcast, SharedSupport(sent))
        return state.x, state.momenta, info.aggregate

    eager = last(aged, values[:, 0])
    alone, several = jax.jit(
        lambda values: (last(aged, values[:, 0]), jax.vmap(lambda one: last(aged, one), 1)(values))
    )(values)
    for one, other, many in zip(eager, alone, several, strict=True):
        # A few roundings, in another order.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)
        np.testing.assert_allclose(many[0], other, rtol=0, atol=1e-6)
    slopes = [
        jax.jit(jax.grad(lambda values, s=server: sum(part.sum() for part in last(s, values))))(
            values[:, 1]
        )
        for server in (rows, aged)
    ]
    assert np.abs(slopes[0]).max() > 0.1
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=0, atol=1e-6)


# ---- which of the two it is --------------------------------------------------------------------

LONG = 8192
NOT_BY_COORDINATE = "n d: the rule is not one by coordinate"
MIXED = jb.nnm(f=2, inner=RULES["trimmed mean"])


@pytest.mark.parametrize(
    ("rule", "d", "k", "work"),
    [
        (RULES["trimmed mean"], LONG, LONG // 10, "n k + d"),
        (jb.trimmed_mean(), LONG, 1, "n k + d"),  # f is that of the problem
        (RULES["trimmed mean"], LONG - 1, 1, "n d: d < 8192"),
        (RULES["trimmed mean"], LONG, LONG // 10 + 1, "n d: k > d/10"),
        (MIXED, LONG, 1, NOT_BY_COORDINATE),
        (jb.geometric_median(), LONG, 1, NOT_BY_COORDINATE),
        (jb.stateless(lambda rows: rows[0]), LONG, 1, NOT_BY_COORDINATE),
        (jb.stateless(lambda rows: rows[0], by_coordinate=True), LONG, 1, "n k + d"),
    ],
)
def test_the_server_is_chosen_by_rule_and_size_and_described(rule, d, k, work):
    algorithm = algorithms.rosdhb(k=k, momentum=0.9, **COMMON | {"aggregator": rule})
    seen = jb.describe(algorithm, d)
    assert seen.server_work == work
    state = jax.eval_shape(lambda x: algorithm.server.start(x, N), jnp.zeros(d))
    aged = work == "n k + d"
    assert isinstance(state, AgedState if aged else RoSDHBState)
    # Model, aggregate and rounds last drawn beside the momenta; and two numbers.
    numbers = 2 if aged else 0
    assert seen.server_memory == pytest.approx(3 if aged else 1, abs=(numbers + 0.5) / d)
    assert seen.server_memory_per_worker == 1
    some = jb.algorithms.partial_participation(algorithm, workers=5)
    assert jb.describe(some, d).server_work == "n d: partial participation"


def test_a_long_model_is_trained_as_with_rows():
    """Chosen by itself at d = 8192, under an attack; but with rows where some workers are asked."""
    centres = jnp.asarray(np.random.default_rng(1).normal(size=(5, LONG)), jnp.float32)

    def oracle(centre):  # of ‖x - centre‖²/2
        return Oracle(lambda x: x - centre, lambda key: (), lambda batch, x: x - centre)

    problem = Problem("centres", 5, 2, LONG, centres, None, oracle, lambda key: jnp.zeros(LONG), {})
    algorithm = algorithms.rosdhb(k=400, momentum=0.8, **COMMON)
    keeping = algorithm._replace(server=algorithm.server.by_rows)
    run = jax.jit(lambda key: [
        play(one, problem, attacks.alie(), rounds=20)(key)[1][0].server.x[-1]
        for one in (algorithm, keeping)
    ])  # fmt: skip
    aged, rows = run(KEY)
    assert np.abs(rows).max() > 0.1
    np.testing.assert_allclose(aged, rows, rtol=0, atol=1e-6)  # twenty steps of some roundings
    some = jb.algorithms.partial_participation(algorithm, workers=6)
    states = jax.eval_shape(lambda key: play(some, problem, rounds=3)(key)[1][0], KEY)
    assert isinstance(states.server.inner, RoSDHBState)
