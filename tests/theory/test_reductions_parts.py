"""What reductions consist of: cubes that cover boxes, sufficient sides, formulas users receive."""

import dataclasses
import itertools
import sys
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.aggregators import lower_median, meamed, trimmed_mean
from jaxbyz.aggregators.analysis.exact_columns import worst_column
from jaxbyz.aggregators.analysis.linear_pieces import ranks
from jaxbyz.core import LinearPiece
from jaxbyz.theory import Budget, Status
from jaxbyz.theory.audit import audit
from jaxbyz.theory.byz_dm21 import rates, simplified
from jaxbyz.theory.byz_dm21.boxes import numbers
from jaxbyz.theory.byz_dm21.limits import product_claim
from jaxbyz.theory.byz_dm21.reductions import CASES, _rates
from jaxbyz.theory.byz_dm21.theorems import ROWS, corollary_claim, theorem_claim
from jaxbyz.theory.byz_dm21.weights import Weights, momentum_steps, weights
from jaxbyz.theory.engines.polynomials import by_polynomials
from jaxbyz.theory.engines.worst_input import worst_input
from jaxbyz.theory.robustness import attained, rules, worst_columns
from jaxbyz.theory.robustness.worst_columns import Bounds, exact_kappa
from jaxbyz.theory.rosdhb import constants
from jaxbyz.theory.rosdhb.states import Parameters
from jaxbyz.theory.subjects import Reduction

pytestmark = pytest.mark.usefixtures("x64")
BUDGET = Budget()


def points(claim, count=60):
    """Random instances of the claim's family as numbers, far from its middle too."""
    (family,) = claim.families
    make = jax.jit(jax.vmap(family.make))
    found = make(np.random.default_rng(0).normal(size=(count, family.size)) * 2)
    leaves, tree = jax.tree.flatten(found)
    rows = np.stack([np.broadcast_to(leaf, (count,)) for leaf in leaves], axis=1)
    return [jax.tree.unflatten(tree, row.tolist()) for row in rows]


def near(ours, theirs):
    """Roundings, also of differences of numbers that nearly cancel: 1-β at small γ."""
    np.testing.assert_allclose(np.array(ours, float), np.array(theirs, float), rtol=1e-7)


# ---- the engine --------------------------------------------------------------------------------


def fake(sides, rays=(), same=None):
    reduction = Reduction(("x",), lambda x: x, "", rays, sides=sides, follows="-", same=same)
    return dataclasses.replace(theorem_claim(1), reduction=reduction)


def status(claim):
    return by_polynomials(claim, BUDGET).status


def test_what_is_no_number_is_not_the_same():
    assert status(fake(lambda x: (x, 1), same=lambda n: (jnp.nan, 1.0))) is Status.INCONCLUSIVE


def test_rays_have_no_end():
    assert status(fake(lambda x: (x, 2 + 0 * x))) is Status.PROVED
    assert status(fake(lambda x: (x, 2 + 0 * x), ("x",))) is Status.INCONCLUSIVE


def test_no_sides_prove_nothing():
    with pytest.raises(ValueError, match="must have sides, got none"):
        by_polynomials(fake(lambda x: ([], [])), BUDGET)


@pytest.mark.parametrize("least", [3.0, 9.999])
def test_formulas_that_differ_in_a_part_of_the_box_are_noticed(least):
    """κ reaches 10 in the family: the last part of its range is seen at corners alone."""
    step = ROWS[1][3]
    wrong = theorem_claim(1, step=lambda n: jnp.where(n.point.kappa > least, 0.5, 1) * step(n))
    assert status(wrong) is Status.INCONCLUSIVE


def test_a_family_outside_the_hypotheses_proves_nothing():
    family = numbers()
    outside = dataclasses.replace(
        family, make=lambda z: family.make(z)._replace(eta=jnp.asarray(2.0))
    )
    report = by_polynomials(dataclasses.replace(theorem_claim(1), families=(outside,)), BUDGET)
    assert "instances satisfy the hypotheses" in report.evidence


