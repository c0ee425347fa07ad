"""A worker whose own gradient is no number in one round, under every method with a memory."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from lengths import often

import jaxbyz as jb
from jaxbyz import algorithms, attacks
from jaxbyz.core import Attack, Oracle
from jaxbyz.problems.problem import Problem
from jaxbyz.testing.algorithm_faulty_rounds import run_with_factors
from jaxbyz.testing.short_runs import quadratic

HONEST, BYZANTINE, ROUNDS = 5, 2, 7
COMMON = {"optimizer": optax.sgd(0.1), "aggregator": jb.trimmed_mean(BYZANTINE)}
TOP, RANDOM = {"compressor": jb.top_k(k=2)}, {"compressor": jb.seeded_rand_k(k=2)}
METHODS = {
    "D-SGD": lambda: algorithms.robust_sgd(**COMMON),
    "D-SHB": lambda: algorithms.robust_sgd(momentum=0.5, **COMMON),
    "RoSDHB": lambda: algorithms.rosdhb(k=2, momentum=0.5, **COMMON),
    "RoSDHB, local": lambda: algorithms.rosdhb_local(momentum=0.5, **RANDOM, **COMMON),
    "BR-CSGD": lambda: algorithms.br_csgd(**RANDOM, **COMMON),
    "EF14": lambda: algorithms.byz_ef14(**TOP, **COMMON),
    "EF21": lambda: algorithms.byz_ef21(**TOP, **COMMON),
    "EF21-SGD": lambda: algorithms.byz_ef21_sgd(start=None, **TOP, **COMMON),
    "EF21-SGDM": lambda: algorithms.byz_ef21_sgdm(eta=0.3, **TOP, **COMMON),
    "EF21-STORM": lambda: algorithms.byz_ef21_storm(eta=0.3, **TOP, **COMMON),
    "DM21": lambda: algorithms.byz_dm21(eta=0.3, start=jb.top_k(k=2), **TOP, **COMMON),
    "VR-DM21": lambda: algorithms.byz_vr_dm21(eta=0.3, start_batch=2, **TOP, **COMMON),
    "DASHA-PAGE": lambda: algorithms.byz_dasha_page(probability=0.5, **RANDOM, **COMMON),
    "MARINA": lambda: algorithms.byz_vr_marina(probability=0.5, **RANDOM, **COMMON),
    "MARINA, no sync": lambda: algorithms.byz_vr_marina_no_sync(
        probability=0.5, **RANDOM, **COMMON
    ),
    "DIANA": lambda: algorithms.br_diana(**RANDOM, **COMMON),
}
DIFFERENCES = {"EF21", "EF21-SGD", "EF21-SGDM", "EF21-STORM", "DM21", "VR-DM21", "DASHA-PAGE",
               "DIANA"}  # fmt: skip
EXAMPLES = ("D-SHB", "VR-DM21", "MARINA, no sync")
BAD = [(worker, late) for worker in (0, 2, HONEST - 1) for late in range(ROUNDS)]
VALUES = (np.nan, np.inf, -np.inf)


def memory_of(state):
    """What a server keeps of every worker, [..., n, d]."""
    for name in ("estimates", "shifts", "momenta"):
        if hasattr(state, name):
            return getattr(state, name)
    return None


def with_start(first, then):
    return np.concatenate([np.asarray(first)[:, None], np.asarray(then)], axis=1)


@pytest.mark.parametrize("name", often(METHODS, EXAMPLES))
def test_one_bad_round_changes_no_memory_and_is_over_with_the_round(name):
    factors = np.ones((len(BAD), 1 + ROUNDS, HONEST), np.float32)
    for i, (worker, late) in enumerate(BAD):
        factors[i, late, worker] = VALUES[i % 3]
    game = jax.jit(
        jax.vmap(run_with_factors(METHODS[name](), quadratic(HONEST, BYZANTINE, noise=0.5)))
    )
    played = jax.tree.map(np.asarray, game(factors))
    (first, hello), (states, info) = played
    for leaf in jax.tree.leaves(played):
        assert not np.issubdtype(leaf.dtype, np.floating) or np.isfinite(leaf).all()
    faulty = ~np.isfinite(factors)
    assert np.array_equal(info.faulty[:, :, :HONEST], faulty[:, 1:])
    assert not info.faulty[:, :, HONEST:].any()
    assert hello is None or np.array_equal(hello.faulty[:, :HONEST], faulty[:, 0])
    assert not info.server.rejected.any()

    memories = [
        with_start(a, b)
        for a, b in zip(
            jax.tree.leaves(first.workers), jax.tree.leaves(states.workers), strict=True
        )
    ]
    server = memory_of(states.server)
    known = None if server is None else with_start(memory_of(first.server), server)
    rows = np.asarray(info.server.rows)
    for i, (worker, late) in enumerate(BAD):
        if late == 0:
            continue
        for memory in memories:
            assert np.array_equal(memory[i, late, worker], memory[i, late - 1, worker])
        if name in (*DIFFERENCES, "MARINA, no sync"):
            assert np.array_equal(known[i, late, worker], known[i, late - 1, worker])
        elif name.startswith("RoSDHB"):
            assert np.array_equal(known[i, late, worker], known[i, late - 1, worker] / 2)
        elif name == "D-SHB" and late > 1:  # it says again what it said
            assert np.array_equal(rows[i, late - 1, worker], rows[i, late - 2, worker])
        elif name == "MARINA" and late > 1:  # the server has no memory but the aggregate
            before = states.server.aggregate[i, late - 2]
            assert np.array_equal(rows[i, late - 1, worker], before)
        elif name in ("D-SGD", "BR-CSGD", "EF14"):
            assert not rows[i, late - 1, worker].any()
    if hasattr(first.workers, "server_estimate"):  # both ends know the same
        estimates = with_start(first.workers.server_estimate, states.workers.server_estimate)
        # DASHA's sender may round its product with d/k together with the sum: an ulp a round.
        close = {"rtol": 0, "atol": 1e-6 if name == "DASHA-PAGE" else 0}
        np.testing.assert_allclose(estimates, known[:, :, :HONEST], **close)


def test_without_a_bad_round_nobody_is_faulty_and_factors_change_nothing():
    problem = quadratic(HONEST, BYZANTINE, noise=0.5)
    algorithm = METHODS["D-SHB"]()
    _, (states, info) = jax.jit(run_with_factors(algorithm, problem))(
        jnp.ones((1 + ROUNDS, HONEST))
    )
    assert not info.faulty.any()
    sim = jb.build(algorithm, problem, attacks.sign_flip())
    model, first, rest = jax.random.split(jax.random.key(0), 3)
    state, _ = sim.init(first, problem.init(model), sim.data)
    plain, _ = jax.jit(jb.run(sim.step, ROUNDS, lambda state, info: ()))(rest, state, sim.data)
    # The same sums in a different program.
    np.testing.assert_allclose(plain.server.x, states.server.x[-1], rtol=1e-5, atol=1e-6)


def test_a_gradient_of_which_one_number_is_infinite_is_not_used_at_all():
    problem = quadratic(HONEST, 0)
    spoilt = Problem(
        name="one number", honest=HONEST, byzantine=0, dimension=4, data=problem.data, test=None,
        init=problem.init, evaluators={},
        oracle=lambda entry: Oracle(
            lambda x: problem.oracle(entry).full(x).at[3].set(jnp.inf),
            problem.oracle(entry).draw,
            lambda batch, x: problem.oracle(entry).full(x).at[3].set(jnp.inf),
        ),
    )  # fmt: skip
    algorithm = jb.rosdhb(k=1, momentum=0.5, optimizer=optax.sgd(0.1),
                          aggregator=jb.aggregators.mean())  # fmt: skip
    sim = jb.build(algorithm, spoilt)
    state, _ = sim.init(jax.random.key(0), jnp.zeros(4), sim.data)
    # Whichever coordinate is asked for.
    keys = jax.random.split(jax.random.key(1), 8)
    info = jax.jit(jax.vmap(lambda key: sim.step(key, state, sim.data)[1]))(keys)
    assert info.faulty.all()
    assert not info.server.rejected.any()
    assert not info.server.rows.any()


# What a memory cannot hold.


@pytest.mark.parametrize("name", often(["DM21", "DIANA", "MARINA, no sync", "RoSDHB", "DASHA-PAGE"],
                                       ["DM21", "RoSDHB"]))  # fmt: skip
def test_liars_that_add_up_the_largest_number_spoil_nothing(name):
    """+max and again +max, or -max after it: what is stored stays finite, of everybody."""
    problem = quadratic(HONEST, BYZANTINE)
    largest = float(np.finfo(np.float32).max)

    def game(pattern):  # of signs, [4]
        lie = attacks.from_view(
            "largest", lambda key, view: jnp.full(4, pattern[view.round % 4] * largest)
        )
        sim = jb.build(METHODS[name](), problem, lie)
        state, _ = sim.init(jax.random.key(0), jnp.zeros(4), sim.data)
        last, seen = jb.run(sim.step, 12, lambda state, info: (state.server, info))(
            jax.random.key(1), state, sim.data
        )
        return last, seen

    patterns = jnp.array([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [-1, 0, -1, 1]])
    last, (servers, info) = jax.tree.map(np.asarray, jax.jit(jax.vmap(game))(patterns))
    for leaf in jax.tree.leaves((last, servers, info.server.rows)):
        assert not np.issubdtype(leaf.dtype, np.floating) or np.isfinite(leaf).all()
    assert not info.server.rejected[:, :, :HONEST].any()
    assert not info.faulty.any()
    # The trimmed mean of honest and huge numbers is one of honest ones.
    assert np.abs(servers.x).max() < 10
    mine = last.workers.server_estimate if hasattr(last.workers, "server_estimate") else None
    if mine is not None:
        np.testing.assert_allclose(mine, memory_of(last.server)[:, :HONEST], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1e3, 1e17, 1e25, 1e38])
@pytest.mark.parametrize("name", often(["DM21", "EF21-STORM", "DIANA"], ["DM21"]))
def test_mirrors_do_not_part_whatever_the_size_of_a_finite_gradient(name, size):
    factors = np.ones((1, 1 + ROUNDS, HONEST), np.float32)
    factors[0, 2, 1], factors[0, 3, 1] = size, -size
    game = jax.jit(jax.vmap(run_with_factors(METHODS[name](), quadratic(HONEST, BYZANTINE))))
    played = jax.tree.map(np.asarray, game(factors))
    _, (states, info) = played
    for leaf in jax.tree.leaves(played):
        assert not np.issubdtype(leaf.dtype, np.floating) or np.isfinite(leaf).all()
    assert not info.server.rejected[:, :, :HONEST].any()
    known = memory_of(states.server)[:, :, :HONEST]
    mine = states.workers.shift if name == "DIANA" else states.workers.server_estimate
    # DIANA's sender may round its product with a together with the sum.
    close = 1e-6 * np.abs(known).max() if name == "DIANA" else 0
    np.testing.assert_allclose(mine, known, rtol=0, atol=close)


def test_half_precision_is_used_up_to_its_largest_number():
    """d = 1000 rows of float16, of which equal ones were refused, and 65504 is a number."""
    d = 1000
    problem = Problem(
        name="half", honest=11, byzantine=0, dimension=d, data=jnp.ones(11, jnp.float16),
        test=None, init=lambda key: jnp.zeros(d, jnp.float16), evaluators={},
        oracle=lambda entry: Oracle(
            lambda x: entry * jnp.ones_like(x), lambda key: entry, lambda b, x: b * jnp.ones_like(x)
        ),
    )  # fmt: skip
    algorithm = jb.byz_ef21_sgd(optimizer=optax.sgd(0.0), aggregator=jb.coordinate_median(),
                                compressor=jb.identity())  # fmt: skip
    sim = jb.build(algorithm, problem)

    def round_of(data):
        state, hello = sim.init(jax.random.key(0), problem.init(None), data)
        return hello, sim.step(jax.random.key(1), state, -data)

    for size in (1, 65504):
        hello, (state, info) = jax.jit(round_of)(size * sim.data)
        assert not hello.server.rejected.any()
        assert not hello.faulty.any()
        assert np.array_equal(hello.server.rows, np.full((11, d), size))
        assert not info.server.rejected.any()
        # From 65504 to -65504 the difference is no number: that round is a bad one.
        assert info.faulty.all() == (size > 1)
        assert np.array_equal(state.server.estimates, np.full((11, d), -1 if size == 1 else size))


# Training.


def breaking(chances, byzantine=0):
    """Every sampled gradient of a worker is infinite by its chance; one of 2: always."""

    def oracle(chance):
        def draw(key):
            return jnp.where(jax.random.bernoulli(key, jnp.minimum(chance, 1)), jnp.inf, 0)

        full = lambda x: jnp.where(chance > 1, jnp.nan, x - 1)  # noqa: E731
        return Oracle(full, draw, lambda batch, x: full(x) + batch)

    return Problem(
        name="breaking", honest=len(chances), byzantine=byzantine, dimension=3,
        data=jnp.array(chances), test=None, oracle=oracle, init=lambda key: jnp.zeros(3),
        evaluators={"distance": lambda x, data, test: {"distance": jnp.abs(x - 1).max()}},
    )  # fmt: skip


RUN = {"rounds": 60, "evaluate_every": 1, "progress": False}
MEAN = {"optimizer": optax.sgd(0.2), "aggregator": jb.aggregators.mean()}


@pytest.mark.parametrize("worker", [0, 3])
@pytest.mark.parametrize("name", often(["DM21", "VR-DM21", "SGDM", "STORM", "DASHA"], ["VR-DM21"]))
def test_training_goes_on_and_counts_bad_rounds_apart(name, worker):
    method = {
        "DM21": lambda: algorithms.byz_dm21(eta=0.3, **TOP, **MEAN),
        "VR-DM21": lambda: algorithms.byz_vr_dm21(eta=0.3, **TOP, **MEAN),
        "SGDM": lambda: algorithms.byz_ef21_sgdm(eta=0.3, **TOP, **MEAN),
        "STORM": lambda: algorithms.byz_ef21_storm(eta=0.3, **TOP, **MEAN),
        "DASHA": lambda: algorithms.byz_dasha_page(probability=0.3, **RANDOM, **MEAN),
    }[name]()
    chances = [0.0] * 4
    chances[worker] = 0.1
    history = jb.train(method, breaking(chances), **RUN)
    faulty = history["faulty_rows"][0]
    assert 1 <= faulty[-1] < 30
    assert (np.diff(faulty) == 0).sum() > 30
    assert not history["rejected_rows"].any()
    assert history["distance"][0, -1] < 0.2 * history["distance"][0, 0]


def sgd():
    return jb.robust_sgd(**MEAN)


def stopped(problem, **how):
    with pytest.raises(jb.RunDiverged) as caught:
        jb.train(sgd(), problem, **RUN | how)
    return caught.value


def test_nobody_freezes_unnoticed():
    error = stopped(breaking([2.0, 2.0, 2.0]))
    assert "round 1 of seed 0: 3 of 3 rows were not finite" in str(error)
    assert "3 of them honest with gradients that are no numbers" in str(error)
    assert error.history.rounds.tolist() == [0]
    # Two of three are more than half; the third would go on alone.
    assert "round 1 of seed 0: 2 of 3" in str(stopped(breaking([2.0, 0.0, 2.0])))


def test_a_worker_that_is_faulty_for_ten_rounds_counts_as_byzantine():
    # The rounds are counted across evaluations.
    error = stopped(breaking([0.0, 2.0, 0.0, 0.0]), evaluate_every=7)
    assert "round 10 of seed 0: 1 of 4 rows" in str(error)


@pytest.mark.long
def test_persistent_faults_and_lies_are_counted_together():
    one = jb.train(jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=jb.trimmed_mean(1)),
                   breaking([0.0, 2.0, 0.0, 0.0], byzantine=1), attack=jb.sign_flip(),
                   **RUN)  # fmt: skip
    assert one["faulty_rows"][0].tolist() == list(range(61))
    assert not one["rejected_rows"].any()
    both = breaking([0.0, 2.0, 0.0, 0.0], byzantine=1)
    with pytest.raises(jb.RunDiverged, match="round 10 of seed 0: 2 of 5"):
        jb.train(sgd(), both, attack=attacks.not_a_number(), **RUN)  # rejected in every round


def test_byzantine_workers_that_compute_are_rejected_rather_than_faulty():
    history = jb.train(
        jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=jb.trimmed_mean(1)),
        breaking([0.0] * 4, byzantine=1),
        attack=Attack("broken", lambda key, d: None, None, lambda data: data + 2),
        **RUN,
    )
    assert history["rejected_rows"][0].tolist() == list(range(61))
    assert not history["faulty_rows"].any()
