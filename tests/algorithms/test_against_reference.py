"""Every algorithm makes the run that a plain loop over the paper's pseudo-code makes."""

import functools
import inspect
from types import SimpleNamespace
from typing import NamedTuple

import jax
import numpy as np
import optax
import pytest
from algorithms.recording import finite_sums, play, recorded
from lengths import often
from reference import aggregators as rules
from reference import algorithms as reference

from jaxbyz import aggregators, algorithms, attacks, compressors, problems

HONEST, BYZANTINE, DIMENSION, KEEP, ROUNDS = 5, 2, 6, 2, 30
GAMMA, BETA, PROBABILITY, Z = 0.2, 0.7, 0.4, 1.5

# Both sides add the same few hundred float64 numbers of size one, in another order, for 30 rounds
# of a contraction: 2e-15 apart at most. The mutant that is least wrong is 0.07 apart.
EQUAL = 1e-12
DIFFERENT = 1e-2


class Setting(NamedTuple):
    """A problem, a rule and an attack, each twice: of the library, and in NumPy."""

    problem: object
    gradient: object  # (i, x) -> [d]
    sampled: object  # (i, sample, x) -> [d]
    aggregator: object
    aggregate: object  # rows -> [d]
    attack: object
    forge: object  # honest -> [d]


def noisy_quadratics():
    """Additive noise; trimmed mean under ALIE."""
    problem = problems.quadratics(
        honest=HONEST, byzantine=BYZANTINE, dimension=DIMENSION, hessian_spread=0.1, noise=1.0
    )

    def gradient(i, x):
        return problem.matrices[i] @ x - problem.vectors[i]

    return Setting(
        problem,
        gradient,
        lambda i, sample, x: gradient(i, x) + sample,
        aggregators.trimmed_mean(BYZANTINE),
        lambda rows: rules.trimmed_mean(rows, BYZANTINE),
        attacks.alie(z=Z),
        lambda honest: reference.alie(honest, Z),
    )


def sampled_quadratics():
    """Quadratics drawn from a finite set; mixed trimmed mean under sign flipping."""
    random = np.random.default_rng(1)
    half = random.normal(size=(HONEST, 3, DIMENSION, DIMENSION)) / DIMENSION**0.5
    matrices = half @ half.transpose(0, 1, 3, 2)
    vectors = random.normal(size=(HONEST, 3, DIMENSION))

    def sampled(i, sample, x):
        return matrices[i, sample] @ x - vectors[i, sample]

    return Setting(
        finite_sums(matrices, vectors, BYZANTINE),
        lambda i, x: np.mean([sampled(i, j, x) for j in range(3)], axis=0),
        sampled,
        aggregators.nnm(BYZANTINE, aggregators.trimmed_mean(BYZANTINE)),
        lambda rows: rules.nnm(rules.trimmed_mean)(rows, BYZANTINE),
        attacks.sign_flip(),
        reference.sign_flip,
    )


SETTINGS = {"noisy": noisy_quadratics, "sampled": sampled_quadratics}


def build(name, optimizer, aggregator):
    common = {"optimizer": optimizer, "aggregator": aggregator}
    if name == "robust_sgd":
        return algorithms.robust_sgd(momentum=BETA, **common)
    if name == "rosdhb":
        return algorithms.rosdhb(k=KEEP, momentum=BETA, **common)
    return algorithms.byz_dasha_page(
        compressor=compressors.seeded_rand_k(k=KEEP), probability=PROBABILITY, **common
    )


