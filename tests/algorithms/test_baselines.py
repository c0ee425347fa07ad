"""The baselines: the runs of plain loops, what they are in special cases, bits, bad numbers."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play, recorded
from reference import aggregators as rules
from reference import algorithms as plain
from reference import baselines as reference

from jaxbyz import aggregators, algorithms, attacks, compressors
from jaxbyz.core import Oracle
from jaxbyz.messages import Dense, Masked, Seeded, bit_words, either
from jaxbyz.problems import Problem

KEY = jax.random.key(5)
HONEST, BYZANTINE, D, K, SAMPLES, BATCH, ROUNDS = 5, 2, 6, 2, 4, 2, 30
N = HONEST + BYZANTINE
GAMMA, BETA, PROBABILITY, RATE = 0.1, 0.7, 0.4, 0.25  # RATE < K/D

# Both sides add the same few hundred float64 numbers of size one, in another order.
EQUAL = 1e-12
DIFFERENT = 1e-3  # the mutant that is least wrong

RANDK, TOP = compressors.seeded_rand_k(k=K), compressors.top_k(k=K)
COMMON = {
    "optimizer": optax.sgd(GAMMA),
    "aggregator": aggregators.trimmed_mean(BYZANTINE),
}
_random = np.random.default_rng(1)
_half = _random.normal(size=(HONEST, SAMPLES, D, D)) / D**0.5
MATRICES = _half @ _half.transpose(0, 1, 3, 2)
VECTORS = _random.normal(size=(HONEST, SAMPLES, D))


def finite_sums(byzantine=BYZANTINE, batch=BATCH):
    """Quadratics of which a draw names some by their numbers, [b]; all of them without a batch."""

    def oracle(local):
        matrices, vectors = local  # [m, d, d], [m, d]

        def grad(indices, x):
            return (matrices[indices] @ x - vectors[indices]).mean(axis=0)

        return Oracle(
            full=lambda x: grad(jnp.arange(SAMPLES), x),
            draw=lambda key: (
                jax.random.randint(key, (batch,), 0, SAMPLES) if batch else jnp.arange(SAMPLES)
            ),
            grad=grad,
        )

    return Problem(
        name="finite sums",
        honest=HONEST,
        byzantine=byzantine,
        dimension=D,
        data=(jnp.asarray(MATRICES), jnp.asarray(VECTORS)),
        test=None,
        oracle=oracle,
        init=lambda key: jnp.ones(D),
        evaluators={},
    )


def sampled(i, indices, x):
    return np.mean([MATRICES[i, j] @ x - VECTORS[i, j] for j in indices], axis=0)


def gradient(i, x):
    return sampled(i, range(SAMPLES), x)


def aggregate(rows):
    return rules.trimmed_mean(rows, BYZANTINE)


# name -> the library's, the reference's loop and its own arguments, which memory both show
CASES = {
    "csgd": (
        algorithms.br_csgd(compressor=RANDK, **COMMON),
        "br_csgd",
        {},
        lambda states, infos: infos.server.rows,
    ),
    "local": (
        algorithms.rosdhb_local(compressor=RANDK, momentum=BETA, **COMMON),
        "br_csgd",
        {"beta": BETA},
        lambda states, infos: states.server.momenta,
    ),
    "ef14": (
        algorithms.byz_ef14(compressor=TOP, **COMMON),
        "byz_ef14",
        {},
        lambda states, infos: states.workers[0],
    ),
    "diana": (
        algorithms.br_diana(compressor=RANDK, **COMMON),
        "br_diana",
        {"a": K / D},
        lambda states, infos: states.server.shifts,
    ),
    "broadcast": (
        algorithms.broadcast_saga(compressor=RANDK, samples=SAMPLES, rate=RATE, **COMMON),
        "br_diana",
        {"a": RATE, "m": SAMPLES},
        lambda states, infos: states.server.shifts,
    ),
    "marina": (
        algorithms.byz_vr_marina(compressor=RANDK, probability=PROBABILITY, **COMMON),
        "byz_vr_marina",
        {"synchronised": True},
        lambda states, infos: infos.server.rows,
    ),
    "marina, no sync": (
        algorithms.byz_vr_marina_no_sync(compressor=RANDK, probability=PROBABILITY, **COMMON),
        "byz_vr_marina",
        {"synchronised": False},
        lambda states, infos: states.server.estimates,
    ),
}


@functools.cache
def played():
    """All runs in float64, in one program: what was drawn, and what the runs went through."""
    with jax.enable_x64(True):
        problem = finite_sums()
        oracle = problem.oracle(jax.tree.map(lambda leaf: leaf[0], problem.data))
        draw = jax.vmap(jax.vmap(lambda key: oracle.draw(jax.random.split(key)[0])))

        def run(algorithm, memory):
            game = play(recorded(algorithm), problem, attacks.sign_flip(), rounds=ROUNDS)
            start, (states, infos) = game(KEY)
            found = {
                "models": states.server.x,
                "memories": memory(states, infos),
                "samples": draw(states.workers[1]),
                "workers": states.workers[0],
                "broadcast": infos.server.details["broadcast"],
                "messages": infos.server.details["messages"],
                "uplink": infos.uplink,
                "downlink": infos.downlink,
            }
            if start[1] is not None:
                found["models"] = jnp.concatenate([start[0].server.x[None], found["models"]])
                first = start[1].server.rows
                found["memories"] = jnp.concatenate([first[None], found["memories"]])
                found["start"] = start[1].uplink
            return found

        return jax.tree.map(
            np.asarray,
            jax.jit(lambda: {name: run(case[0], case[3]) for name, case in CASES.items()})(),
        )


def by_hand(name, loop=None):
    """The NumPy run with the same draws: models, memories."""
    _, function, own, _ = CASES[name]
    run = played()[name]
    messages = run["messages"]
    if name == "ef14":

        def compress(t, i, vector):
            return plain.top_k(vector, K)

        force = compress
    else:
        subsets = getattr(messages, "second", messages).indices

        def force(t, i, vector):
            out = np.zeros(D)
            out[subsets[t][i]] = vector[subsets[t][i]]
            return out

        def compress(t, i, vector):
            return D / K * force(t, i, vector)

    given = dict(own)
    if function == "byz_vr_marina":
        given |= {"gradient": gradient, "coins": run["broadcast"].coin}
    return (loop or getattr(reference, function))(
        x=np.ones(D),
        sampled=sampled,
        samples=run["samples"],
        compress=compress,
        force=force,
        aggregate=aggregate,
        forge=plain.sign_flip,
        byzantine=BYZANTINE,
        gamma=GAMMA,
        **given,
    )


def gap(name, loop=None):
    """Largest difference beside the largest number, over models and memories."""
    run = played()[name]
    ours = run["models"], run["memories"]
    with np.errstate(all="ignore"):  # a mutant may diverge
        return max(
            np.abs(a - b).max() / np.abs(b).max()
            for a, b in zip(ours, by_hand(name, loop), strict=True)
        )


@pytest.mark.short
@pytest.mark.parametrize("name", CASES)
def test_same_run_as_the_reference(name):
    assert gap(name) < EQUAL


EVERY = {
    "everybody the same sample": ("samples[t][i]", "samples[t][0]"),
    "late sample": ("samples[t][i]", "samples[t - 1][i]"),
    "lies not compressed": ("force(t, i, ", "("),
}
MUTANTS = {
    "csgd": {"one mask for all": ("compress(t, i, sampled", "compress(t, 0, sampled")},
    "local": {
        "1-beta dropped": ("(1 - beta) * ", ""),
        "Byzantine momenta not updated": ("for i in range(n)", "for i in range(honest)"),
    },
    "ef14": {
        "error forgotten": ("e[i] + ", ""),
        "error of the gradient": ("e[i] = z - c[i]", "e[i] = z - e[i] - c[i]"),
    },
    "diana": {
        "a = 1": ("a * q[i]", "q[i]"),
        "shift not subtracted": ("s - h[i]", "s"),
        "aggregated after the update": ("aggregate(h + q)", "aggregate(h + a * q)"),
        "Byzantine shifts not updated": ("for i in range(n)", "for i in range(honest)"),
    },
    "broadcast": {
        "table not updated": ("table[i][j] = sampled(i, [j], x)", "pass"),
        "no mean of the table": (" + np.mean(table[i], axis=0)", ""),
        "table from zero": ("table = [[sampled(i, [j], x)", "table = [[0 * x"),
    },
    "marina": {
        "coin ignored": ("if coins[t]:", "if True:"),
        "from the own estimate": ("common if synchronised else g[i]", "g[i]"),
        "stale sample": ("sampled(i, samples[t][i], old)", "sampled(i, samples[t - 1][i], old)"),
        "dense lies compressed": ("lie if coins[t] else ", ""),
    },
    "marina, no sync": {
        "from the aggregate": ("common if synchronised else g[i]", "common"),
        "both points the same": (", samples[t][i], old)", ", samples[t][i], x)"),
    },
}


@pytest.mark.parametrize(
    ("name", "mutant"),
    [(name, mutant) for name, own in MUTANTS.items() for mutant in (EVERY | own)],
)
def test_a_planted_mistake_is_seen(name, mutant):
    function = CASES[name][1]
    source = inspect.getsource(getattr(reference, function))
    old, new = (EVERY | MUTANTS[name])[mutant]
    assert old in source
    scope = vars(reference).copy()
    exec(source.replace(old, new), scope)
    assert not gap(name, scope[function]) < DIFFERENT  # NaN is different too


def test_methods_draw_the_same_batches_for_one_seed():
    runs = played()
    for name in CASES:
        assert np.array_equal(runs[name]["samples"], runs["csgd"]["samples"])


@pytest.mark.parametrize("name", ["diana", "broadcast"])
def test_workers_and_server_agree_on_the_shifts_bit_by_bit(name):
    """A difference of one ulp a round would never be corrected."""
    run = played()[name]
    assert np.array_equal(run["workers"].shift, run["memories"][:, :HONEST])


def test_the_table_holds_the_gradient_of_every_sample_where_it_was_drawn_last():
    run = played()["broadcast"]
    models = np.concatenate([np.ones((1, D)), run["models"]])
    at = np.zeros((HONEST, SAMPLES), int)
    for t, drawn in enumerate(run["samples"]):
        for i in range(HONEST):
            at[i, drawn[i]] = t
    wanted = [[sampled(i, [j], models[at[i, j]]) for j in range(SAMPLES)] for i in range(HONEST)]
    np.testing.assert_allclose(run["workers"].estimator[-1], wanted, rtol=0, atol=EQUAL)
    assert len(np.unique(at)) > 5  # not all of them were drawn at the end


# Bits, in float64: 64 to a number, 3 to an index.


@pytest.mark.parametrize("name", CASES)
def test_what_flows_is_charged(name):
    run = played()[name]
    short = K * (64 + 3) if name == "ef14" else K * 64
    uplink = np.full(ROUNDS, short)
    coin = 0
    if name.startswith("marina"):
        uplink = np.where(run["broadcast"].coin, D * 64, short)
        coin = 1
        assert 0 < run["broadcast"].coin.sum() < ROUNDS
        assert (run["start"] == [0, D * 64]).all()
    assert (run["uplink"] == np.stack([0 * uplink, uplink], axis=-1)[:, None]).all()
    assert (run["downlink"] == [0, D * 64 + coin]).all()


@pytest.mark.parametrize("name", ["marina", "marina, no sync"])
def test_of_the_message_that_is_not_sent_nothing_crosses(name):
    run = played()[name]
    coin = run["broadcast"].coin
    assert not run["messages"].second.values[coin].any()
    assert not run["messages"].first.values[~coin].any()
    assert np.array_equal(run["messages"].is_first, np.broadcast_to(coin[:, None], (ROUNDS, N)))


def test_either_of_two_messages():
    dense = Dense(jnp.array([1.0, jnp.nan, 3.0]))
    seeded = Seeded(jnp.array([jnp.inf]), jnp.array([2]), size=3)
    masked = Masked(jnp.array([0.0, 2.0, 4.0]), jnp.array([False, True, True]))
    for first, second in ((dense, seeded), (seeded, dense), (masked, dense), (dense, masked)):
        for chosen in (True, False):
            message = jax.jit(either)(jnp.array(chosen), first, second)
            sent, kept, silent = (
                (first, message.first, message.second)
                if chosen
                else (second, message.second, message.first)
            )
            assert int(message.bits()) == int(sent.bits())
            assert bit_words(message.bits()).tolist() == [0, int(sent.bits())]
            assert np.array_equal(kept.values, sent.values, equal_nan=True)
            assert not silent.values.any()
    # 3 · 32; one number; two numbers and a bitmap of 3
    assert [int(m.bits()) for m in (dense, seeded, masked)] == [96, 32, 67]
    long = jax.ShapeDtypeStruct((2**27,), jnp.float32)
    with pytest.raises(ValueError, match="each of two messages must have less than 2³² bits"):
        jax.eval_shape(lambda x: either(True, Dense(x), seeded).bits(), long)


# Special cases.


def models_of(algorithm, problem, rounds=12):
    attack = attacks.sign_flip() if problem.byzantine else None
    _, (states, _) = play(algorithm, problem, attack, rounds=rounds)(KEY)
    return states.server.x


def test_without_compression_they_are_robust_sgd(x64):
    nothing = compressors.identity()

    def runs():
        problem = finite_sums()
        ours = {
            "csgd": algorithms.br_csgd(compressor=nothing, **COMMON),
            "ef14": algorithms.byz_ef14(compressor=nothing, **COMMON),
            "local": algorithms.rosdhb_local(compressor=nothing, momentum=0, **COMMON),
        }
        found = {name: models_of(each, problem) for name, each in ours.items()}
        return found, models_of(algorithms.robust_sgd(**COMMON), problem)

    ours, sgd = jax.jit(runs)()
    for models in ours.values():
        np.testing.assert_allclose(models, sgd, rtol=0, atol=EQUAL)


def test_diana_without_compression_is_robust_sgd(x64):
    """The liars as well, where they say the same estimate: here there are none."""

    def runs():
        problem = finite_sums(byzantine=0)
        given = {"compressor": compressors.identity(), **COMMON}
        return [
            models_of(each, problem)
            for each in (
                algorithms.robust_sgd(**COMMON),
                algorithms.br_diana(**given),
                algorithms.br_diana(rate=0.3, **given),
            )
        ]

    sgd, *ours = jax.jit(runs)()
    for models in ours:
        np.testing.assert_allclose(models, sgd, rtol=0, atol=EQUAL)


def test_marina_of_probability_one_is_robust_gradient_descent(x64):
    def runs():
        problem = finite_sums()
        given = {"compressor": compressors.bernoulli(0.5), "probability": 1.0, **COMMON}
        return [
            play(make(**given), problem, attacks.sign_flip(), rounds=12)(KEY)[1][0].server.x
            for make in (algorithms.byz_vr_marina, algorithms.byz_vr_marina_no_sync)
        ]

    both = jax.jit(runs)()
    x = np.ones(D)
    models = []
    for _ in range(13):  # the start steps too
        g = np.array([gradient(i, x) for i in range(HONEST)])
        x = x - GAMMA * aggregate(np.array([*g, *[plain.sign_flip(g)] * BYZANTINE]))
        models.append(x)
    for ours in both:
        np.testing.assert_allclose(ours, models[1:], rtol=0, atol=EQUAL)


def test_local_masks_with_the_mean_are_compressed_heavy_ball(x64):
    """x ← x - γ m with m = β m + (1-β) mean of the compressed gradients: one momentum for all."""
    algorithm = algorithms.rosdhb_local(
        compressor=RANDK, momentum=BETA, optimizer=optax.sgd(GAMMA), aggregator=aggregators.mean()
    )
    game = play(recorded(algorithm), finite_sums(byzantine=0, batch=None), rounds=ROUNDS)
    _, (states, infos) = jax.jit(game)(KEY)
    masks = np.asarray(infos.server.details["messages"].indices)  # [T, h, k]
    models = np.asarray(states.server.x)
    x, momentum = np.ones(D), np.zeros(D)
    for t in range(ROUNDS):
        q = np.zeros((HONEST, D))
        for i in range(HONEST):
            q[i, masks[t, i]] = D / K * gradient(i, x)[masks[t, i]]
        momentum = BETA * momentum + (1 - BETA) * q.mean(axis=0)
        x = x - GAMMA * momentum
        np.testing.assert_allclose(models[t], x, rtol=0, atol=EQUAL)
    # The masks of two workers are independent: equal in a share 1/15 of rounds, not always.
    same = (np.sort(masks[:, 0]) == np.sort(masks[:, 1])).all(axis=-1)
    assert same.mean() < 0.4


def test_shifts_tend_to_the_local_gradients_at_the_optimum(x64):
    """With full gradients DIANA's noise vanishes: x at the optimum, h_i = ∇f_i there."""
    algorithm = algorithms.br_diana_full(
        compressor=RANDK, optimizer=optax.sgd(0.15), aggregator=aggregators.mean()
    )
    game = play(algorithm, finite_sums(byzantine=0), rounds=3000)
    _, (states, _) = jax.jit(game)(KEY)
    optimum = np.linalg.solve(MATRICES.mean(axis=(0, 1)), VECTORS.mean(axis=(0, 1)))
    local = np.array([gradient(i, optimum) for i in range(HONEST)])
    assert np.abs(local).max() > 0.1
    # A linear rate: 3000 rounds reach the rounding of float64.
    np.testing.assert_allclose(states.server.x[-1], optimum, rtol=0, atol=1e-10)
    np.testing.assert_allclose(states.server.shifts[-1], local, rtol=0, atol=1e-10)


