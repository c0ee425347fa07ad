"""Where workers live changes nothing: one program, a mesh, pmap, two orders of devices."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from lengths import often

from jaxbyz import aggregators, algorithms, attacks, compressors, problems, simulation

DEVICES, BYZANTINE, DIMENSION, KEEP, ROUNDS = 4, 4, 6, 2, 10
HONEST = 8
INIT, RUN = jax.random.split(jax.random.key(11))

COMMON = {"optimizer": optax.sgd(0.1), "aggregator": aggregators.coordinate_median(BYZANTINE)}
RANDOM = {"compressor": compressors.seeded_rand_k(k=KEEP), **COMMON}
TOP = {"compressor": compressors.top_k(k=KEEP), **COMMON}
ALGORITHMS = {
    "robust_sgd": lambda: algorithms.robust_sgd(momentum=0.5, **COMMON),
    "rosdhb": lambda: algorithms.rosdhb(k=KEEP, momentum=0.5, **COMMON),
    "byz_dasha_page": lambda: algorithms.byz_dasha_page(probability=0.3, **RANDOM),
    "byz_vr_dm21": lambda: algorithms.byz_vr_dm21(eta=0.2, **TOP),
    "byz_dm21": lambda: algorithms.byz_dm21(eta=0.2, **TOP),
    "byz_ef21": lambda: algorithms.byz_ef21(**TOP),
    "byz_ef21_sgdm": lambda: algorithms.byz_ef21_sgdm(eta=0.2, **TOP),
    "byz_ef14": lambda: algorithms.byz_ef14(**TOP),
    "br_csgd": lambda: algorithms.br_csgd(**RANDOM),
    "br_diana": lambda: algorithms.br_diana(**RANDOM),
    "byz_vr_marina": lambda: algorithms.byz_vr_marina(probability=0.3, **RANDOM),
    "byz_vr_marina_no_sync": lambda: algorithms.byz_vr_marina_no_sync(probability=0.3, **RANDOM),
    "rosdhb_local": lambda: algorithms.rosdhb_local(momentum=0.5, **RANDOM),
}
USUAL = ("rosdhb", "byz_vr_dm21")
NAMES = often(ALGORITHMS, USUAL)
# Liars without data, so that 8 workers compute; and liars with data, so that 12 do.
ATTACKS = {"ALIE": lambda: attacks.alie(z=1.5), "none": attacks.no_attack}


def quadratics(honest=HONEST):
    return problems.quadratics(
        honest=honest, byzantine=BYZANTINE, dimension=DIMENSION, hessian_spread=0.1, noise=1.0
    )


def mesh(devices=None):
    assert jax.device_count() >= DEVICES
    return Mesh(np.array(jax.devices()[:DEVICES] if devices is None else devices), ("workers",))


def built(name, attack, **how):
    return simulation.build(ALGORITHMS[name](), quadratics(), ATTACKS[attack](), **how)


def what_all_devices_know(state, info):
    return state.server, state.attack, info


def game(init, step, rounds=ROUNDS, spread=lambda function, initial=False: function):
    """The start, the end, and all there is to see between: (init_key, run_key, x, data) -> tree."""
    init = spread(init, initial=True)
    advance = spread(simulation.run(step, rounds, what_all_devices_know))

    def play(init_key, run_key, x, data):
        start = init(init_key, x, data)
        return start, advance(run_key, start[0], data)

    return play


def alone(name, attack, **how):
    sim = built(name, attack, **how)
    return game(sim.init, sim.step), sim.data


def over_mesh(name, attack, on=None):
    sim = built(name, attack, placement=simulation.along_axis())
    spread = functools.partial(simulation.over_mesh, mesh=mesh() if on is None else on)
    return game(sim.init, sim.step, spread=spread), sim.data


def result(play, data, run_key=RUN):
    return jax.tree.map(np.asarray, jax.jit(play)(INIT, run_key, jnp.zeros(DIMENSION), data))


@functools.cache
def reference(name, attack):
    return result(*alone(name, attack))


def assert_same(a, b):
    """Bit by bit: the arithmetic of every worker and of the server is the same, wherever done."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        assert np.array_equal(x, y)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_mesh_is_one_device(name, attack):
    assert_same(result(*over_mesh(name, attack)), reference(name, attack))


# pmap has the same placement; one kind of attack per algorithm is enough to see that it is so.
@pytest.mark.parametrize("name", NAMES)
def test_pmap_is_one_device(name):
    attack = "ALIE" if name == "rosdhb" else "none"
    sim = built(name, attack, placement=simulation.along_axis())
    play = game(sim.init, sim.step, spread=functools.partial(simulation.over_pmap, devices=DEVICES))
    ours = play(INIT, RUN, jnp.zeros(DIMENSION), sim.data)
    assert_same(jax.tree.map(np.asarray, ours), reference(name, attack))


@pytest.mark.parametrize("name", NAMES)
def test_one_worker_after_another_is_all_at_once(name):
    one_by_one = result(*alone(name, "ALIE", map_workers=simulation.one_by_one))
    assert_same(one_by_one, reference(name, "ALIE"))


def test_the_order_of_devices_does_not_matter():
    """Worker ids make the keys, not devices."""
    order = mesh([jax.devices()[i] for i in (2, 0, 3, 1)])
    ours = result(*over_mesh("byz_dasha_page", "none", on=order))
    assert_same(ours, reference("byz_dasha_page", "none"))