def test_a_violated_claim_is_not_proved_by_sides_of_its_proof():
    """Not by the engine, and not in the audit's line."""
    claim = theorem_claim(1)
    wrong = dataclasses.replace(claim, sides=lambda given: (2 * claim.sides(given)[0], 1.0))
    assert status(wrong) is Status.INCONCLUSIVE
    few = Budget(random=20, starts=1, steps=2)
    (finding,) = audit([wrong], few)
    assert finding.suspected
    assert finding.status is Status.INCONCLUSIVE


@pytest.mark.parametrize(
    ("name", "by"), [("step_size", 2.0), ("step_size", 0.5), ("contraction", 0.01)]
)
def test_properties_of_weights_are_what_the_proof_has(name, by, monkeypatch):
    right = getattr(Weights, name).fget
    monkeypatch.setattr(Weights, name, property(lambda self: by * right(self)))
    for row in (1, 2, 3, 4) if name == "step_size" else (3, 4):
        assert status(theorem_claim(row)) is Status.INCONCLUSIVE


def test_corollaries_rest_on_theorems(monkeypatch):
    row = ROWS[1]
    monkeypatch.setitem(ROWS, 1, (*row[:3], lambda n: row[3](n) / 3, row[4]))
    assert "rests on byz_dm21/T1" in by_polynomials(corollary_claim(1), BUDGET).evidence


def test_the_limit_of_stability_is_that_of_the_proof(monkeypatch):
    monkeypatch.setattr(rates, "recursive_limit", lambda beta: 3 * (2 - beta) / beta)
    assert status(product_claim()) is Status.INCONCLUSIVE


# ---- RoSDHB ------------------------------------------------------------------------------------

OF_A = {
    "A/c1": constants.constants_a("c1"),
    "A/c2": constants.constants_a("c2"),
    "A/c2'": constants.constants_a_doubled(),
}


@pytest.mark.parametrize("name", OF_A)
def test_the_cube_covers_the_box_of_theorem_a(name):
    claim = OF_A[name]
    for box in points(claim):
        p = jax.tree.map(float, box.parameters())
        c, a, y = box.c, box.inflation, 24 * p.x
        at = [1 - p.fresh, (24 / c - y) / (1 - y), (24 / c / a - y) / (24 / c - y)]
        if name == "A/c2'":
            at += [box.kappa_b_squared * (2 + 24 / c) / (1 - 144 / (11 * c))]
        else:
            share = p.weight / (box.rho * (1 - 1 / c)) if name == "A/c2" else box.s
            at += [box.rho / 24, share, box.kappa_b_squared]
        inside = zip(at, claim.reduction.variables, strict=True)
        rays = claim.reduction.rays
        assert all(-1e-9 <= v <= 1 + 1e-9 for v, variable in inside if variable not in rays)
        near(claim.reduction.instance(*at).parameters(), p)


def test_the_cube_covers_the_box_of_theorem_b():
    for most, claim in ((4 / 15, constants.constants_b("c1")),
                        (1 / 7, constants.constants_b_doubled())):  # fmt: skip
        for box in points(claim):
            at = (box.ratio, box.share, box.kappa_b_squared / most)
            near(claim.reduction.instance(*at), box)


def test_rays_are_the_unbounded_parameters():
    assert constants.constants_a("c1").reduction.rays == ("s", "κB²")
    assert constants.constants_a("c2").reduction.rays == ("κB²",)
    assert all(theorem_claim(row).reduction.rays == ("κ",) for row in (1, 2, 3, 4))


def test_there_is_no_reduction_for_other_boxes():
    assert constants.constants_a("c1", least_c=18.0).reduction is None


def test_conditions_by_hand():
    """L, x, ω, a, κ, B², s, p, A."""
    given = Parameters(1.0, 0.1, 0.5, 2.0, 1.0, 0.3, 3.0, 0.2, 0.7)
    near(constants._c1(given), (4 * 0.1, 0.7 * (1 - 0.25 * 1.2)))
    noise = 0.7 / 0.1 * 0.25 + (1 + 1 / 3) * 1.5 * 0.3
    rest = 1 - 0.1 - 0.7 * 0.25 * 6 * 0.1
    near(constants._doubled(given)[0], 1 - rest + noise * 0.1 * 1.1)


