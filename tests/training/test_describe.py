"""What an algorithm is said to cost is what flows, what is kept and what is computed in a run."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz import algorithms, compressors, simulation
from jaxbyz.core import Oracle
from jaxbyz.describe import describe
from jaxbyz.problems import Problem

D, K, SAMPLES, P, HONEST, ROUNDS = 8, 2, 3, 0.25, 2, 6
B, I = 32, 3  # bits of a number and of an index  # noqa: E741
DENSE, RANDK, TOPK = D * B, K * B, K * (B + I)
COMMON = {"optimizer": optax.sgd(0.1), "aggregator": jb.aggregators.mean()}
UNBIASED = {"compressor": jb.seeded_rand_k(k=K), **COMMON}
TOP = {"compressor": jb.top_k(k=K), **COMMON}
TOSSED = UNBIASED | {"probability": P}
ETA = TOP | {"eta": 0.3}

# The table of baselines: message, uplink, extra downlink, bits of the start, memory of a worker and
# of the server for each, gradients (sampled, full).
TABLE = [
    (algorithms.robust_sgd(**COMMON), "Dense", DENSE, 0, 0, 0, 0, (1, 0)),
    (algorithms.robust_sgd(momentum=0.9, **COMMON), "Dense", DENSE, 0, 0, 1, 0, (1, 0)),
    (algorithms.br_csgd(**UNBIASED), "Seeded", RANDK, 0, 0, 0, 0, (1, 0)),
    (algorithms.byz_ef14(**TOP), "Sparse", TOPK, 0, 0, 1, 0, (1, 0)),
    (algorithms.br_diana(**UNBIASED), "Seeded", RANDK, 0, 0, 1, 1, (1, 0)),
    (algorithms.br_diana_full(**UNBIASED), "Seeded", RANDK, 0, 0, 1, 1, (0, 1)),
    (
        algorithms.broadcast_saga(samples=SAMPLES, **UNBIASED),
        "Seeded",
        RANDK,
        0,
        0,
        1 + SAMPLES,
        1,
        (1, 0),
    ),
    (
        algorithms.byz_vr_marina(**TOSSED),
        "Dense or Seeded",
        P * DENSE + (1 - P) * RANDK,
        1,
        DENSE,
        1,
        0,
        (2 * (1 - P), P),
    ),
    (
        algorithms.byz_vr_marina_no_sync(**TOSSED),
        "Dense or Seeded",
        P * DENSE + (1 - P) * RANDK,
        1,
        DENSE,
        1,
        1,
        (2 * (1 - P), P),
    ),
    (
        algorithms.byz_dasha_page(**TOSSED),
        "Seeded",
        RANDK,
        1,
        DENSE,
        3,
        1,
        (2 * (1 - P), P),
    ),
    (algorithms.byz_ef21(**TOP), "Sparse", TOPK, 0, DENSE, 1, 1, (0, 1)),
    (algorithms.byz_ef21_sgd(start=None, **TOP), "Sparse", TOPK, 0, 0, 1, 1, (1, 0)),
    (algorithms.byz_ef21_sgdm(**ETA), "Sparse", TOPK, 0, DENSE, 2, 1, (1, 0)),
    (algorithms.byz_ef21_storm(**ETA), "Sparse", TOPK, 0, DENSE, 3, 1, (2, 0)),
    (algorithms.byz_dm21(start_batch=4, **ETA), "Sparse", TOPK, 0, DENSE, 3, 1, (1, 0)),
    (algorithms.byz_vr_dm21(**ETA), "Sparse", TOPK, 0, DENSE, 4, 1, (2, 0)),
    (algorithms.rosdhb(k=K, momentum=0.9, **COMMON), "SharedSupport", RANDK, 64, 0, 0, 1, (1, 0)),
    (algorithms.rosdhb_local(momentum=0.9, **UNBIASED), "Seeded", RANDK, 0, 0, 0, 1, (1, 0)),
]
every = pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0].name)


@every
def test_the_table_of_baselines(row):
    algorithm, message, uplink, downlink, start, worker, server, gradients = row
    seen = describe(algorithm, D)
    assert (seen.name, seen.dimension, seen.message) == (algorithm.name, D, message)
    assert seen.uplink_bits == uplink
    assert seen.downlink_bits == DENSE + downlink
    assert seen.start_bits == start
    assert (seen.worker_memory, seen.server_memory_per_worker) == (worker, server)
    assert (seen.sampled_gradients, seen.full_gradients) == gradients


def counting(asked):
    """Finite sums whose oracle says when it is asked, while the program runs."""

    def oracle(entry):
        def count(what, batch, x):
            jax.debug.callback(lambda _: asked.append(what), entry)
            return x - entry + batch.mean()

        return Oracle(
            full=lambda x: count("full", jnp.ones(1), x),
            draw=lambda key: jax.random.randint(key, (1,), 0, SAMPLES),
            grad=lambda indices, x: count("sampled", indices, x),
        )

    return Problem(
        name="counting",
        honest=HONEST,
        byzantine=0,
        dimension=D,
        data=jnp.arange(1.0, HONEST + 1),
        test=None,
        oracle=oracle,
        init=lambda key: jnp.zeros(D),
        evaluators={},
    )


def numbers(tree):
    return sum(
        leaf.size for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)
    )


# One of every kind of memory, message and question.
PLAYED = ("robust D-SHB", "Byz-EF14", "BROADCAST", "Byz-VR-MARINA", "Byz-DASHA-PAGE", "Byz-DM21",
          "Byz-EF21-STORM", "RoSDHB")  # fmt: skip
OFTEN = ("Byz-EF14", "Byz-VR-MARINA", "Byz-DM21")


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, marks=() if row[0].name in OFTEN else pytest.mark.long, id=row[0].name)
        for row in TABLE
        if row[0].name in PLAYED
    ],
)
def test_a_run_costs_what_is_said(row):
    """Bits, numbers in states and questions to the oracle; of coins, what fell."""
    algorithm, seen = row[0], describe(row[0], D)
    asked, coins, key = [], [], jax.random.key(2)
    tosses, server = algorithm.coin is not None, algorithm.server

    def announce(key, state):
        broadcast = server.broadcast(key, state)
        if tosses:
            jax.debug.callback(lambda coin: coins.append(bool(coin)), broadcast.coin, ordered=True)
        return broadcast

    heard = algorithm._replace(server=server._replace(broadcast=announce))
    sim = simulation.build(heard, counting(asked), map_workers=jb.one_by_one)

    def game(key):
        start, hello = sim.init(key, jnp.zeros(D), sim.data)
        rounds = simulation.run(sim.step, ROUNDS, lambda _, info: (info.uplink, info.downlink))
        return hello, *rounds(key, start, sim.data)

    hello, state, (uplink, downlink) = jax.jit(game)(key)
    jax.effects_barrier()
    assert seen.start_bits == (0 if hello is None else int(hello.uplink[0, 1]))
    assert numbers(state.workers) == HONEST * D * seen.worker_memory
    memory = seen.server_memory + HONEST * seen.server_memory_per_worker
    assert numbers(state.server) == D * memory
    # The expectation is over faces of the coin; here it is over those that fell.
    coins = coins[1:]  # the start does not use its own
    share = np.mean(coins) if tosses else None
    fell = describe(algorithm._replace(coin=share), D) if tosses else seen
    assert len(coins) == (ROUNDS if tosses else 0)
    assert not tosses or 0 < share < 1
    assert uplink[:, 0, 1].sum() == pytest.approx(ROUNDS * fell.uplink_bits, rel=1e-12)
    assert downlink[:, 1].sum() == ROUNDS * seen.downlink_bits
    for kind, first, each in (
        ("sampled", seen.start_sampled_gradients, fell.sampled_gradients),
        ("full", seen.start_full_gradients, fell.full_gradients),
    ):
        assert asked.count(kind) == pytest.approx(HONEST * (first + ROUNDS * each), rel=1e-12)


def test_the_books_of_training_agree():
    """Expected bits of MARINA are within five standard deviations of 3 runs of 300 rounds."""
    problem = jb.problems.quadratics(honest=3, byzantine=1, dimension=D)
    algorithm = TABLE[7][0]
    seen, rounds, seeds = describe(algorithm, D), 300, 3
    history = jb.train(
        algorithm,
        problem,
        rounds=rounds,
        seeds=seeds,
        evaluate_every=rounds,
        evaluate=["loss"],
        progress=False,
    )
    assert (history["uplink_bits"][:, 0] == seen.start_bits).all()
    assert (history["downlink_bits"][:, -1] == (rounds + 1) * seen.downlink_bits).all()
    flown = history["uplink_bits"][:, -1] - seen.start_bits
    dense = (flown - rounds * RANDK) / (DENSE - RANDK)  # how often
    assert (dense == dense.round()).all()
    deviation = (DENSE - RANDK) * (P * (1 - P) * rounds / seeds) ** 0.5
    assert abs(flown.mean() - rounds * seen.uplink_bits) < 5 * deviation


def test_random_lengths_and_parts():
    given = COMMON | {"compressor": compressors.bernoulli(0.25)}
    seen = describe(algorithms.br_csgd(**given), D)
    chances = [1.0]  # of c kept
    for _ in range(D):
        chances = np.convolve(chances, [0.75, 0.25])
    lengths = np.array([c * B + min(D, c * I) for c in range(D + 1)])
    mean = chances @ lengths
    spread = (chances @ (lengths - mean) ** 2) ** 0.5
    assert seen.message == "Masked"
    # Five standard deviations of a mean over 256 draws.
    assert abs(seen.uplink_bits - mean) < 5 * spread / 16
    tossed = describe(algorithms.byz_vr_marina(probability=0.5, **given), D)
    assert tossed.message == "Dense or Masked"
    assert tossed.uplink_bits == (DENSE + seen.uplink_bits) / 2  # the same draws
    halves = compressors.blockwise((3, 5), lambda size: compressors.top_k(1))
    seen = describe(algorithms.byz_ef14(**COMMON | {"compressor": halves}), D)
    assert (seen.message, seen.uplink_bits) == ("Sparse, Sparse", (B + 2) + (B + 3))


def test_state_of_the_optimiser_and_of_the_rule_is_the_servers():
    adam = COMMON | {"optimizer": optax.adam(0.1)}
    assert describe(algorithms.robust_sgd(**adam), D).server_memory == 3
    clipping = COMMON | {"aggregator": jb.centered_clipping(1.0, 1)}
    assert describe(algorithms.robust_sgd(**clipping), D).server_memory == 2
    assert describe(algorithms.robust_sgd(**COMMON), D).server_memory == 1
    assert describe(TABLE[7][0], D).server_memory == 2  # and the aggregate


def test_a_coin_that_never_falls_the_other_way():
    sure = algorithms.byz_vr_marina(**UNBIASED | {"probability": 1.0})
    seen = describe(sure, D)
    assert (seen.uplink_bits, seen.sampled_gradients, seen.full_gradients) == (DENSE, 0, 1)


def test_refusals():
    with pytest.raises(ValueError, match="d must be an integer >= 1, got 0"):
        describe(TABLE[0][0], 0)
    with pytest.raises(ValueError, match=r"k must lie in 1\.\.d, got k = 2 with d = 1"):
        describe(TABLE[2][0], 1)
    assert dataclasses.is_dataclass(describe(TABLE[0][0], 1))