@functools.cache
def played(name, setting):
    """The library's run in float64: what it drew, and the models and memories it went through."""
    with jax.enable_x64(True):
        own = SETTINGS[setting]()
        algorithm = recorded(build(name, optax.sgd(GAMMA), own.aggregator))
        start, (states, infos) = jax.jit(play(algorithm, own.problem, own.attack, rounds=ROUNDS))(
            jax.random.key(7)
        )
        keys = states.workers[1]  # [T, h]
        oracle = own.problem.oracle(jax.tree.map(lambda leaf: leaf[0], own.problem.data))
        # The same batch for every method: the first half of the worker's key of the round.
        draw = jax.vmap(jax.vmap(lambda key: oracle.draw(jax.random.split(key)[0])))
        samples = draw(keys)
        crossed = infos.server.details
        x = own.problem.init(jax.random.key(0))
        return jax.tree.map(
            np.asarray,
            {
                "x": x,
                "start": None if name != "byz_dasha_page" else (start[0].server, start[1].server),
                "keys": jax.random.key_data(keys),
                "samples": samples,
                "broadcast": crossed["broadcast"],
                "messages": crossed["messages"],
                "models": states.server.x,
                "server": states.server,
                "workers": states.workers[0],
                "rows": infos.server.rows,
            },
        )


def by_hand(name, setting, functions=reference):
    """The NumPy run with the same draws: models, memories."""
    own, run = SETTINGS[setting](), played(name, setting)
    common = {
        "x": run["x"],
        "sampled": own.sampled,
        "samples": run["samples"],
        "aggregate": own.aggregate,
        "forge": own.forge,
        "byzantine": BYZANTINE,
        "gamma": GAMMA,
    }
    if name == "robust_sgd":
        return functions.robust_sgd(beta=BETA, **common)
    if name == "rosdhb":
        masks = run["broadcast"].subset
        return functions.rosdhb(masks=masks, beta=BETA, **common)
    return functions.byz_dasha_page(
        gradient=own.gradient,
        coins=run["broadcast"].coin,
        subsets=run["messages"].indices,
        **common,
    )


def of_library(name, setting):
    """Models and memories of the library's run, as the reference returns them."""
    run = played(name, setting)
    if name == "robust_sgd":
        return run["models"], run["workers"]
    if name == "rosdhb":
        return run["models"], run["server"].momenta
    first, _ = run["start"]
    models = np.concatenate([first.x[None], run["models"]])
    return models, np.concatenate([first.estimates[None], run["server"].estimates])


def gap(ours, theirs):
    """Largest difference beside the largest number, over models and memories."""
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("setting", ["noisy", pytest.param("sampled", marks=pytest.mark.short)])
@pytest.mark.parametrize("name", ["robust_sgd", "rosdhb", "byz_dasha_page"])
def test_same_run_as_the_reference(name, setting):
    assert gap(of_library(name, setting), by_hand(name, setting)) < EQUAL


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_rows_that_are_aggregated_are_the_memories(setting):
    assert np.array_equal(played("rosdhb", setting)["rows"], of_library("rosdhb", setting)[1])
    dasha = played("byz_dasha_page", setting)
    assert np.array_equal(dasha["rows"], dasha["server"].estimates)
    assert np.array_equal(dasha["start"][1].rows, dasha["start"][0].estimates)


@pytest.mark.parametrize("setting", SETTINGS)
def test_workers_and_server_of_dasha_agree_on_the_mirrors(setting):
    run = played("byz_dasha_page", setting)
    # The same additions on both sides, but compiled apart: an ulp of numbers of size one.
    assert (
        np.abs(run["workers"].server_estimate - run["server"].estimates[:, :HONEST]).max() < 1e-14
    )


@pytest.mark.parametrize("setting", SETTINGS)
def test_methods_draw_the_same_batches_for_one_seed(setting):
    first, *others = (played(name, setting) for name in ("robust_sgd", "rosdhb", "byz_dasha_page"))
    for other in others:
        assert np.array_equal(first["keys"], other["keys"])
    # Every worker and round its own.
    keys = first["keys"].reshape(-1, first["keys"].shape[-1])
    assert len(np.unique(keys, axis=0)) == len(keys)


# The comparison sees every mistake that can be planted in the reference.