def test_seeds_outside_the_mesh():
    play, data = over_mesh("byz_dasha_page", "ALIE")
    keys = jnp.stack([RUN, jax.random.key(5)])
    seeds = jax.jit(jax.vmap(play, (None, 0, None, None)))(INIT, keys, jnp.zeros(DIMENSION), data)
    first, second = (jax.tree.map(lambda leaf: np.asarray(leaf)[i], seeds) for i in (0, 1))  # noqa: B023
    alone = reference("byz_dasha_page", "ALIE")
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(alone), strict=True):
        # A product of a matrix and a batch of vectors may be summed in another order: float32 of
        # size one, ten rounds of a contraction.
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5)
    assert not np.array_equal(first[1][0].server.x, second[1][0].server.x)


@pytest.mark.parametrize("spread", ["mesh", "pmap"])
def test_workers_that_cannot_be_spread_evenly_are_refused(spread):
    sim = simulation.build(
        ALGORITHMS["rosdhb"](), quadratics(honest=10), placement=simulation.along_axis()
    )
    over = {
        "mesh": functools.partial(simulation.over_mesh, mesh=mesh()),
        "pmap": functools.partial(simulation.over_pmap, devices=DEVICES),
    }[spread]
    with pytest.raises(ValueError, match="got 14 computing workers on 4 devices"):
        over(sim.init, initial=True)(INIT, jnp.zeros(DIMENSION), sim.data)


# What is gathered.


def equations(jaxpr):
    """All equations of a jaxpr, of those inside too."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        ):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def over_workers(jaxpr):
    """Equations that speak of the axis of workers: collectives, and asking for the own place."""

    def names(parameter):
        return parameter if isinstance(parameter, (tuple, list)) else (parameter,)

    for equation in equations(jaxpr):
        if equation.primitive.name != "shard_map" and any(
            "workers" in [name for name in names(parameter) if isinstance(name, str)]
            for parameter in equation.params.values()
        ):
            yield equation


@pytest.mark.short
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", NAMES)
def test_the_only_gathered_arrays_are_the_messages(name, attack):
    """And of every worker one bit for whoever looks on: whether its round was a bad one."""
    algorithm, problem = ALGORITHMS[name](), quadratics()
    sim = built(name, attack, placement=simulation.along_axis())
    x = jnp.zeros(DIMENSION)
    computing = HONEST + (BYZANTINE if attack == "none" else 0)

    def first(entry):  # of one worker: its state and message at the start, its message afterwards
        oracle = problem.oracle(entry)
        broadcast = algorithm.server.broadcast(RUN, algorithm.server.start(x, 1))
        state, hello = algorithm.worker.init(RUN, broadcast, oracle)
        return hello, algorithm.worker.step(RUN, state, broadcast, oracle)[1]

    hello, message = jax.eval_shape(first, jax.tree.map(lambda leaf: leaf[0], sim.data))
    start = simulation.over_mesh(sim.init, mesh(), initial=True)
    state, _ = jax.eval_shape(start, INIT, x, sim.data)
    advance = simulation.run(sim.step, 3, what_all_devices_know)
    for function, second, sent in (
        (start, x, hello),
        (simulation.over_mesh(sim.step, mesh()), state, message),
        (simulation.over_mesh(advance, mesh()), state, message),
    ):
        found = list(over_workers(jax.make_jaxpr(function)(RUN, second, sim.data).jaxpr))
        assert {each.primitive.name for each in found} <= {"axis_index", "all_gather"}
        gathers = [each for each in found if each.primitive.name == "all_gather"]
        gathered = [(v.aval.shape, v.aval.dtype) for each in gathers for v in each.outvars]
        local = [(v.aval.shape, v.aval.dtype) for each in gathers for v in each.invars]
        leaves = jax.tree.leaves(sent)
        leaves = leaves and [*leaves, jax.ShapeDtypeStruct((), bool)]  # nothing with no message
        assert gathered == [((computing, *leaf.shape), leaf.dtype) for leaf in leaves]
        assert local == [((computing // DEVICES, *leaf.shape), leaf.dtype) for leaf in leaves]


def test_the_walk_sees_other_collectives():
    """So that the test above would see a mean over devices, however deep inside."""

    def leak(x):
        def body(total, _):
            return total + jax.lax.psum(x, "workers").sum(), None

        return jax.lax.scan(body, 0.0, None, 2)[0]

    whole, split = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec("workers")
    spread = jax.shard_map(leak, mesh=mesh(), in_specs=split, out_specs=whole, check_vma=False)
    found = over_workers(jax.make_jaxpr(jax.jit(spread))(jnp.ones(4)).jaxpr)
    assert [each.primitive.name for each in found] == ["psum"]


# Tracing, and stopping in the middle.


@pytest.mark.parametrize("name", NAMES)
def test_a_run_cut_in_two_is_the_same_run_and_is_traced_once(name):
    problem, traces = quadratics(), []

    def counted(entry):
        traces.append(name)
        return problem.oracle(entry)

    watched = dataclasses.replace(problem, oracle=counted)
    sim = simulation.build(ALGORITHMS[name](), watched, attacks.no_attack())
    traces.clear()  # what the oracle answers with was looked at
    advance = jax.jit(simulation.run(sim.step, ROUNDS // 2, what_all_devices_know))
    start, (end, records) = reference(name, "none")
    middle, first = advance(RUN, start[0], sim.data)
    last, second = advance(RUN, middle, sim.data)
    assert_same(jax.tree.map(np.asarray, last), end)
    assert_same(jax.tree.map(lambda a, b: np.concatenate([a, b]), first, second), records)
    assert last.round == ROUNDS
    assert len(traces) == 1  # of the worker's half, for all workers, rounds and calls