# ---- Byz-DM21 ----------------------------------------------------------------------------------

FAST = {1: 11, 2: 9, 3: 19, 4: 12}


@pytest.mark.parametrize("row", ROWS)
def test_sides_of_a_theorem_are_sufficient(row):
    claim = theorem_claim(row)
    steps, single, spare, _, _ = ROWS[row]
    for g in points(claim, 10):
        g = g._replace(beta=g.eta) if single else g
        p = g.point
        ratio = () if single else (g.eta / g.beta,)
        made = claim.reduction.instance(p.alpha, 1 / p.honest, g.beta, *ratio, p.kappa)
        near(
            (made.point.alpha, made.point.kappa, made.point.honest, made.eta, made.beta),
            (p.alpha, p.kappa, p.honest, g.eta, g.beta),
        )
        found = weights(p, steps(p, g.eta, g.beta), spare=spare)
        low, high = claim.reduction.sides(g)
        first = 1 if spare else 2
        inverse = float(claim.reduction.same(g)[0][0])
        assert len(low) == len(high) == (7 if spare else 5)
        squares = [x**2 for x in (p.smoothness, p.mean_square_smoothness, p.sample_smoothness)]
        parts = slice(first, first + 3)
        near(np.dot(low[parts], squares), 2 * found.k_s)
        most = (1 - 1 / FAST[row]) * inverse**2 * (1 + 1e-9)
        assert np.dot(high[parts], squares) <= most
        if spare:
            near(high[-3:], found.contractions)
            assert all(g.mu / inverse <= share * (1 + 1e-9) for share in low[-3:])


def test_sides_of_corollary_1_are_its_cases():
    for eta, q, r in np.random.default_rng(0).uniform(size=(50, 3)):
        low, high = CASES[1][1](eta, q, r)
        cases = (
            (1, 1, q**2, r**4, 1),
            (eta, eta**2, 1, r**4 / eta**2, eta),
            (eta, eta**4, q**2 * eta**2, 1, eta**3),
        )
        for left, right, (n, p, q2, r2, unit) in zip(low, high, cases, strict=False):
            near(float(left) * unit, p / n + 42 / 24 * q2 * n + 516 / 300 * r2 * n**3)
            most = p + 64 / 528**0.5 * (p * q2) ** 0.5 + 2.75 * p**0.75 * r2**0.25
            assert float(right) * unit <= most


def test_sides_of_corollaries_2_and_3_are_their_cases():
    for eta, q in np.random.default_rng(0).uniform(size=(50, 2)):
        low, high = CASES[2][1](eta, q)
        near(low, [27, 2 + q**3, 600 * eta**5 + 216 * eta**6])
        near(high[0], 12.2**3 / 66)
        assert float(high[1]) <= 2 + 12.2 * q / 66 ** (1 / 3)
        near(high[2], 816 * eta**5)
        low, high = CASES[3][1](eta, q)
        near(low[:3], [4, 2 + 2 * q**2, 816 * eta**3])
        near(high[0], 529 / 132)
        assert float(high[1]) <= 2 + 23 * (2 * q**2 / 66) ** 0.5


CHAINS = {
    1: lambda p, q, r, eta: p / eta + 42 / 24 * q * eta + 516 / 300 * r * eta**3,
    2: lambda p, q, r, eta: 2 * p / eta**0.5 + q * eta + 816 / 300 * r * eta**2.5,
    3: lambda p, q, r, eta: 2 * p / eta + q * eta + 816 / 300 * r * eta**3,
}


@pytest.mark.parametrize("number", CHAINS)
def test_a_corollary_lies_on_both_sides_of_its_chain(number):
    """bound of the theorem ≤ terms in η ≤ closed form, at random instances."""
    claim = corollary_claim(number)
    choose = getattr(simplified, f"corollary_eta_{number}")
    for g in points(claim):
        p, q, r, rest = map(float, _rates(number, g.point, g.rounds, g.gap))
        left, right = map(float, claim.sides(g))
        middle = rest + CHAINS[number](p, q, r, float(choose(g.point, g.rounds, g.gap)))
        assert left <= middle * (1 + 1e-9)
        assert middle <= right * (1 + 1e-9)


