"""What an attacker may do and see in a simulation, and what is refused."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxbyz import aggregators, algorithms, attacks, compressors, problems, simulation
from jaxbyz.core import Aggregated, Aggregator, Attack
from jaxbyz.messages import Dense, Seeded, SharedSupport

HONEST, BYZANTINE, DIMENSION, KEEP = 5, 2, 4, 2
N = HONEST + BYZANTINE
INIT, RUN = jax.random.split(jax.random.key(2))


def quadratics(byzantine=BYZANTINE, noise=0.5):
    return problems.quadratics(
        honest=HONEST, byzantine=byzantine, dimension=DIMENSION, noise=noise, seed=4
    )


def drawing_mean():
    """A rule that draws and remembers: the mean plus noise, and how often it was asked."""

    def apply(key, state, rows):
        value = rows.mean(axis=0) + jax.random.normal(key, rows.shape[1:])
        return state + 1, Aggregated(value, ~jnp.isfinite(rows).all(axis=1), {"asked": state})

    return Aggregator(lambda d: jnp.zeros((), jnp.int32), apply)


def all_algorithms(aggregator):
    common = {"optimizer": optax.sgd(0.1), "aggregator": aggregator}
    return {
        "robust_sgd": algorithms.robust_sgd(momentum=0.5, **common),
        "rosdhb": algorithms.rosdhb(k=KEEP, momentum=0.5, **common),
        "byz_dasha_page": algorithms.byz_dasha_page(
            compressor=compressors.seeded_rand_k(k=KEEP), probability=0.5, **common
        ),
    }


NAMES = tuple(all_algorithms(aggregators.mean()))


def play(algorithm, problem, attack=None, rounds=3):
    """(start, (end, (states, infos)))."""
    sim = simulation.build(algorithm, problem, attack)
    start = jax.jit(sim.init)(INIT, problem.init(INIT), sim.data)
    advance = jax.jit(simulation.run(sim.step, rounds, lambda *both: both))
    return start, advance(RUN, start[0], sim.data)


def same(a, b):
    return all(
        np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


# An attack that writes down what it sees, and keeps it as its state.


class Notes(NamedTuple):
    key: jax.Array
    round: jax.Array
    calls: jax.Array
    honest: jax.Array  # [h, d]
    broadcast_x: jax.Array  # [d]
    server_x: jax.Array  # [d]
    predicted_rows: jax.Array  # [n, d]
    predicted: jax.Array  # [d]
    rejected: jax.Array  # [n]
    own: jax.Array  # [f, d]


def note_taker(poison=None):
    def init(key, d):
        return Notes(
            key=key,
            round=jnp.array(-1, jnp.int32),
            calls=jnp.array(0),
            honest=jnp.zeros((HONEST, d)),
            broadcast_x=jnp.zeros(d),
            server_x=jnp.zeros(d),
            predicted_rows=jnp.zeros((N, d)),
            predicted=jnp.zeros(d),
            rejected=jnp.zeros(N, bool),
            own=jnp.zeros((BYZANTINE, d)),
        )

    def forge(key, state, view):
        wanted = jax.random.normal(key, (view.byzantine, view.honest.shape[1]))
        unsaid = view.respond(100 * wanted)  # only thought of
        info = view.respond(wanted)
        assert (view.own is None) == (poison is None)
        assert view.byzantine == BYZANTINE
        notes = Notes(
            key=key,
            round=view.round,
            calls=state.calls + 1,
            honest=view.honest,
            broadcast_x=view.broadcast.x,
            server_x=view.server.x,
            predicted_rows=info.rows,
            predicted=info.aggregate,
            rejected=info.rejected | unsaid.rejected,
            own=jnp.zeros_like(wanted) if view.own is None else view.own,
        )
        return notes, wanted

    return Attack("note taker", init, forge, poison)


@pytest.fixture(scope="module", params=NAMES)
def noted(request):
    algorithm = all_algorithms(drawing_mean())[request.param]
    return request.param, *play(algorithm, quadratics(), note_taker(poison=lambda data: data))


def test_the_attacker_knows_what_round_it_is(noted):
    name, start, (_, (states, _)) = noted
    # The start is round 0 where it is attacked; without it the first round is round 1 all the same.
    if name == "byz_dasha_page":
        assert start[0].attack.round == 0
    else:
        assert start[0].attack.round == -1  # as its own init made it
    assert states.attack.round.tolist() == [1, 2, 3]
    assert states.round.tolist() == [1, 2, 3]


def test_the_state_of_an_attack_is_carried(noted):
    name, start, (_, (states, _)) = noted
    before = 1 if name == "byz_dasha_page" else 0
    assert start[0].attack.calls == before
    assert states.attack.calls.tolist() == [before + 1, before + 2, before + 3]
    keys = jax.random.key_data(jnp.concatenate([start[0].attack.key[None], states.attack.key]))
    assert len(np.unique(keys, axis=0)) == 4


def test_the_attacker_can_ask_what_the_server_would_make_of_it(noted):
    """`respond` says the rows and the aggregate that follow, with the draws of the rule."""
    name, start, (_, (states, infos)) = noted
    pairs = [(states.attack, infos.server)]
    if start[1] is not None:
        pairs.append((start[0].attack, start[1].server))
    for notes, info in pairs:
        # The same arithmetic, compiled twice: float32 of size three. A rule that drew something
        # else would be off by one.
        np.testing.assert_allclose(notes.predicted_rows, info.rows, rtol=0, atol=1e-6)
        np.testing.assert_allclose(notes.predicted, info.aggregate, rtol=0, atol=1e-6)
        assert not notes.rejected.any()
    # Asking leaves no trace: the rule was asked once a round.
    before = 1 if name == "byz_dasha_page" else 0
    assert infos.server.details["asked"].tolist() == [before, before + 1, before + 2]
    # The rule does draw, afresh every round.
    drawn = np.asarray(infos.server.aggregate - infos.server.rows.mean(axis=1))
    assert len(np.unique(drawn.round(3))) == drawn.size


def test_the_attacker_sees_the_state_before_the_round(noted):
    _, start, (_, (states, _)) = noted
    models = np.concatenate([np.asarray(start[0].server.x)[None], states.server.x])
    assert np.array_equal(states.attack.broadcast_x, models[:-1])
    assert np.array_equal(states.attack.server_x, models[:-1])
    if start[1] is not None:
        assert not start[0].attack.server_x.any()


@pytest.mark.parametrize("poison", [None, lambda data: data], ids=["no data", "data"])
def test_the_attacker_sees_what_everybody_says(poison):
    """At the start of DASHA: gradients at x = 0, and the own ones those of copied data."""
    problem = quadratics()
    algorithm = all_algorithms(aggregators.mean())["byz_dasha_page"]
    sim = simulation.build(algorithm, problem, note_taker(poison))
    state, info = jax.jit(sim.init)(INIT, problem.init(INIT), sim.data)
    gradients = jnp.asarray(-problem.vectors)
    assert np.array_equal(state.attack.honest, gradients)
    # What arrives: the honest messages as they are, and lies in place of the own ones.
    assert np.array_equal(info.server.rows[:HONEST], gradients)
    forged = jax.random.normal(state.attack.key, (BYZANTINE, DIMENSION))
    assert np.array_equal(info.server.rows[HONEST:], forged)
    own = gradients[:BYZANTINE] if poison else jnp.zeros((BYZANTINE, DIMENSION))
    assert np.array_equal(state.attack.own, own)


@pytest.mark.parametrize("name", NAMES)
def test_no_key_is_used_twice(name):
    """JAX's own check, with noise, a rule that draws and an attack that draws."""

    def forge(key, state, view):
        return state, state + jax.random.normal(key, view.honest.shape)[: view.byzantine]

    attack = Attack("draws", lambda key, d: jax.random.normal(key, (d,)), forge, None)
    problem = quadratics()
    sim = simulation.build(all_algorithms(drawing_mean())[name], problem, attack)

    def both(init_key, run_key):
        state, _ = sim.init(init_key, jnp.zeros(DIMENSION), sim.data)
        return sim.step(run_key, state, sim.data)

    with jax.debug_key_reuse(True):
        jax.jit(both).lower(INIT, RUN)
        with pytest.raises(jax.errors.KeyReuseError):  # the check is awake
            jax.jit(lambda key: both(key, key)).lower(RUN)


