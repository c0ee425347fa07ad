"""Partial participation: who takes part, what of the others is kept, and what is charged."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from algorithms.recording import play, recorded
from lengths import often

import jaxbyz as jb
from jaxbyz.core import Attack
from jaxbyz.simulation.absence import stand_ins
from jaxbyz.simulation.agreement import agreed
from jaxbyz.testing import check_algorithm
from paper_figs import race

KEY = jax.random.key(5)
with jax.enable_x64(False):
    ROWS = jb.data.synthetic_binary(samples=60, features=4, seed=0, density=0.5)
    SUMS = jb.problems.logistic(ROWS, honest=5, byzantine=2, batch=2)
METHODS = race.methods(SUMS.samples, f=2)
ROUNDS = 4


def made(name, f=2):
    """A method and a rule for f Byzantine workers; f = 1 is enough for 4 rows."""
    return race.methods(SUMS.samples, f=f)[name](0.1, jb.trimmed_mean(f))


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, jax.tree.leaves(one), jax.tree.leaves(other))


@pytest.mark.parametrize("name", often(METHODS, ("RoSDHB", "Byz-DASHA-PAGE")))
def test_all_workers_are_the_algorithm_itself(name):
    """Bit for bit, under an attack."""
    whole = jb.partial_participation(made(name), workers=7)
    runs = [
        jax.jit(play(method, SUMS, jb.alie(), rounds=ROUNDS))(KEY) for method in (made(name), whole)
    ]
    same(*runs)


def attended(name, always, rounds=ROUNDS, attack=None, **how):
    """States and what crossed in every round; 4 of 7 workers."""
    method = jb.partial_participation(recorded(made(name, f=1)), workers=4, always=always)
    game = play(method, SUMS, attack, rounds=rounds, **how)
    (start, _), (states, infos) = jax.jit(game)(KEY)
    every = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, states)
    return every, infos


@pytest.mark.parametrize("name", often(METHODS, ("RoSDHB", "Byz-VR-DM21", "Byz-DASHA-PAGE")))
def test_a_round_is_the_algorithm_among_those_who_were_asked(name):
    """Nobody else computes, and nothing else is changed at the server."""
    states, infos = attended(name, always=0)
    asked = np.asarray(infos.asked)
    assert (asked.sum(axis=1) == 4).all()
    assert len({tuple(row) for row in asked.tolist()}) > 1
    assert ((np.asarray(infos.uplink)[..., 1] > 0) == asked).all()
    memories = jax.tree.leaves(jax.tree.map(np.asarray, states.workers[0]))
    for before, after in ((leaf[:-1], leaf[1:]) for leaf in memories):
        assert np.array_equal(before[~asked], after[~asked])
    plain = made(name, f=1)
    rows = plain.server.start(states.server.x[0], 7)
    of_workers = jax.tree.map(lambda leaf: leaf.shape[:1] == (7,), rows)
    moved = []
    for t in range(ROUNDS):
        before, after = (
            jax.tree.map(lambda leaf, t=t: leaf[t], states.server.inner) for t in (t, t + 1)
        )
        for own, old, new in zip(*map(jax.tree.leaves, (of_workers, before, after)), strict=True):
            if own:
                assert np.array_equal(old[~asked[t]], new[~asked[t]])
                moved.append(not np.array_equal(old[asked[t]], new[asked[t]]))
    assert all(moved)


def test_the_rule_sees_the_rows_of_those_who_were_asked():
    """D-SGD with the mean: x moves by the mean of their rows alone."""
    method = jb.partial_participation(
        jb.robust_sgd(optimizer=optax.sgd(0.5), aggregator=jb.aggregators.mean()), workers=3
    )
    problem = jb.problems.quadratics(honest=6, dimension=3, hessian_spread=0.3, seed=2)
    (start, _), (states, infos) = jax.jit(play(method, problem, rounds=5))(KEY)
    x = np.asarray(start.server.x)
    for t in range(5):
        who = np.flatnonzero(infos.asked[t])
        slopes = np.einsum("hij,j->hi", problem.matrices, x) - problem.vectors
        # Three numbers of size one in float32.
        np.testing.assert_allclose(infos.server.aggregate[t], slopes[who].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(infos.server.rows[t][who], slopes[who], atol=1e-6)
        x = np.asarray(states.server.x[t])


def test_some_are_always_asked_and_the_others_equally_often():
    """150 rounds: each of five is drawn with probability 2/5."""
    _, infos = attended("RoSDHB", always=2, rounds=150)
    asked = np.asarray(infos.asked)
    assert asked[:, 5:].all()
    assert (asked[:, :5].sum(axis=1) == 2).all()
    # Six standard deviations of a binomial number.
    assert (abs(asked[:, :5].sum(axis=0) - 60) < 6 * (150 * 0.4 * 0.6) ** 0.5).all()


def test_absent_workers_are_not_computed_one_by_one():
    """The same run, in which only those who are asked ask their oracles."""
    counted = []
    quadratics = jb.problems.quadratics(honest=5, byzantine=0, dimension=3)

    def telling(local):
        oracle = quadratics.oracle(local)

        def grad(batch, x):
            jax.debug.callback(lambda _: counted.append(1), x[0])
            return oracle.grad(batch, x)

        return oracle._replace(grad=grad)

    problem = dataclasses.replace(quadratics, oracle=telling)
    method = jb.partial_participation(
        jb.robust_sgd(optimizer=optax.sgd(0.5), aggregator=jb.aggregators.mean()), workers=2
    )
    runs = []
    for mapping in (jax.vmap, jb.one_by_one):
        counted.clear()
        runs.append(jax.jit(play(method, problem, rounds=3, map_workers=mapping))(KEY))
        jax.effects_barrier()
        runs[-1] = runs[-1], len(counted)
    same(runs[0][0], runs[1][0])
    assert (runs[0][1], runs[1][1]) == (15, 6)


@pytest.mark.long
def test_devices_and_mappings_give_what_one_program_gives():
    """Also a branch that is not taken on some device."""
    problem = jb.problems.quadratics(honest=8, byzantine=0, dimension=3, noise=0.3)
    method = jb.partial_participation(
        jb.byz_dm21(
            eta=0.5, compressor=jb.top_k(k=1), optimizer=optax.sgd(0.1),
            aggregator=jb.aggregators.mean(),
        ),
        workers=5,
    )  # fmt: skip
    ways = (
        {},
        {"devices": jax.devices()},
        {"devices": jax.devices(), "map_workers": jb.one_by_one},
    )
    one, *others = [jb.train(method, problem, rounds=6, progress=False, **way) for way in ways]
    for other in others:
        for name, values in one.columns.items():
            # The same sums in a different program; a few float32 roundings per round.
            np.testing.assert_allclose(other[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_attackers_see_those_who_took_part():
    """An attack that repeats what it sees of an absent worker repeats a present one's row."""

    def forge(key, state, view):
        return state, view.honest[:2]

    mirror = Attack("mirror", lambda key, d: (), forge, None)
    _, infos = attended("RoSDHB", always=2, attack=mirror)
    for asked, rows in zip(np.asarray(infos.asked), np.asarray(infos.server.rows), strict=True):
        present = np.flatnonzero(asked[:5])
        for worker in np.flatnonzero(~asked[:5]):
            assert any(np.array_equal(rows[worker], rows[other]) for other in present)


