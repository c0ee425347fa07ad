"""Error feedback makes the run that a plain loop makes, and every planted mistake is seen."""

import functools
import inspect
from types import SimpleNamespace
from typing import NamedTuple

import jax
import numpy as np
import optax
import pytest
from algorithms.recording import play, recorded
from algorithms.test_against_reference import BYZANTINE, DIFFERENT, EQUAL, HONEST, SETTINGS, gap
from reference import algorithms as reference

from jaxbyz import algorithms, compressors
from jaxbyz.algorithms.estimates import DENSE

KEEP, ROUNDS, GAMMA, ETA, BETA = 2, 30, 0.2, 0.3, 0.6
TOP = compressors.top_k(k=KEEP)
STARTS = {  # of the library, and in NumPy
    "dense": (DENSE, lambda x: x),
    "compressed": (compressors.top_k(k=KEEP + 1), lambda x: reference.top_k(x, KEEP + 1)),
    "zero": (None, lambda x: 0 * x),
}


class Case(NamedTuple):
    make: object  # the library's constructor
    loop: str  # the name of the reference
    given: dict  # hyper-parameters as given
    meant: dict  # as the reference takes them
    start: str = "dense"
    batch: int = 1


# Byz-EF21-SGD and Byz-EF21-STORM are compared with these by test_error_feedback.py.
CASES = {
    "dm21": Case(
        algorithms.byz_dm21,
        "byz_dm21",
        {"eta": ETA, "beta": BETA},
        {"eta": ETA, "beta": BETA},
        batch=3,
    ),
    "dm21, published, compressed start": Case(
        algorithms.byz_dm21, "byz_dm21", {"eta": ETA}, {"eta": ETA, "beta": ETA}, "compressed"
    ),
    "dm21, zero start": Case(
        algorithms.byz_dm21,
        "byz_dm21",
        {"eta": ETA, "beta": BETA},
        {"eta": ETA, "beta": BETA},
        "zero",
    ),
    "vr-dm21": Case(
        algorithms.byz_vr_dm21,
        "byz_vr_dm21",
        {"eta": ETA, "beta": BETA},
        {"eta": ETA, "beta": BETA},
        batch=2,
    ),
    "vr-dm21, published, zero start": Case(
        algorithms.byz_vr_dm21, "byz_vr_dm21", {"eta": ETA}, {"eta": ETA, "beta": ETA}, "zero"
    ),
    "sgdm": Case(
        algorithms.byz_ef21_sgdm, "byz_dm21", {"eta": ETA}, {"eta": ETA, "beta": 1}, "compressed"
    ),
    "ef21": Case(algorithms.byz_ef21, "byz_ef21", {}, {}),
}


@functools.cache
def played(name, setting):
    """The library's run in float64: what it drew, and the models and estimates it went through."""
    case = CASES[name]
    batch = {} if case.loop == "byz_ef21" else {"start_batch": case.batch}
    with jax.enable_x64(True):
        own = SETTINGS[setting]()
        algorithm = recorded(
            case.make(
                optimizer=optax.sgd(GAMMA),
                aggregator=own.aggregator,
                compressor=TOP,
                start=STARTS[case.start][0],
                **case.given,
                **batch,
            )
        )
        start, (states, _) = jax.jit(play(algorithm, own.problem, own.attack, rounds=ROUNDS))(
            jax.random.key(7)
        )
        oracle = own.problem.oracle(jax.tree.map(lambda leaf: leaf[0], own.problem.data))
        # The same batch for every method: the first half of the worker's key of the round.
        half = jax.vmap(lambda key: jax.random.split(key)[0])
        batches = jax.vmap(lambda key: jax.random.split(key, case.batch))
        models, estimates = states.server.x, states.server.estimates
        return jax.tree.map(
            np.asarray,
            {
                "x": own.problem.init(jax.random.key(0)),
                "first": jax.vmap(jax.vmap(oracle.draw))(batches(half(start[0].workers[1]))),
                "samples": jax.vmap(jax.vmap(oracle.draw))(jax.vmap(half)(states.workers[1])),
                "models": np.concatenate([start[0].server.x[None], models]),
                "estimates": np.concatenate([start[0].server.estimates[None], estimates]),
                "workers": states.workers[0],
            },
        )


def by_hand(name, setting, functions=reference):
    """The NumPy run with the same draws: models, estimates."""
    case, own, run = CASES[name], SETTINGS[setting](), played(name, setting)
    common = {
        "x": run["x"],
        "compress": lambda x: functions.top_k(x, KEEP),
        "start": STARTS[case.start][1],
        "aggregate": own.aggregate,
        "forge": own.forge,
        "byzantine": BYZANTINE,
        "gamma": GAMMA,
    }
    if case.loop == "byz_ef21":
        return functions.byz_ef21(gradient=own.gradient, honest=HONEST, rounds=ROUNDS, **common)
    return getattr(functions, case.loop)(
        sampled=own.sampled, first=run["first"], samples=run["samples"], **case.meant, **common
    )


