import functools
import math
import types
import warnings
from pathlib import Path

import catalogue
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from catalogue import ATTACKS
from reference import aggregators as reference

from jaxbyz import attacks
from jaxbyz.aggregators import mean, trimmed_mean
from jaxbyz.algorithms import byz_dasha_page, robust_sgd, rosdhb
from jaxbyz.attacks import (
    FOE_STRENGTHS,
    alie,
    alie_factor,
    forged,
    ipm,
    ipm_search,
    label_flip,
    no_attack,
    sign_flip,
    strength_search,
)
from jaxbyz.attacks.search.objectives import deviation_from_honest_mean
from jaxbyz.compressors import seeded_rand_k
from jaxbyz.core import Attack, ServerInfo, View
from jaxbyz.data import Dataset
from jaxbyz.problems import Samples, classification, models, quadratics
from jaxbyz.simulation import assemble, build, run

pytestmark = pytest.mark.usefixtures("x64")

every = pytest.mark.parametrize("entry", ATTACKS, ids=str)
KEY = jax.random.key(0)
H, F, D = 8, 3, 5
HONEST = np.random.default_rng(0).normal(size=(H, D)) * 10.0 ** np.arange(D)

SERVER = types.SimpleNamespace(x=np.zeros(D))


def view_of(honest, byzantine=F, respond=None):
    return View(
        round=jnp.array(1, jnp.int32),
        honest=jnp.asarray(honest),
        own=None,
        broadcast=None,
        server=None,
        read=lambda wanted: wanted,
        respond=respond,
        byzantine=byzantine,
    )


def forge(attack, honest=HONEST, byzantine=F, respond=None):
    memory = attack.init(KEY, honest.shape[1])
    memory, rows = attack.forge(KEY, memory, view_of(honest, byzantine, respond))
    assert memory is None
    assert rows.shape == (byzantine, honest.shape[1])
    assert rows.dtype == honest.dtype
    return np.asarray(rows)


def same_for_all(vector, byzantine=F):
    return np.tile(vector, (byzantine, 1))


# Formulas in another order of summation: a few roundings.
CLOSE = {"rtol": 1e-13, "atol": 0}


# ---- closed forms ------------------------------------------------------------------------------


def test_sign_flip_and_ipm():
    centre = HONEST.mean(axis=0)
    np.testing.assert_allclose(forge(sign_flip()), same_for_all(-centre), **CLOSE)
    np.testing.assert_allclose(forge(ipm()), same_for_all(-0.1 * centre), **CLOSE)
    for eps in (0.5, 2, np.float64(7.25), jnp.array(1.5)):
        np.testing.assert_allclose(forge(ipm(eps)), same_for_all(-float(eps) * centre), **CLOSE)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("ddof", [0, 1])
def test_alie_is_so_many_standard_deviations_off_the_mean(sign, ddof):
    centre, deviation = HONEST.mean(axis=0), HONEST.std(axis=0, ddof=ddof)
    for z in (1.5, 0.0, -0.7):
        rows = forge(alie(z=z, sign=sign, ddof=ddof))
        np.testing.assert_allclose(rows, same_for_all(centre + sign * z * deviation), **CLOSE)
    z = alie_factor(H + F, F)
    assert z > 0
    rows = forge(alie(sign=sign, ddof=ddof))
    np.testing.assert_allclose(rows, same_for_all(centre + sign * z * deviation), **CLOSE)


def test_alie_defaults_are_minus_and_ddof_one():
    rows = forge(alie(z=1.0))
    expected = HONEST.mean(axis=0) - HONEST.std(axis=0, ddof=1)
    np.testing.assert_allclose(rows, same_for_all(expected), **CLOSE)