# Forging.


def test_an_attack_in_two_lines():
    twice = attacks.forged("twice the median", lambda honest: 2 * jnp.median(honest, axis=0))
    _, (_, (_, infos)) = play(
        algorithms.robust_sgd(optimizer=optax.sgd(0.1), aggregator=aggregators.mean()),
        quadratics(),
        twice,
    )
    rows = np.asarray(infos.server.rows)
    lie = 2 * np.median(rows[:, :HONEST], axis=1)
    assert np.array_equal(rows[:, HONEST:], np.stack([lie, lie], axis=1))


def test_liars_may_say_different_things():
    attack = attacks.forged("one each", lambda honest: jnp.stack([honest[0], -honest[1]]))
    algorithm = algorithms.robust_sgd(optimizer=optax.sgd(0.1), aggregator=aggregators.mean())
    _, (_, (_, infos)) = play(algorithm, quadratics(), attack, rounds=1)
    rows = infos.server.rows[0]
    assert np.array_equal(rows[HONEST:], jnp.stack([rows[0], -rows[1]]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(BYZANTINE, DIMENSION - 1), (1, DIMENSION), (DIMENSION,)])
def test_rows_of_a_wrong_shape_are_refused(name, shape):
    attack = Attack("odd", lambda key, d: None, lambda key, s, view: (s, jnp.zeros(shape)), None)
    problem = quadratics()
    sim = simulation.build(all_algorithms(aggregators.mean())[name], problem, attack)

    def both():
        state, _ = sim.init(INIT, problem.init(INIT), sim.data)
        return sim.step(RUN, state, sim.data)

    with pytest.raises(ValueError, match=r"attack 'odd' must forge rows of shape \[f, d\]"):
        jax.eval_shape(both)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "make", [attacks.sign_flip, attacks.no_attack, lambda: attacks.label_flip(10)]
)
def test_an_attack_without_attackers_does_nothing(name, make):
    problem = quadratics(byzantine=0)
    algorithm = all_algorithms(aggregators.mean())[name]
    sim = simulation.assemble(algorithm, problem, make())  # `build` warns of it
    plain = simulation.assemble(algorithm, problem)
    assert same(sim.data, plain.data)
    x = problem.init(INIT)

    def whole(sim):
        def both(key):
            state, hello = sim.init(INIT, x, sim.data)
            return hello, sim.step(key, state, sim.data)

        return jax.make_jaxpr(both)(RUN)

    assert str(whole(sim)) == str(whole(plain))