def test_identical_workers_drift_apart_with_local_masks_only(x64):
    """For one gradient g of all: one round gives (1-β)² (d/k - 1)(1 - 1/h) ‖g‖² in expectation."""
    g = jnp.arange(1.0, D + 1)

    def drift(key):
        keys = jax.random.split(key, HONEST)
        received = jax.vmap(RANDK.compress, (0, None))(keys, g)
        algorithm = algorithms.rosdhb_local(
            compressor=RANDK, momentum=BETA, **COMMON | {"aggregator": aggregators.mean()}
        )
        state = algorithm.server.start(jnp.zeros(D), HONEST)
        state, _ = algorithm.server.step(key, state, None, received)
        return ((state.momenta - state.momenta.mean(axis=0)) ** 2).sum(axis=1).mean()

    drifts = jax.jit(jax.vmap(drift))(jax.random.split(KEY, 4000))
    wanted = (1 - BETA) ** 2 * (D / K - 1) * (1 - 1 / HONEST) * float(g @ g)
    # Five standard errors of the mean of 4000 draws.
    assert abs(drifts.mean() - wanted) < 5 * drifts.std() / 4000**0.5


# Numbers that are not finite.


def test_liars_reach_no_state():
    """NaN and infinities are refused, the largest number is held: nothing stored overflows."""
    values = jnp.array([jnp.nan, jnp.inf, -jnp.inf, jnp.finfo(jnp.float32).max])

    def outcome(algorithm, value):
        lie = attacks.from_view("spoilt", lambda key, view: jnp.full(D, value))
        start, (states, infos) = play(algorithm, finite_sums(), lie, rounds=4)(KEY)
        return states, infos.server.rows, infos.server.rejected, start[0]

    found = jax.jit(
        lambda: {
            name: jax.vmap(functools.partial(outcome, case[0]))(values)
            for name, case in CASES.items()
            if name not in ("ef14", "broadcast")  # whose servers are those of csgd and diana
        }
    )()
    for states, rows, bad, start in found.values():
        for leaf in jax.tree.leaves((states, rows, start)):
            assert np.isfinite(leaf).all()
        assert np.asarray(bad)[:3, :, HONEST:].all()
        assert not np.asarray(bad)[3].any()
        assert not np.asarray(bad)[:, :, :HONEST].any()