def test_sides_of_s9_are_its_four_steps():
    claim = product_claim()
    share = 140 * rates.PRODUCT - 20
    assert 0 <= share <= 1
    for g in points(claim, 30):
        eta = g.eta
        h = 0.37 * rates.recursive_limit(eta)
        low, high = claim.reduction.sides((eta, eta * h / (4 - 2 * eta), share))
        lower, room = 2 - eta + (1 - eta) * h / eta, h * (4 - 2 * eta - eta * h)
        upper = rates.transient(h, eta) * room
        near(low[:3], (upper, upper, room))
        assert low[3] == pytest.approx(upper - 4 * rates.PRODUCT * lower, rel=1e-6)
        near(high[2], 4 * lower * rates.stationary_variance(h, eta))
        near(rates.recursive_limit(eta) * eta / (4 - 2 * eta), 1)


def test_the_discriminant_of_s9_is_that_of_its_quadratic():
    for eta in (0.1, 0.5, 0.9):
        us = np.array([0.1, 0.4, 0.9])
        sides = [
            product_claim().reduction.sides((eta, eta**2 * u / (4 - 2 * eta), 0.5)) for u in us
        ]
        two, one, none = np.polyfit(us, [float(low[3]) for low, _ in sides], 2)
        found = [float(sides[0][1][place]) for place in (5, 6)]
        assert found == pytest.approx((two, 4 * two * none - one**2), rel=1e-6)


def units(point, length, force):
    """The same problem in other units: f times `force`, x divided by `length`."""
    curvature, squares = force * length**2, (force * length) ** 2
    bends = ("smoothness", "mean_square_smoothness", "sample_smoothness")
    changed = {name: curvature * getattr(point, name) for name in bends}
    for name in ("heterogeneity", "noise_variance"):
        changed[name] = squares * getattr(point, name)
    return point._replace(**changed), curvature, squares


@pytest.mark.parametrize(("force", "length"), [(3.0, 1.0), (1.0, 3.0)])
def test_closed_forms_do_not_depend_on_units(force, length):
    """Families have L = σ² = ζ² = 1: wrong powers of these are seen here."""
    s, given = simplified, numbers().make(jnp.linspace(-1, 1, 11))
    eta, beta, gap, rounds = given.eta, given.beta, given.gap, given.rounds
    p = given.point._replace(heterogeneity=0.7, noise_variance=0.3, smoothness=0.9)
    o, c, e = units(p, length, force)

    def noise(point):
        return weights(point, momentum_steps(point, eta, beta)).noise

    pairs = [
        (noise(p) * e, noise(o)),
        (s.step_2(p, eta, beta), s.step_2(o, eta, beta) * c),
        (s.step_4(p, eta, beta, 0.1), s.step_4(o, eta, beta, 0.1 * c) * c),
        (s.start(p, eta, 1) * e, s.start(o, eta, 7) * 7),
        *((step(p, eta), step(o, eta) * c) for step in (s.step_1, s.step_3)),
        *((n(p, eta) * e, n(o, eta)) for n in (s.noise_1, s.noise_3)),
        *((n(p, eta, beta) * e, n(o, eta, beta)) for n in (s.noise_2, s.noise_4)),
    ]
    for number in (1, 2, 3):
        choose = getattr(s, f"corollary_eta_{number}")
        bound = getattr(s, f"corollary_bound_{number}")
        pairs.append((choose(p, rounds, gap), choose(o, rounds, gap * force)))
        pairs.append((bound(p, rounds, gap) * e, bound(o, rounds, gap * force)))
    for one, other in pairs:
        np.testing.assert_allclose(float(one), float(other), rtol=1e-12)


# ---- coefficients of rules ---------------------------------------------------------------------