MUTANTS = {
    "robust_sgd": {
        "1-beta dropped": ("(1 - beta) * ", ""),
        "old momentum dropped": ("beta * momenta[i] + ", ""),
        "last round's sample": ("samples[t][i]", "samples[t - 1][i]"),
        "everybody the same sample": ("samples[t][i]", "samples[t][0]"),
        "liars forge the gradient": ("[*momenta, *lies]", "[*momenta, *(momenta[-1:] + lies)]"),
        "liars not aggregated": ("[*momenta, *lies]", "[*momenta, *momenta[:byzantine]]"),
    },
    "rosdhb": {
        "d/k missing": ("d / k * payload", "payload"),
        "d/k on lies too": ("forge(read[:honest])[mask]", "d / k * forge(read[:honest])[mask]"),
        "1-beta dropped": ("(1 - beta) * ", ""),
        "only the mask fades": (
            "beta * momenta[i] +",
            "np.where(np.isin(np.arange(d), mask), beta, 1) * momenta[i] +",
        ),
        "mask not fresh": ("mask = masks[t]", "mask = masks[0]"),
        "mask one round late": ("mask = masks[t]", "mask = masks[t - 1]"),
        "Byzantine momenta not updated": ("for i in range(n)", "for i in range(honest)"),
        "lies not masked": (
            "read[i, mask] = forge(read[:honest])[mask]",
            "read[i] = forge(np.array([sampled(j, samples[t][j], x) for j in range(honest)]))",
        ),
        "aggregated before the update": (
            "        for i in range(n):",
            "        x = x - gamma * aggregate(momenta)\n        for i in range(n):",
        ),
    },
    "byz_dasha_page": {
        "d/k missing": ("d / k * difference", "difference"),
        "a = 1/(omega+1)": ("1 / (2 * omega + 1)", "1 / (omega + 1)"),
        "a = 1": ("1 / (2 * omega + 1)", "1"),
        "no correction": (" - a * (g[i] - h[i])", ""),
        "correction of the other sign": ("- a * (g[i]", "+ a * (g[i]"),
        "stale sample in PAGE": (
            "sampled(i, samples[t][i], old)",
            "sampled(i, samples[t - 1][i], old)",
        ),
        "both points the same": ("sampled(i, samples[t][i], old)", "sampled(i, samples[t][i], x)"),
        "coin ignored": ("if coins[t]:", "if True:"),
        "coin never": ("if coins[t]:", "if False:"),
        "coin one round late": ("if coins[t]:", "if coins[t - 1]:"),
        "subset of another worker": (
            "message[i, subsets[t][i]] = d",
            "message[i, subsets[t][0]] = d",
        ),
        "estimate not remembered": ("            h[i] = new\n", ""),
        "Byzantine estimates not updated": ("for i in range(n)", "for i in range(honest)"),
        "start from zero": ("memories = [], [g.copy()]", "memories = [], [0 * g]; g = 0 * g"),
        "honest start of liars": ("*[forge(h)] * byzantine", "*h[:byzantine]"),
    },
}  # fmt: skip

# Additive noise cancels in a difference of gradients on one sample: there PAGE is the full gradient
# whatever the coin says.
UNSEEN = {("noisy", "coin ignored"), ("noisy", "coin never"), ("noisy", "coin one round late")}


@pytest.mark.parametrize("setting", often(SETTINGS, ["sampled"]))
@pytest.mark.parametrize(
    ("name", "mutant"), [(name, mutant) for name in MUTANTS for mutant in MUTANTS[name]]
)
def test_a_planted_mistake_is_seen(name, mutant, setting):
    old, new = MUTANTS[name][mutant]
    source = inspect.getsource(getattr(reference, name))
    assert source.count(old) == 1
    scope = vars(reference).copy()
    exec(source.replace(old, new), scope)
    with np.errstate(all="ignore"):  # a mutant may diverge
        apart = gap(of_library(name, setting), by_hand(name, setting, SimpleNamespace(**scope)))
    if (setting, mutant) in UNSEEN:
        assert apart < EQUAL
    else:
        assert not apart < DIFFERENT  # NaN is different too