def of_library(name, setting):
    run = played(name, setting)
    return run["models"], run["estimates"]


def marks(name, setting):
    if (name, setting) == ("vr-dm21", "sampled"):  # has all there is in the others
        return pytest.mark.short
    return () if name in ("dm21", "vr-dm21", "ef21") else pytest.mark.long


# The estimates that matter most also with additive noise, under another attack and rule.
RUNS = [
    pytest.param(name, setting, marks=marks(name, setting))
    for name, setting in [(name, "sampled") for name in CASES]
    + [("dm21", "noisy"), ("vr-dm21", "noisy")]
]


@pytest.mark.parametrize(("name", "setting"), RUNS)
def test_same_run_as_the_reference(name, setting):
    assert gap(of_library(name, setting), by_hand(name, setting)) < EQUAL


@pytest.mark.parametrize(("name", "setting"), RUNS)
def test_workers_and_server_agree_on_the_mirrors(name, setting):
    run = played(name, setting)
    assert np.array_equal(run["workers"].server_estimate, run["estimates"][1:, :HONEST])


FEEDBACK = {
    "c not added": ("g[i] = g[i] + c[i]", "g[i] = g[i]"),
    "estimate compressed, not its difference": ("compress(u[i] - g[i])", "compress(u[i])"),
    "not compressed": ("compress(u[i] - g[i])", "u[i] - g[i]"),
    "first momentum sent": ("compress(u[i] - g[i])", "compress(v[i] - g[i])"),
    "Byzantine estimates not updated": ("for i in range(n)", "for i in range(honest)"),
    "lies not compressed": ("compress(forge(c[:honest]))", "forge(c[:honest])"),
    "honest start of liars": ("*[start(forge(g))] * byzantine", "*g[:byzantine]"),
    "one sample for the start": ("for one in first[i]", "for one in first[i][:1]"),
    "everybody the same sample": ("samples[t][i]", "samples[t][0]"),
    "late sample": ("samples[t][i]", "samples[t - 1][i]"),
    "second momentum of weight eta": ("(1 - beta) * u[i] + beta", "(1 - eta) * u[i] + eta"),
}
LOOPS = {
    "dm21": {"first weight dropped": ("+ eta * sampled", "+ sampled")},
    "vr-dm21": {
        # With the sample of the last round at the old point, the estimate would be the new sample's
        # gradient for ever.
        "stale sample at the old point": (
            "sampled(i, samples[t][i], old)",
            "np.mean([sampled(i, s, old) for s in "
            "(samples[t - 1][[i]] if t else first[i])], axis=0)",
        ),
        "both points the same": ("sampled(i, samples[t][i], old)", "sampled(i, samples[t][i], x)"),
        "plain momentum": ("here + (1 - eta) * (v[i] - there)", "(1 - eta) * v[i] + eta * here"),
        "weights exchanged": (
            "    d, honest = len(x), len(first)\n",
            "    d, honest, eta, beta = len(x), len(first), beta, eta\n",
        ),
    },
}
PLANTED = [(name, mutant) for name, own in LOOPS.items() for mutant in (FEEDBACK | own)]


def mutated(name, mutant):
    """The NumPy module with one mistake in the loop of this case."""
    source = inspect.getsource(getattr(reference, CASES[name].loop))
    old, new = (FEEDBACK | LOOPS[name])[mutant]
    assert old in source
    scope = vars(reference).copy()
    exec(source.replace(old, new), scope)
    return SimpleNamespace(**scope)


@pytest.mark.parametrize(("name", "mutant"), PLANTED)
def test_a_planted_mistake_is_seen(name, mutant):
    with np.errstate(all="ignore"):  # a mutant may diverge
        apart = gap(of_library(name, "sampled"), by_hand(name, "sampled", mutated(name, mutant)))
    assert not apart < DIFFERENT  # NaN is different too


def test_with_a_stale_sample_nothing_would_be_averaged():
    """The mutant above is Byz-EF21-SGDM of parameter β, whatever η: what VR must not be."""
    stale = mutated("vr-dm21", "stale sample at the old point")
    run = played("vr-dm21", "sampled")
    momentum = SimpleNamespace(
        top_k=reference.top_k,
        byz_vr_dm21=lambda eta, beta, **rest: reference.byz_dm21(eta=1, beta=beta, **rest),
    )
    theirs = by_hand("vr-dm21", "sampled", momentum)
    assert gap(by_hand("vr-dm21", "sampled", stale), theirs) < EQUAL
    assert gap((run["models"], run["estimates"]), theirs) > DIFFERENT