def overflowing():
    """Every gradient of worker 0 on sample 0 is infinite, except at the start."""

    def oracle(entry):
        def grad(indices, x):
            broken = (entry == 0) & (indices == 0).any() & (x[0] < 1)
            return jnp.where(broken, jnp.inf, x - entry)

        return Oracle(
            full=lambda x: x - entry,
            draw=lambda key: jax.random.randint(key, (1,), 0, 3),
            grad=grad,
        )

    return Problem(
        name="overflowing",
        honest=3,
        byzantine=0,
        dimension=D,
        data=jnp.array([0.0, 0.1, 0.2]),
        test=None,
        oracle=oracle,
        init=lambda key: jnp.ones(D),
        evaluators={},
    )


def test_a_gradient_that_overflowed_is_forgotten_by_its_worker_too():
    mean = {"optimizer": optax.sgd(0.1), "aggregator": aggregators.mean()}
    own = {
        "ef14": algorithms.byz_ef14(compressor=TOP, **mean),
        "diana": algorithms.br_diana(compressor=RANDK, **mean),
        "broadcast": algorithms.broadcast_saga(compressor=RANDK, samples=3, **mean),
        "marina": algorithms.byz_vr_marina(compressor=RANDK, probability=0.2, **mean),
        "no sync": algorithms.byz_vr_marina_no_sync(compressor=RANDK, probability=0.2, **mean),
        "local": algorithms.rosdhb_local(compressor=RANDK, momentum=0.5, **mean),
    }
    found = jax.jit(
        lambda: {
            name: play(algorithm, overflowing(), rounds=20)(KEY)[1]
            for name, algorithm in own.items()
        }
    )()
    for states, infos in found.values():
        faulty = np.asarray(infos.faulty)
        assert faulty[:, 0].any()
        assert not faulty[:, 0].all()  # it goes on
        assert not faulty[:, 1:].any()
        assert not infos.server.rejected.any()
        for leaf in jax.tree.leaves((states, infos.server.rows)):
            assert np.isfinite(leaf).all()


