"""The searches of attacks find what a fixed reference grid finds, on every rule, and faults show.

Every pair of family and rule must have a certificate ≥ 0.999 here, on three kinds of honest
vectors. These are fixed cases; `attacks/search/line_search` says where windows are missed.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from catalogue import AGGREGATORS, KEY_SEED
from lengths import often

from jaxbyz import attacks
from jaxbyz.aggregators import geometric_median, krum, mean, multi_krum, trimmed_mean
from jaxbyz.algorithms import rosdhb
from jaxbyz.attacks import honest_deviation, mean_sign, opposite_mean
from jaxbyz.attacks.search.line_search import on_line, search, signed_grid
from jaxbyz.attacks.search.objectives import damages
from jaxbyz.core import Attack, ServerInfo, View
from jaxbyz.problems import quadratics
from jaxbyz.simulation import build, run

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(KEY_SEED)
H, F, D = 5, 2, 4
FAMILIES = (opposite_mean, honest_deviation, mean_sign)


@functools.cache
def lines(h=H):
    """Families' directions on honest vectors that are Gaussian, of different scales, in clusters.

    [m, h, D], [m, D].
    """
    rng = np.random.default_rng(0)
    side = np.where(np.arange(h) < (h + 1) // 2, 1.0, -1.0)[:, None] * rng.normal(size=D)
    batches = [
        rng.normal(size=D) + rng.normal(size=(h, D)),
        rng.normal(size=D) + 10 ** rng.uniform(-1, 1, size=D) * rng.normal(size=(h, D)),
        rng.normal(size=D) + side + 0.2 * rng.normal(size=(h, D)),
    ]
    pairs = [(x, family(jnp.asarray(x))) for x in batches for family in FAMILIES]
    return np.array([x for x, _ in pairs]), np.array([p for _, p in pairs])


def view_of(rule, honest):
    """What an attacker sees of a server without memory."""

    def respond(wanted):
        rows = jnp.concatenate([honest, wanted])
        _, aggregated = rule.apply(KEY, rule.init(D), rows)
        return ServerInfo(rows, aggregated.value, aggregated.rejected, aggregated.details)

    return View(jnp.array(1), honest, None, None, None, lambda wanted: wanted, respond, F)


def strengths(rule, choose, h=H):
    """Certificates of the rows `choose(view, p)` [F, D] on all lines, [m]: one program."""

    def one(line):
        honest, p = line
        view = view_of(rule, honest)
        family = [lambda honest: p]
        return attacks.certificate(
            KEY, view, choose(view, p), directions=family, rivals=[]
        ).strength

    return np.asarray(jax.jit(lambda pairs: jax.lax.map(one, pairs))(lines(h)))


def searched(view, p):
    return attacks.line_search("family", lambda honest: p).forge(KEY, None, view)[1]


def best_of(taus):
    """The best of a grid, without refinement."""

    def choose(view, p):
        lie = on_line(view, lambda honest: p)
        scores = damages(KEY, view, attacks.deviation_from_honest_mean, attacks.through_server)
        return lie(taus[jnp.argmax(scores(lie, taus))])

    return choose


OFTEN = ("trimmed mean", "nnm, krum")


@pytest.mark.parametrize("entry", often(AGGREGATORS, OFTEN))
def test_line_searches_are_as_strong_as_the_reference_on_every_rule(entry):
    assert strengths(entry.make(F), searched).min() >= 0.999


@pytest.mark.parametrize("entry", often(AGGREGATORS, ()))
def test_they_are_as_strong_with_thirteen_workers(entry):
    # Where windows of damage are narrower: half of a per cent of the line, for NNM before Krum.
    assert strengths(entry.make(F), searched, h=13 - F).min() >= 0.999


@pytest.mark.long
def test_a_one_sided_grid_and_one_without_refinement_are_caught():
    rule = multi_krum(F)
    assert strengths(rule, searched).min() >= 0.999
    assert strengths(rule, best_of(jnp.asarray(signed_grid(2048)[2048:]))).min() < 0.99
    assert strengths(rule, best_of(jnp.asarray(signed_grid(48)))).min() < 0.99


# ---- the search over one number ----------------------------------------------------------------


def found(score, per_sign=96):
    """The search's answer, not below its own grid."""
    grid = jnp.asarray(signed_grid(per_sign))
    tau = float(jax.jit(lambda: search(score, grid, 30))())
    assert float(score(jnp.array([tau]))[0]) >= float(score(grid).max())
    return tau


def test_grid_is_signed_and_geometric():
    grid = signed_grid(48)
    assert grid.shape == (97,)
    assert grid[48] == 0
    np.testing.assert_array_equal(grid, -grid[::-1])
    np.testing.assert_allclose(grid[50:] / grid[49:-1], 10 ** (6 / 47))


@pytest.mark.parametrize("top", [-731.0, -0.02, 0.3, 55.5])
def test_search_finds_a_smooth_peak(top):
    # Height 1 at the top, and looked at no closer than √ε: a square root of that in τ.
    height = lambda taus: 1 - ((taus - top) / top) ** 2  # noqa: E731
    assert found(height) == pytest.approx(top, rel=1e-3)