def test_stand_ins_take_turns():
    asked = jnp.array([True, False, True, False, False, False, False])
    assert stand_ins(asked, honest=5).tolist() == [0, 0, 2, 2, 0, 5, 6]
    assert stand_ins(jnp.ones(4, bool), honest=4).tolist() == [0, 1, 2, 3]
    assert stand_ins(jnp.zeros(3, bool), honest=2).tolist() == [0, 1, 2]


def test_costs():
    page = jb.partial_participation(made("Byz-DASHA-PAGE"), workers=4)
    seen, before = jb.describe(page, 10), jb.describe(made("Byz-DASHA-PAGE"), 10)
    assert seen.workers_in_a_round == 4
    assert seen.uplink_bits == before.uplink_bits
    assert (seen.sampled_gradients, seen.full_gradients) == (
        before.sampled_gradients, before.full_gradients,
    )  # fmt: skip
    assert seen.server_memory_per_worker == before.server_memory_per_worker
    assert seen.server_memory == before.server_memory
    some = jb.partial_participation(made("RoSDHB", f=1), workers=4, always=2)
    history = jb.train(some, SUMS, rounds=3)
    # Two of five honest workers in every round; d = 4.
    costs = jb.describe(some, 4)
    assert history["uplink_bits"][0, -1] == 3 * costs.uplink_bits * 2 / 5
    assert history["downlink_bits"][0, -1] == 3 * costs.downlink_bits * 2 / 5


@pytest.mark.long
@pytest.mark.parametrize("name", ["RoSDHB", "Byz-DM21"])
def test_the_battery_of_every_algorithm(name):
    """Seeds, devices, NaN, faulty rounds; both Byzantine workers are always asked.

    It also runs with f = 0, when there are five workers.
    """
    some = jb.partial_participation(made(name), workers=5, always=2)
    assert len(check_algorithm(some, problem=SUMS).checked) >= 7


def test_with_local_steps_and_a_rule_that_takes_f_from_the_problem():
    rosdhb = jb.rosdhb(
        k=2, momentum=0.5, optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(None)
    )
    some = jb.partial_participation(rosdhb, workers=6)
    method = jb.local_steps(some, steps=2, step_size=0.1)
    assert agreed(method, SUMS).algorithm.aggregator.f == 2
    assert np.isfinite(jb.train(method, SUMS, attack=jb.alie(), rounds=3)["loss"]).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"workers": 0}, "workers must be"),
        ({"workers": 8}, "workers must be at most the problem's n = 7, got 8"),
        ({"workers": 3, "always": 4}, "always must be"),
        ({"workers": 4}, "rows"),  # too few for a rule with f = 2
    ],
)
def test_what_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        jb.build(jb.partial_participation(made("RoSDHB"), **wrong), SUMS)


def test_once_is_enough():
    once = jb.partial_participation(made("RoSDHB"), workers=6)
    with pytest.raises(ValueError, match="no partial participation yet"):
        jb.partial_participation(once, workers=5)