# Refusals.


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (algorithms.br_csgd, {"compressor": TOP}, "compressor must be unbiased with a known omega"),
        (algorithms.br_diana, {"compressor": TOP}, "compressor must be unbiased"),
        (algorithms.br_diana_full, {"compressor": TOP}, "compressor must be unbiased"),
        (algorithms.broadcast_saga, {"compressor": TOP, "samples": 3}, "must be unbiased"),
        (algorithms.rosdhb_local, {"compressor": TOP, "momentum": 0.5}, "must be unbiased"),
        (algorithms.byz_vr_marina, {"compressor": TOP, "probability": 0.5}, "must be unbiased"),
        (algorithms.byz_ef14, {"compressor": RANDK}, "compressor must be contractive"),
        (
            algorithms.byz_vr_marina,
            {"compressor": RANDK, "probability": 0.0},
            r"probability must lie in \(0, 1\], got 0.0",
        ),
        (
            algorithms.byz_vr_marina_no_sync,
            {"compressor": RANDK, "probability": 1.5},
            r"probability must lie in \(0, 1\], got 1.5",
        ),
        (algorithms.br_diana, {"compressor": RANDK, "rate": 0.0}, r"rate must lie in \(0, 1\]"),
        (
            algorithms.broadcast_saga,
            {"compressor": RANDK, "samples": 0},
            "samples must be an integer >= 1, got 0",
        ),
        (
            algorithms.rosdhb_local,
            {"compressor": RANDK, "momentum": 1.0},
            r"momentum must lie in \[0, 1\), got 1.0",
        ),
        (algorithms.rosdhb_local, {"compressor": RANDK}, "give exactly one of momentum"),
    ],
)
def test_refusals(make, given, message):
    with pytest.raises(ValueError, match=message):
        make(**given, **COMMON)


def test_what_is_refused_when_shapes_are_known():
    x = jnp.ones(D)
    oracle = Oracle(lambda x: x, lambda key: jax.random.normal(key, (D,)), lambda batch, x: x)

    def step(algorithm):
        broadcast = algorithm.server.broadcast(KEY, algorithm.server.start(x, 1))
        state, _ = algorithm.worker.init(KEY, broadcast, oracle)
        return algorithm.worker.step(KEY, state, broadcast, oracle)

    fast = algorithms.br_diana(compressor=RANDK, rate=0.34, **COMMON)
    with pytest.raises(ValueError, match=r"rate must lie in \(0, 1/\(1\+omega\)\] = .* got 0.34"):
        jax.eval_shape(lambda: step(fast))
    jax.eval_shape(lambda: step(algorithms.br_diana(compressor=RANDK, rate=K / D, **COMMON)))
    table = algorithms.broadcast_saga(compressor=RANDK, samples=2, **COMMON)
    with pytest.raises(ValueError, match=r"oracle\.draw must give indices of samples"):
        jax.eval_shape(lambda: step(table))