@pytest.mark.parametrize("edge", [-12.3, 0.77, 456.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_search_approaches_a_jump_from_the_damaging_side(edge, side):
    def score(taus):
        distance = jnp.abs(taus - edge) / abs(edge)
        return jnp.where(side * (taus - edge) >= 0, 0.5, 1 - 0.1 * distance)

    tau = found(score)
    assert tau == pytest.approx(edge, rel=1e-6)
    assert side * (tau - edge) < 0


def test_search_finds_a_narrow_window_beside_a_jump():
    def score(taus):  # 1 % wide; the grid's cells are 16 %
        return jnp.where((taus > 2.0) & (taus < 2.02), taus**2, jnp.where(taus < 2.0, 1.1, 1.0))

    assert found(score) == pytest.approx(2.02, rel=1e-6)


def test_known_optima():
    # Mean: damage (f τ ‖p‖/n)² grows to the end of the grid. Trimmed mean, d = 1: with the lies
    # on one side beyond all honest values, nothing more is to be had.
    honest, p = lines()[0][0], jnp.ones(D)
    view = view_of(mean(), honest)
    rows = searched(view, p)
    np.testing.assert_allclose(jnp.abs(rows - honest.mean(axis=0)), 1e3, rtol=1e-12)
    rule = trimmed_mean(F)
    view = view_of(rule, honest)
    rows = searched(view, p)
    damage = attacks.deviation_from_honest_mean(view.respond(rows), H)
    ordered = np.sort(honest, axis=0)
    centre = honest.mean(axis=0)
    best = max(((kept.mean(axis=0) - centre) ** 2).sum() for kept in (ordered[:3], ordered[2:]))
    assert float(damage) == pytest.approx(best, rel=1e-9)


# ---- through the server's memory ---------------------------------------------------------------


def play(rule, attack, rounds=3):
    algorithm = rosdhb(k=3, momentum=0.6, optimizer=optax.sgd(0.1), aggregator=rule)
    problem = quadratics(honest=H, byzantine=F, dimension=D, seed=0, hessian_spread=0.05)
    simulation = build(algorithm, problem, attack)

    def whole(key, data):
        state, _ = simulation.init(key, jnp.ones(D), data)
        record = lambda state, info: (state.attack, info.server.rows)  # noqa: E731
        return run(simulation.step, rounds, record)(key, state, data)[1]

    return jax.tree.map(np.asarray, jax.jit(whole)(KEY, simulation.data))


@pytest.mark.parametrize("rule", [trimmed_mean(F), krum(F)], ids=["trimmed mean", "krum"])
def test_searches_through_momenta_are_as_strong_as_the_reference(rule):
    attack = attacks.certified(attacks.alie_line_search(), directions=[honest_deviation], rivals=[])
    memory, _ = play(rule, attack)
    assert memory.certificate.strength.min() >= 0.999


def test_a_memoryless_search_is_weaker_through_momenta():
    rule = krum(F)
    attack = attacks.alie_line_search(through=attacks.memoryless(rule))
    memory, _ = play(rule, attacks.certified(attack, directions=[honest_deviation], rivals=[]))
    assert memory.certificate.strength.min() < 0.99


# ---- ascent ------------------------------------------------------------------------------------


@pytest.mark.long
def test_ascent_does_more_than_where_it_begins_with_distinct_rows():
    rule = geometric_median(F)
    begin = [attacks.alie(z=1.5), attacks.ipm(0.5)]
    climb = attacks.ascent(10, 2, tangents=6, begin=begin)

    def forge(key, state, view):
        _, rows = climb.forge(key, state[0], view)
        lies = [rows, *[attack.forge(key, None, view)[1] for attack in begin]]
        harm = [attacks.deviation_from_honest_mean(view.respond(lie), H) for lie in lies]
        return (state[0], jnp.stack(harm)), rows

    attack = Attack("both", lambda k, d: (climb.init(k, d), jnp.zeros(3)), forge, None)
    (_, harm), rows = play(rule, attack)
    # Judged in one program and here in another: a few roundings.
    assert (harm[:, 0] >= harm[:, 1:].max(axis=1) * (1 - 1e-9)).all()
    assert harm[:, 0].sum() > 1.01 * harm[:, 1:].max(axis=1).sum()
    assert not np.array_equal(rows[0, H], rows[0, H + 1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attacks.line_search("s", mean_sign, per_sign=47), "per_sign must be .* >= 48"),
        (lambda: attacks.line_search("s", mean_sign, steps=29), "steps must be an integer >= 30"),
        (lambda: attacks.ascent(0), "steps must be an integer >= 1, got 0"),
        (lambda: attacks.ascent(1, 0, begin=[]), "starts must be >= 1 where begin is empty"),
        (lambda: attacks.certified(attacks.no_attack()), "must forge messages, got 'none'"),
    ],
)
def test_bad_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