# Data of liars.


class Labelled(NamedTuple):
    points: jax.Array
    labels: jax.Array


def labelled_problem(byzantine):
    """Worker i holds one point and one label; its gradient is label · point."""
    points = jnp.arange(1.0, 13.0).reshape(3, 4)
    problem = problems.quadratics(honest=3, byzantine=byzantine, dimension=4)

    def oracle(local):
        def gradient(*_):
            return local.labels * local.points

        return problem.oracle(jax.tree.map(lambda leaf: leaf[0], problem.data))._replace(
            full=gradient, grad=gradient
        )

    return dataclasses.replace(problem, data=Labelled(points, jnp.array([0, 3, 9])), oracle=oracle)


def test_poisoned_data_are_copies_of_honest_data():
    problem = labelled_problem(byzantine=4)  # more liars than honest workers: copies go round
    algorithm = algorithms.robust_sgd(optimizer=optax.sgd(0.1), aggregator=aggregators.mean())
    sim = simulation.build(algorithm, problem, attacks.label_flip(10))
    assert sim.data.labels.tolist() == [0, 3, 9, 9, 6, 0, 9]
    assert np.array_equal(sim.data.points[3:], problem.data.points[jnp.array([0, 1, 2, 0])])
    _, (_, (_, infos)) = play(algorithm, problem, attacks.label_flip(10), rounds=1)
    expected = sim.data.labels[:, None] * sim.data.points
    assert np.array_equal(infos.server.rows[0], expected)
    assert not infos.server.rejected.any()


def test_flipping_labels_needs_labels():
    with pytest.raises(ValueError, match="label_flip needs worker data with labels"):
        simulation.build(
            all_algorithms(aggregators.mean())["rosdhb"], quadratics(), attacks.label_flip(10)
        )


def test_an_attack_must_do_something():
    nothing = Attack("nothing", lambda key, d: None, None, None)
    with pytest.raises(ValueError, match="attack 'nothing' has neither forge nor poison"):
        simulation.build(all_algorithms(aggregators.mean())["rosdhb"], quadratics(), nothing)


# Shapes that do not fit.


@pytest.mark.parametrize("name", ["rosdhb", "byz_dasha_page"])
def test_more_coordinates_than_there_are(name):
    problem = problems.quadratics(honest=3, dimension=KEEP - 1)
    sim = simulation.build(all_algorithms(aggregators.mean())[name], problem)

    def both():
        state, _ = sim.init(INIT, problem.init(INIT), sim.data)
        return sim.step(RUN, state, sim.data)

    with pytest.raises(ValueError, match=r"k must lie in 1\.\.d, got k = 2 with d = 1"):
        jax.eval_shape(both)


# The protocol of a liar: what it sends is a message of the algorithm, near what it wants.


@pytest.mark.parametrize(
    ("name", "kind"),
    [("robust_sgd", Dense), ("rosdhb", SharedSupport), ("byz_dasha_page", Seeded)],
)
def test_a_wanted_vector_is_read_on_the_coordinates_that_are_sent(name, kind):
    algorithm = all_algorithms(aggregators.mean())[name]
    state = algorithm.server.start(jnp.zeros(DIMENSION), N)
    broadcast = algorithm.server.broadcast(RUN, state)
    wanted = jnp.array([1.0, -2.0, 3.0, 5.0])
    message = algorithm.codec.encode(INIT, broadcast, wanted)
    assert isinstance(message, kind)
    read = np.asarray(algorithm.codec.decode(broadcast, message))
    kept = (
        np.ones(DIMENSION, bool)
        if kind is Dense
        else np.isin(
            np.arange(DIMENSION),
            broadcast.subset if kind is SharedSupport else message.indices,
        )
    )
    assert kept.sum() == (DIMENSION if kind is Dense else KEEP)
    assert np.array_equal(read, np.where(kept, wanted, 0))
    # The honest message has the same shape: on the wire a liar cannot be told by it.
    problem = quadratics(byzantine=0)
    oracle = problem.oracle(jax.tree.map(lambda leaf: leaf[0], problem.data))
    own, _ = algorithm.worker.init(INIT, broadcast, oracle)
    _, honest = algorithm.worker.step(INIT, own, broadcast, oracle)
    assert jax.tree.structure(honest) == jax.tree.structure(message)
    assert jax.tree.map(jnp.shape, honest) == jax.tree.map(jnp.shape, message)
    assert honest.bits() == message.bits()
