"""A server divided by coordinates is the same server; what its program holds, and what it sends."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec
from lengths import often

import jaxbyz as jb
from jaxbyz import simulation
from jaxbyz.core import Oracle
from jaxbyz.problems.problem import Problem
from jaxbyz.simulation.devices import put
from tests.collectives import held, sent

HONEST, BYZANTINE = 7, 3  # no number of devices divides 7, and none but 2 divides 10
N = HONEST + BYZANTINE
KEY = jax.random.key(5)
RULES = {
    "trimmed mean": jb.trimmed_mean(f=BYZANTINE),
    "NNM, trimmed mean": jb.nnm(BYZANTINE, jb.trimmed_mean(f=BYZANTINE)),
    "Krum": jb.krum(f=BYZANTINE),
    "geometric median": jb.geometric_median(f=BYZANTINE),
    "centred clipping": jb.centered_clipping(tau=1.0, iterations=2),
    "CAF": jb.caf(f=BYZANTINE),
}
ATTACKS = {"IPM": jb.ipm, "none": jb.no_attack}


def methods(rule, k):
    common = {"optimizer": optax.sgd(0.125), "aggregator": rule}
    random = {"compressor": jb.seeded_rand_k(k=k), **common}
    top = {"compressor": jb.top_k(k=k), **common}
    return {
        "robust_sgd": lambda: jb.robust_sgd(momentum=0.5, **common),
        "rosdhb": lambda: jb.rosdhb(k=k, momentum=0.5, **common),
        "rosdhb_local": lambda: jb.rosdhb_local(momentum=0.5, **random),
        "byz_dm21": lambda: jb.byz_dm21(eta=0.5, **top),
        "byz_vr_dm21": lambda: jb.byz_vr_dm21(eta=0.5, **top),
        "byz_ef21": lambda: jb.byz_ef21(**top),
        "byz_ef21_sgdm": lambda: jb.byz_ef21_sgdm(eta=0.5, **top),
        "byz_ef14": lambda: jb.byz_ef14(**top),
        "byz_dasha_page": lambda: jb.byz_dasha_page(probability=0.25, **random),
        "byz_vr_marina": lambda: jb.byz_vr_marina(probability=0.25, **random),
        "byz_vr_marina_no_sync": lambda: jb.byz_vr_marina_no_sync(probability=0.25, **random),
        "br_csgd": lambda: jb.br_csgd(**random),
        "br_diana": lambda: jb.br_diana(**random),
        "broadcast_saga": lambda: jb.broadcast_saga(samples=2, **random),
        "fltrust": lambda: jb.fltrust(optimizer=optax.sgd(0.125), root=lambda x: x - 1),
        "local_steps": lambda: jb.local_steps(
            jb.rosdhb(k=k, momentum=0.5, **common), steps=2, step_size=0.125
        ),
        "partial_participation": lambda: jb.partial_participation(
            jb.rosdhb(k=k, momentum=0.5, **common), workers=9
        ),
    }


def means(d):
    """L_i(x) = ‖x - b_i‖²/2, of two samples b_i ± 1."""

    def oracle(b):
        return Oracle(
            lambda x: x - b,
            lambda key: jax.random.bernoulli(key, shape=(1,)).astype(jnp.int32),
            lambda batch, x: x - b + (2.0 * batch[0] - 1),
        )

    data = jnp.round(4 * jax.random.normal(jax.random.key(1), (HONEST, d)))
    return Problem(
        "means", HONEST, BYZANTINE, d, data, None, oracle, lambda key: jnp.zeros(d), {}
    )  # fmt: skip


def mesh(devices):
    return Mesh(np.array(jax.devices()[:devices]), ("workers",))


def kept(d):
    """k: of few coordinates half, so that d/k = 2."""
    return d // 2 if d < 100 else d // 20


def small(state, info):
    return info.uplink, info.server.rejected, info.faulty, info.asked


def game(name, rules, attack, d, on, rounds=3):
    """(number of the rule, key, data) -> (model, everything small), compiled, and the data.

    On a mesh, or on one device.
    """
    how = {} if on is None else {"placement": simulation.divided(on)}

    def play(which, key, data):
        rule = jb.aggregators.one_of(rules, which) if len(rules) > 1 else rules[0]
        algorithm = methods(rule, kept(d))[name]()
        sim = jb.build(algorithm, means(d), ATTACKS[attack](), **how)
        state, _ = sim.init(key, jnp.zeros(d), data)
        state, records = simulation.run(sim.step, rounds, small)(key, state, data)
        return state.server.x, records

    data = jb.build(methods(rules[0], 2)[name](), means(d), ATTACKS[attack]()).data
    data = put(data, on, split=True)
    everywhere = None if on is None else NamedSharding(on, Spec())
    play = jax.jit(play, out_shardings=everywhere)
    return play.lower(*put((np.int32(0), KEY), on), data).compile(), data


def outcome(compiled, data, which, on=None):
    found = compiled(*put((np.int32(which), KEY), on), data)
    return jax.tree.map(np.asarray, found)


@functools.cache
def alone(name, rules, attack, d):
    return game(name, [RULES[rule] for rule in rules], attack, d, None)


def assert_same(name, rules, attack, d, devices, exactly=False):
    on = mesh(devices)
    divided = game(name, [RULES[rule] for rule in rules], attack, d, on)
    for which, rule in enumerate(rules):
        x, records = outcome(*divided, which, on)
        expected, same = outcome(*alone(name, rules, attack, d), which)
        for ours, theirs in zip(jax.tree.leaves(records), jax.tree.leaves(same), strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert np.abs(expected).max() > 0.01
        if exactly:
            np.testing.assert_array_equal(x, expected)
        assert_close(x, expected, f"{name}, {rule}")


def assert_close(x, expected, which):
    """After some rounds.

    A product and a sum may be rounded as one in one program, and not in the other; and sums over
    coordinates are those of the devices. The geometric median is exact to its residual, 1e-5 in the
    unit of the rows' spread.
    """
    bound = 2e-5 if "geometric" in which else 2e-6
    np.testing.assert_allclose(x, expected, rtol=bound, atol=bound, err_msg=which)


def models_of_all_rules(on):
    """What two processes compare."""
    found = game("rosdhb", list(RULES.values()), "IPM", 14, on)
    return [outcome(*found, which, on)[0] for which in range(len(RULES))]


ALL = tuple(RULES)


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_devices_change_no_rule(devices):
    assert_same("rosdhb", ALL, "IPM", 14, devices)


@pytest.mark.parametrize(
    "name", often(methods(None, 2), ["robust_sgd", "byz_vr_dm21", "byz_dasha_page"])
)
def test_devices_change_no_method(name):
    """Three rounds. Only FLTrust adds over coordinates, for its cosines; all else: bit for bit."""
    assert_same(name, ("trimmed mean",), "none", 14, 4, exactly=name != "fltrust")


def test_devices_change_no_server_that_works_on_drawn_coordinates():
    assert_same("rosdhb", ("trimmed mean",), "IPM", D, DEVICES)


@pytest.mark.long
@pytest.mark.parametrize("devices", [1, 2, 4, 8])
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("name", methods(None, 2))
def test_devices_change_no_pair(name, attack, devices):
    assert_same(name, ALL, attack, 14, devices)


# ---- what the program of one device holds and sends ----------------------------------------

D, DEVICES = 8302, 4
K = kept(D)
WIDTH = -(-D // DEVICES)
COMPUTING = 12  # workers, with those that fill up devices
PAIRS = N * (N - 1) // 2


def assert_parted(name, rules):
    """A device holds its part, and sends messages, distances and the model."""
    compiled, _ = game(name, [RULES[rule] for rule in rules], "IPM", D, mesh(DEVICES), rounds=2)
    text = compiled.as_text()
    assert f"num_partitions={DEVICES}" in text
    # Rows of the server by coordinates, or of the workers; a few more entries fill up words.
    # Workers of Broadcast-SAGA keep a gradient of each of their two samples.
    tables = {(HONEST // DEVICES + 1, 2, D)} if name == "broadcast_saga" else set()
    arrays = {each.shape for each in held(text)} - tables
    assert max(map(math.prod, arrays)) <= 1.01 * COMPUTING * WIDTH < N * D / 3
    for how, (_, shape) in sent(text):
        size = math.prod(shape)
        if how == "all-to-all":  # vectors [m, d] from their workers to the coordinates' devices
            assert size <= COMPUTING * WIDTH / DEVICES, (how, shape)
        elif size == DEVICES * WIDTH:
            assert (how, shape) == ("all-gather", (size,))  # the model
        else:  # messages of k numbers, and what is known of rows and of pairs of rows
            assert size <= max(COMPUTING * K, PAIRS), (how, shape)


def test_what_a_device_holds_and_sends_for_any_rule():
    assert_parted("rosdhb", ALL)


@pytest.mark.parametrize("name", often(methods(None, 2), ["robust_sgd", "rosdhb", "byz_dm21"]))
def test_what_a_device_holds_and_sends_for_any_method(name):
    assert_parted(name, ("trimmed mean",))


@pytest.mark.long
@pytest.mark.parametrize("name", methods(None, 2))
def test_what_a_device_holds_and_sends_for_any_pair(name):
    assert_parted(name, ALL)