@pytest.mark.parametrize("piece", [ranks(4, 1, 3)[0], meamed(1).robustness.pieces(4)[0]])
def test_bounds_hold_whatever_a_solver_guesses(piece, monkeypatch):
    order = np.eye(4)[:-1] - np.eye(4)[1:]
    rows = [
        list(map(Fraction, row))
        for row in np.concatenate([order, piece.inequalities.reshape(-1, 4)])
    ]
    for honest in itertools.combinations(range(4), 3):
        weight = [Fraction(float(w)).limit_denominator(100) for w in piece.weights]
        c = [w - Fraction(int(i in honest), 3) for i, w in enumerate(weight)]
        truth = worst_columns._program(rows, c, honest)
        answers = 0
        for guess in itertools.product((0.0, 1.0), repeat=len(rows)):
            with monkeypatch.context() as patched:
                patched.setattr(
                    worst_columns, "multiplier_guesses", lambda *_, g=guess: [np.array(g)]
                )
                try:
                    found = worst_columns._program(rows, c, honest)
                except ValueError:
                    continue
            answers += 1
            assert found.below <= truth.above <= found.above
        assert answers


def pieced(*pieces):
    """A rule that declares these pieces."""
    rule = trimmed_mean(1)
    known = rule.robustness._replace(pieces=lambda n: list(pieces))
    return dataclasses.replace(rule, robustness=known)


def test_all_pieces_and_both_signs_count():
    low, middle, high = (ranks(5, i, i + 1)[0] for i in (1, 2, 3))
    for pieces in ((low,), (high,), (middle, low), (low, middle)):
        bounds = exact_kappa(pieced(*pieces), 5, 1)
        assert bounds.below == bounds.above
        near(float(bounds.above), worst_column(list(pieces), 5, 1).kappa)


@pytest.mark.parametrize("rule", [trimmed_mean(2), lower_median(2)])
def test_the_worst_place_of_a_rule_that_grows(rule, monkeypatch):
    """Of nine rows all places are looked at, or the two that are known to be worst."""
    short = exact_kappa(rule, 9, 2)
    monkeypatch.setattr(worst_columns, "ALL_PLACES", 9)
    assert exact_kappa(rule, 9, 2) == short


@pytest.mark.parametrize(
    ("weights_", "rows"),
    [
        ([0.5] * 3, np.zeros((0, 3))),  # their sum is not 1
        ([0.1234567891234, 0.4, 0.4765432108766], np.zeros((0, 3))),  # no fraction
        ([0, 1, 0], [[-1, -2, 2]]),  # a row whose sum is not 0
        ([0, 0.5, 0.5], [[0, 0, 1]]),
    ],
)
def test_pieces_that_are_none_are_refused(weights_, rows):
    piece = LinearPiece(np.array(weights_, float), np.array(rows, float))
    with pytest.raises(ValueError, match="must"):
        exact_kappa(pieced(piece), 3, 1)


def test_inequalities_need_not_be_whole_numbers():
    """The same cone, written with halves and with whole numbers."""
    weight, row = np.array([0.0, 0.5, 0.5]), np.array([[-0.5, -1.5, 2.0]])
    half, whole = (exact_kappa(pieced(LinearPiece(weight, by * row)), 3, 1) for by in (1, 2))
    assert half == whole
    assert half.below <= half.above


def test_too_many_byzantine_rows():
    with pytest.raises(ValueError, match="n must be an integer >= 7"):
        exact_kappa(trimmed_mean(3), 3, 3)


def test_certified_needs_both_bounds(monkeypatch):
    module = sys.modules["jaxbyz.theory.engines.worst_input"]
    monkeypatch.setattr(module, "exact_kappa", lambda *_: Bounds(Fraction(1, 3), Fraction(2, 3)))
    assert worst_input(attained("x", trimmed_mean(2), 7, 2, "s"), BUDGET).status is Status.SEARCHED


def test_a_formula_a_little_beside_is_no_fraction(monkeypatch):
    claim = rules.attained_everywhere("x", trimmed_mean, "s", 5)
    known = rules.kappa
    monkeypatch.setattr(
        rules, "kappa", lambda *a: known(*a)._replace(exact=known(*a).exact * (1 + 1e-5))
    )
    with pytest.raises(ValueError, match="fraction of a small denominator"):
        claim.sides((5, 1))