def test_alie_factor_is_the_published_quantile():
    assert alie_factor(11, 1) == 0
    assert alie_factor(13, 3) == pytest.approx(0.2533471031357997, rel=1e-14)
    assert alie_factor(50, 12) == pytest.approx(0.3360381, abs=1e-7)  # s = 14, Φ⁻¹(24/38)
    for n in range(3, 40):
        for f in range(n // 2 + 1):
            s = n // 2 + 1 - f  # whom the attacker has to win over
            p = (n - f - s) / (n - f)
            assert 0 < p < 1
            z = alie_factor(n, f)
            assert 0.5 * (1 + math.erf(z / math.sqrt(2))) == pytest.approx(p, rel=1e-12)
            assert (z <= 0) == (f <= (2 if n % 2 == 0 else 1))


@pytest.mark.parametrize(
    ("n", "f"), [(1, 0), (2, 0), (2, 1), (3, 2), (4, 3), (7, 4), (3, 3), (10, 10), (5, 9)]
)
def test_alie_has_no_factor_there(n, f):
    with pytest.raises(ValueError, match=f"n = {n} and f = {f}"):
        alie_factor(n, f)


def test_alie_warns_where_it_is_harmless_or_reversed():
    for honest, byzantine in ((10, 1), (8, 2), (9, 1)):
        with pytest.warns(UserWarning, match="harmless or reversed; give z explicitly"):
            rows = forge(alie(), HONEST[:1].repeat(honest, axis=0), byzantine)
        np.testing.assert_allclose(rows, same_for_all(HONEST[0], byzantine), **CLOSE)


def test_alie_needs_honest_workers_enough_for_its_deviation():
    with pytest.raises(ValueError, match="more than 1 honest"):
        forge(alie(z=1.0), HONEST[:1])
    np.testing.assert_allclose(forge(alie(z=1.0, ddof=0), HONEST[:1]), same_for_all(HONEST[0]))


def test_forged_from_a_function():
    one = forged("median", lambda honest: 2 * jnp.median(honest, axis=0))
    np.testing.assert_allclose(forge(one), same_for_all(2 * np.median(HONEST, axis=0)), **CLOSE)
    each = forged("minus three of them", lambda honest: -honest[:F])
    np.testing.assert_array_equal(forge(each), -HONEST[:F])
    nothing = forged("not a number", lambda honest: jnp.full(honest.shape[1], jnp.nan))
    assert np.isnan(forge(nothing)).all()
    narrow = forge(forged("wide", lambda honest: honest[0]), HONEST.astype(np.float32))
    assert narrow.dtype == np.float32


@pytest.mark.parametrize("shape", [(), (1,), (D + 1,), (F + 1, D), (1, D), (F, 1), (H, D)])
def test_forged_of_another_shape_is_refused(shape):
    # Broadcasting would turn a forgotten axis=0 into another attack.
    with pytest.raises(ValueError, match=rf"'wrong' must forge .* = \({F}, {D}\)"):
        forge(forged("wrong", lambda honest: jnp.zeros(shape)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ipm(0), r"eps must lie in \(0, inf\), got 0"),
        (lambda: ipm(-1.0), r"eps must lie in \(0, inf\), got -1.0"),
        (lambda: ipm(math.inf), r"eps must lie in \(0, inf\), got inf"),
        (lambda: ipm(math.nan), r"eps must lie in \(0, inf\), got nan"),
        (lambda: ipm(None), r"eps must be a number in \(0, inf\), got None"),
        (lambda: alie(sign=0), "sign must be -1 or 1, got 0"),
        (lambda: alie(ddof=2), "ddof must be 0 or 1, got 2"),
        (lambda: alie(z=math.nan), r"z must lie in \(-inf, inf\), got nan"),
        (lambda: alie(z=math.inf), r"z must lie in \(-inf, inf\), got inf"),
        (lambda: label_flip(1), "classes must be an integer >= 2, got 1"),
        (lambda: label_flip(10.0), "classes must be an integer >= 2, got 10.0"),
        (lambda: ipm_search([]), "strengths must be a non-empty list of finite numbers"),
        (lambda: ipm_search([1.0, math.nan]), "strengths must be a non-empty list"),
        (lambda: ipm_search([[1.0]]), "strengths must be a non-empty list"),
        (lambda: strength_search("s", lambda h: h[0], 3.0), "strengths must be a non-empty list"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---- attacks on data ---------------------------------------------------------------------------


def labelled(workers=3, m=4, classes=10):
    labels = np.random.default_rng(1).integers(0, classes, size=(workers, m))
    return Samples(jnp.zeros((workers, m, 2, 2, 1)), jnp.asarray(labels))


def test_label_flip_mirrors_the_labels_and_nothing_else():
    data = labelled()
    poisoned = label_flip(10).poison(data)
    assert np.array_equal(poisoned.labels, 9 - np.asarray(data.labels))
    assert (poisoned.labels != data.labels).all()  # with an even number of classes all of them
    assert poisoned.images is data.images
    assert np.array_equal(jax.jit(label_flip(10).poison)(data).labels, poisoned.labels)
    assert poisoned.labels.dtype == data.labels.dtype
    binary = Samples(data.images, data.labels % 2)
    assert np.array_equal(label_flip(2).poison(binary).labels, 1 - np.asarray(binary.labels))


def test_label_flip_refuses_data_it_cannot_flip():
    with pytest.raises(ValueError, match="needs worker data with labels"):
        label_flip(10).poison(jnp.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"needs labels in 0..4, got 0..9"):
        label_flip(5).poison(labelled(m=50))


def images_with_labels(honest, byzantine):
    random = np.random.default_rng(2)
    samples = (random.normal(size=(60, 2, 2, 1)), random.integers(0, 10, 60))
    dataset = Dataset("random", *samples, *samples, 10)
    return classification(dataset, honest=honest, byzantine=byzantine, model=models.Linear(10))


def test_byzantine_workers_hold_poisoned_copies_of_honest_data():
    problem = images_with_labels(4, 6)
    data = assemble(descent(), problem, label_flip(10)).data
    kept = assemble(descent(), problem, no_attack()).data
    own = np.concatenate([np.arange(4), [0, 1, 2, 3, 0, 1]])  # whose images they hold
    for held in (data, kept):
        assert np.array_equal(held.images, np.asarray(problem.data.images)[own])
        assert np.array_equal(held.labels[:4], problem.data.labels)
    labels = np.asarray(problem.data.labels)[own]
    assert np.array_equal(kept.labels, labels)
    assert np.array_equal(data.labels[4:], 9 - labels[4:])
    only_messages = assemble(descent(), problem, sign_flip()).data
    assert only_messages is problem.data


# ---- through the simulation --------------------------------------------------------------------


def descent(aggregator=None, **options):
    rule = trimmed_mean(2) if aggregator is None else aggregator
    return robust_sgd(optimizer=optax.sgd(0.1), aggregator=rule, **options)


def play(algorithm, problem, attack, rounds):
    """What the server saw in every round: ServerInfo with a leading round axis, and the model."""
    simulation = build(algorithm, problem, attack)

    def whole(key, x, data):
        state, _ = simulation.init(key, x, data)
        everything = run(simulation.step, rounds, lambda state, info: (info.server, state.server.x))
        return everything(key, state, data)[1]

    info, xs = jax.jit(whole)(KEY, problem.init(KEY), simulation.data)
    return jax.tree.map(np.asarray, info), np.asarray(xs)


@functools.cache
def problem_for(labels, honest, byzantine):
    if labels:
        return images_with_labels(honest, byzantine)
    return quadratics(honest=honest, byzantine=byzantine, dimension=4, seed=3)


ALGORITHMS = {
    "robust D-SGD": descent,
    "RoSDHB": lambda: rosdhb(
        k=3, momentum=0.5, optimizer=optax.sgd(0.1), aggregator=trimmed_mean(2)
    ),
    "Byz-DASHA-PAGE": lambda: byz_dasha_page(
        optimizer=optax.sgd(0.1),
        aggregator=trimmed_mean(2),
        compressor=seeded_rand_k(k=3),
        probability=0.5,
    ),
}


def step_by_step(algorithm, problem, attack, rounds, compiled):
    """The same as `play`; where nothing is searched, compiling would take most of the time."""
    with jax.disable_jit(not compiled):
        simulation = build(algorithm, problem, attack)
        step = jax.jit(simulation.step) if compiled else simulation.step
        state, _ = simulation.init(KEY, problem.init(KEY), simulation.data)
        infos, xs = [], []
        for _ in range(rounds):
            state, info = step(jax.random.fold_in(KEY, state.round), state, simulation.data)
            infos.append(info.server)
            xs.append(state.server.x)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *infos), np.stack(xs)


@functools.cache
def calm_play(name, labels):
    problem = problem_for(labels, 5, 2)
    return step_by_step(ALGORITHMS[name](), problem, None, 3, compiled=False)


# Every attack on one algorithm, one attack on one more; the others in `make test-all`.
OFTEN = ("sign flip", "RoSDHB")
GAMES = [
    pytest.param(
        entry,
        name,
        id=f"{entry}-{name}",
        marks=() if name == "robust D-SGD" or (entry.name, name) == OFTEN else pytest.mark.long,
    )
    for entry in ATTACKS
    for name in ALGORITHMS
]


@pytest.mark.parametrize(("entry", "name"), GAMES)
def test_each_attack_changes_the_outcome_and_no_honest_row(entry, name):
    problem = problem_for(entry.labels, 5, 2)
    calm, calm_xs = calm_play(name, entry.labels)
    info, xs = step_by_step(ALGORITHMS[name](), problem, entry.make(), 3, entry.searched)
    assert np.isfinite(xs).all()
    assert np.isfinite(info.rows).all()
    assert np.array_equal(info.rejected, np.tile([False] * 5 + [entry.rejected] * 2, (3, 1)))
    # In the first round all workers are at the same point, attack or not; in Byz-DASHA-PAGE only
    # up to the hello, which is attacked too.
    if name != "Byz-DASHA-PAGE":
        np.testing.assert_allclose(info.rows[0, :5], calm.rows[0, :5], rtol=1e-12, atol=1e-12)
    if name == "robust D-SGD":
        assert entry.equal == all(np.array_equal(rows[5], rows[6]) for rows in info.rows)
    if entry.harmless:
        assert np.array_equal(xs, calm_xs)
        assert np.array_equal(info.rows, calm.rows)
    else:
        assert np.linalg.norm(info.rows[:, 5:] - calm.rows[:, 5:]) > 1e-2
        assert np.linalg.norm(xs[-1] - calm_xs[-1]) > 1e-3 * np.linalg.norm(calm_xs[-1])


@every
def test_without_byzantine_workers_an_attack_is_nothing(entry):
    problem = problem_for(entry.labels, 5, 0)

    def program(attack):
        simulation = assemble(descent(), problem, attack)  # `build` warns of it
        assert simulation.data is problem.data
        x = jax.eval_shape(problem.init, KEY)
        state, _ = jax.eval_shape(simulation.init, KEY, x, simulation.data)
        jaxpr = jax.make_jaxpr(simulation.step)(KEY, state, simulation.data).jaxpr
        # A state that is carried along adds arguments, but nothing that is computed.
        return [equation.primitive.name for equation in jaxpr.eqns]

    assert program(entry.make()) == program(None)


def test_rows_of_another_shape_are_refused():
    problem = quadratics(honest=5, byzantine=2, dimension=4, seed=3)
    for shape in ((4,), (1, 4), (7, 4), (2, 3)):
        attack = Attack("odd", lambda k, d: None, lambda k, s, v, a=shape: (s, jnp.zeros(a)), None)
        with pytest.raises(ValueError, match=r"'odd' must forge rows of shape \[f, d\] = \(2, 4\)"):
            play(descent(), problem, attack, 1)


def test_an_attack_must_do_something():
    problem = quadratics(honest=5, byzantine=2, dimension=4, seed=3)
    with pytest.raises(ValueError, match="'idle' has neither forge nor poison"):
        build(descent(), problem, Attack("idle", lambda k, d: None, None, None))


def test_what_the_adversary_sees():
    problem = quadratics(honest=5, byzantine=2, dimension=4, seed=3)
    gradients = -np.asarray(problem.vectors)  # at the origin
    seen = {}

    def forge(key, state, view):
        assert view.honest.shape == (5, 4)
        assert view.byzantine == 2
        own = jnp.zeros((2, 4)) if view.own is None else view.own
        answer = view.respond(jnp.full((2, 4), 9.0))
        seen["own"] = view.own is not None
        return state + 1, jnp.concatenate([own[:1] * 3, answer.aggregate[None] + state])

    for poison in (None, lambda data: data):
        attack = Attack("spy", lambda key, d: jnp.full((), float(d)), forge, poison)
        info, _ = play(descent(), problem, attack, 1)
        assert seen["own"] == (poison is not None)
        # Byzantine worker 5 holds a copy of the data of worker 0.
        expected = 0 * gradients[0] if poison is None else 3 * gradients[0]
        np.testing.assert_allclose(info.rows[0, 5], expected, **CLOSE)
        with_nines = np.concatenate([gradients, np.full((2, 4), 9.0)])
        answer = reference.trimmed_mean(with_nines, 2)
        np.testing.assert_allclose(info.rows[0, 6], answer + 4, rtol=1e-12)


# ---- searched ----------------------------------------------------------------------------------


def damage(rows, honest, f):
    error = reference.trimmed_mean(rows, f) - rows[:honest].mean(axis=0)
    return error @ error


def test_foe_strengths_are_those_of_the_experiments():
    assert tuple(i / 10 for i in range(1, 51)) == FOE_STRENGTHS


def test_damage_is_the_distance_to_the_honest_mean_of_the_servers_rows():
    rows = np.concatenate([HONEST, np.zeros((F, D))])
    info = ServerInfo(jnp.asarray(rows), jnp.arange(float(D)), jnp.zeros(H + F, bool), {})
    expected = ((np.arange(D) - HONEST.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(deviation_from_honest_mean(info, H), expected, **CLOSE)


def assert_best(sent, lies, scores):
    """The rows sent are one of the lies, and no other lie does more damage."""
    (choice,) = (i for i, lie in enumerate(lies) if np.allclose(sent, lie, rtol=0, atol=1e-9))
    # Strengths beyond all honest rows do equal damage, up to the order of summation.
    assert scores[choice] >= max(scores) * (1 - 1e-12)
    return choice


def test_search_without_memory_finds_the_best_of_its_list():
    problem = quadratics(honest=10, byzantine=3, dimension=20, seed=0)
    info, _ = play(descent(trimmed_mean(3)), problem, ipm_search(), 3)
    for rows in info.rows:  # every round is at another point
        honest = rows[:10]
        centre = honest.mean(axis=0)
        lies = [np.tile(-eps * centre, (3, 1)) for eps in FOE_STRENGTHS]
        scores = [damage(np.concatenate([honest, lie]), 10, 3) for lie in lies]
        assert_best(rows[10:], lies, scores)
        assert max(scores) > 2 * min(scores)


def test_search_goes_through_momenta_masks_and_the_codec():
    strengths = np.linspace(-2, 2, 21)
    attack = strength_search("either way", lambda honest: honest[0], strengths)
    problem = quadratics(honest=10, byzantine=3, dimension=6, seed=3)
    algorithm = rosdhb(k=2, momentum=0.6, optimizer=optax.sgd(0.1), aggregator=trimmed_mean(3))
    info, _ = play(algorithm, problem, attack, 8)
    before, choices, memoryless = np.zeros((13, 6)), [], []
    for rows in info.rows:
        faded = 0.6 * before
        heard = (rows - faded) / 0.4  # decoded vectors, 0 off the mask
        assert (np.abs(heard[0]) > 1e-9).sum() == 2
        lies = [faded[10:] + 0.4 * tau * heard[0] for tau in strengths]
        scores = [damage(np.concatenate([rows[:10], lie]), 10, 3) for lie in lies]
        choices.append(assert_best(rows[10:], lies, scores))
        said = [np.concatenate([heard[:10], np.tile(tau * heard[0], (3, 1))]) for tau in strengths]
        memoryless.append(int(np.argmax([damage(vectors, 10, 3) for vectors in said])))
        before = rows
    assert len(set(choices)) > 1  # the strength is chosen anew in every round
    assert choices != memoryless  # a search on the round's vectors alone would choose differently


def test_search_takes_any_direction_list_and_damage():
    problem = quadratics(honest=5, byzantine=2, dimension=4, seed=3)

    def coordinate(info, honest):  # push the first coordinate of the aggregate up
        assert honest == 5
        return info.aggregate[0]

    attack = strength_search("up", lambda honest: jnp.ones(4), (-3.0, 0.0, 2.0, 1.0), coordinate)
    info, _ = play(descent(mean()), problem, attack, 1)
    assert (info.rows[0, 5:] == 2.0).all()


def test_ties_of_the_search_go_to_the_first_strength():
    attack = strength_search("flat", lambda honest: honest[0], [3, 1], lambda info, h: info[0, 0])
    rows = forge(attack, respond=lambda wanted: jnp.zeros((1, 1)))
    np.testing.assert_array_equal(rows, same_for_all(3 * HONEST[0]))


# ---- all of them -------------------------------------------------------------------------------


def test_every_public_attack_is_in_the_catalogue():
    public = [getattr(attacks, name) for name in attacks.__all__]
    makers = [p for p in public if getattr(p, "__annotations__", {}).get("return") == "Attack"]
    assert len(makers) > 30
    text = Path(catalogue.__file__).read_text(encoding="utf-8")
    assert not [make.__name__ for make in makers if f"attacks.{make.__name__}" not in text]


@pytest.mark.parametrize("entry", [e for e in ATTACKS if e.make().forge], ids=str)
def test_with_nobody_byzantine_there_is_nothing_to_say(entry):
    attack = entry.make()

    def respond(wanted):
        rows = jnp.concatenate([jnp.asarray(HONEST), wanted])
        return ServerInfo(rows, rows.mean(axis=0), jnp.zeros(H, bool), {})

    view = view_of(HONEST, 0, respond)._replace(own=jnp.zeros((0, D)), server=SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = jax.eval_shape(lambda: attack.forge(KEY, attack.init(KEY, D), view)[1])
    assert rows.shape == (0, D)
