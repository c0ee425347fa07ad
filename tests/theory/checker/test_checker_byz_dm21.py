"""Wrong lemmas of Byz-DM21 are refuted by files that a separate program verifies."""

import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.theory import Budget, Status, checker, counterexamples
from jaxbyz.theory.byz_dm21.lemmas import (
    compression,
    descent,
    direction,
    dispersion_bound,
    first_momentum,
    second_momentum,
)
from jaxbyz.theory.byz_dm21.lyapunov import lyapunov, lyapunov_pl
from jaxbyz.theory.byz_dm21.weights import MOMENTUM, RECURSIVE, Steps
from jaxbyz.theory.checker import rationals
from jaxbyz.theory.engines import sampled, searched

pytestmark = pytest.mark.usefixtures("x64")

# claim -> (how it is made, its constants if it is right, those of the planted error)
PLAIN = {"factor": 1.0, "spare": 0.0}
UNDER_PL = {"factor": 1.0, "spare": 0.5}
LEMMAS = {
    "L1": (dispersion_bound, {"three": 3.0}, {"three": 1.0}),
    "L2": (direction, {"three": 3.0}, {"three": 0.75}),
    "L3": (descent, {"curvature": 1.0}, {"curvature": 0.5}),
    "L4-DM": (first_momentum, {}, {"rb_n": 0.5}),
    "L4-VR": (first_momentum, {}, {"r_n": 0.5, "r_s": 0.5}),
    "L5-DM": (second_momentum, {}, {"q_r": 0.5, "q_s": 0.5}),
    "L5-VR": (second_momentum, {}, {"q_n": 0.5}),
    "L6-DM": (compression, {}, {"p_n": 0.5}),
    "L6-VR": (compression, {}, {"p_n": 0.5, "p_p": 0.5}),
    "L7-DM": (lyapunov, PLAIN, {"factor": 300.0}),
    "L7-VR": (lyapunov, PLAIN, {"r_n": 0.2, "rb_n": 0.2}),
    "L7-DM-PL": (lyapunov_pl, UNDER_PL, {"factor": 300.0}),
    "L7-VR-PL": (lyapunov_pl, UNDER_PL, {"factor": 300.0}),
}
OWN = {"three", "curvature", "factor", "spare"}  # arguments; the others belong to the method
LATER = {"L5-VR", "L6-DM", "L7-VR", "L7-DM-PL", "L7-VR-PL"}
HIDDEN = {  # nearer to what is right: found by the search alone
    "L1": {"three": 2.5},
    "L2": {"three": 2.5},
    "L3": {"curvature": 0.9},
    "L4-DM": {"r_n": 0.9},
    "L5-DM": {"q_q": 0.9},
    "L6-DM": {"p_p": 0.9},
    "L7-DM": {"factor": 30.0},
}


def claim_of(name, planted):
    """The claim with these constants."""
    make = LEMMAS[name][0]
    own = {constant: value for constant, value in planted.items() if constant in OWN}
    if make in (dispersion_bound, direction, descent):
        return make(**own)
    if make is lyapunov:
        own.pop("spare", None)  # it has none: 0
    factors = {constant: value for constant, value in planted.items() if constant not in OWN}
    method = MOMENTUM if "DM" in name else RECURSIVE
    return make(method.planted(**factors), **own)


def record_of(name, planted, instance):
    """A file's content: all constants, as the claim states them."""
    return counterexamples.record_of(f"byz_dm21/{name}", LEMMAS[name][1] | planted, instance)


def is_refuted(name, planted, report, folder):
    assert report.status is Status.REFUTED, report
    path = counterexamples.save(folder / "f.json", record_of(name, planted, report.instance))
    # The program alone, what a reader would run; -I -S: no other package can be imported.
    program = Path(checker.__file__).parent
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "violated: left" in done.stdout
    # The same instance violates nothing if the claim is stated rightly.
    verdict = checker.verify(record_of(name, {}, report.instance))
    assert verdict.failed is None
    assert not verdict.violated


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long if n in LATER else []) for n in LEMMAS]
)
def test_a_wrong_constant_is_refuted_exactly(name, tmp_path):
    planted = LEMMAS[name][2]
    report = sampled()(claim_of(name, planted), Budget(random=3000))
    is_refuted(name, planted, report, tmp_path)
    # Both evaluated the same statement.
    verdict = checker.verify(record_of(name, planted, report.instance))
    assert float(verdict.left / verdict.right) == pytest.approx(report.tightness, rel=1e-7)


@pytest.mark.long
@pytest.mark.parametrize("name", HIDDEN)
def test_what_only_the_search_finds_is_refuted_exactly(name, tmp_path):
    planted = HIDDEN[name]
    report = searched()(claim_of(name, planted), Budget(starts=8, steps=300))
    is_refuted(name, planted, report, tmp_path)


@pytest.fixture(scope="module")
def evaluated():
    """Right claims at random instances: [(instance, {name: (left, right)})]; one program."""
    with jax.enable_x64(True):
        claims = {name: claim_of(name, {}) for name in LEMMAS if not name.endswith("PL")}
        family = claims["L1"].families[0]

        def all_sides(z):
            # The same state for all, but for σ², which is that at the claim's own x⁺.
            states = {name: claim.families[0].make(z) for name, claim in claims.items()}
            sides = {name: claim.sides(states[name]) for name, claim in claims.items()}
            return states["L1"], sides

        zs = jax.random.normal(jax.random.key(0), (4, family.size))
        zs *= jnp.array([1.0, 1.0, 0.2, 5.0])[:, None]
        found = jax.device_get(jax.jit(jax.vmap(all_sides))(zs))
        return [jax.tree.map(lambda part, k=k: part[k], found) for k in range(len(zs))]


@pytest.mark.parametrize("name", [name for name in LEMMAS if not name.endswith("PL")])
def test_the_checker_and_the_claim_agree(name, evaluated):
    for state, sides in evaluated:
        left, right = (np.atleast_1d(side) for side in sides[name])
        worse = np.argmax(left / right)  # of two statements the checker gives this one
        left, right = float(left[worse]), float(right[worse])
        # The claims divide by what both sides have in common.
        common = {"L5": (1 - state.beta) ** 2, "L6": 1 - state.alpha}.get(name[:2], 1.0)
        verdict = checker.verify(record_of(name, {}, state))
        assert verdict.failed is None
        # The error is shorter, and L², L̃², ℓ² are larger, by 2^-36 = 1.5e-11.
        size = 1e-8 * (abs(left) + abs(right))
        assert float(verdict.left) / common == pytest.approx(left, abs=size)
        assert float(verdict.right) / common == pytest.approx(right, abs=size)


@pytest.mark.parametrize(
    ("name", "change", "failed"),
    [
        ("L1", lambda s: s._replace(eta=1.5), "η, β, α in (0, 1]"),
        ("L1", lambda s: s._replace(theta=-0.5), "κ ≥ 0, θ > 0"),
        ("L2", lambda s: s._replace(error=1e3 * (1 + s.error)), "error in the ball"),
        ("L3", lambda s: s._replace(hessians=0 * s.hessians), "f is L-smooth, L > 0"),
        ("L6-DM-top", lambda s: s._replace(alpha=0.6), "α ≤ 1/d"),
        ("L7-DM", lambda s: s._replace(fraction=1.01), "γ at most the largest"),
        ("L7-DM-PL", lambda s: s._replace(hessians=-s.hessians), "f is strongly convex"),
    ],
)
def test_an_instance_outside_the_hypotheses_is_no_counterexample(name, change, failed, evaluated):
    state = evaluated[0][0]
    convex = np.stack([np.eye(2), 2 * np.eye(2)])
    state = state._replace(hessians=convex, alpha=0.5, error=state.error / 2)
    constants = LEMMAS.get(name, (None, {}))[1]
    if "three" in constants:
        constants = {"three": 0.0}
    verdict = checker.verify(counterexamples.record_of(f"byz_dm21/{name}", constants, state))
    assert verdict.failed is None
    record = counterexamples.record_of(f"byz_dm21/{name}", constants, change(state))
    verdict = checker.verify(record)
    assert verdict.failed == failed
    assert not verdict.violated


@pytest.mark.parametrize("name", ["L7-DM", "L7-VR"])
def test_every_coefficient_counts(name, evaluated):
    state = evaluated[0][0]
    stated = checker.verify(record_of(name, {}, state))
    for coefficient in Steps._fields:
        changed = checker.verify(record_of(name, {coefficient: 0.99}, state))
        assert (changed.left, changed.right) != (stated.left, stated.right), coefficient


def test_a_coefficient_without_contraction_makes_no_statement(evaluated):
    """1 - r_r < 0 would give negative weights, and a "violation" of what nobody says."""
    verdict = checker.verify(record_of("L7-DM", {"r_r": 1e6}, evaluated[0][0]))
    assert verdict.failed == "contractions"


def test_an_unknown_coefficient_is_an_error(evaluated):
    with pytest.raises(ValueError, match="constants must be among"):
        checker.verify(record_of("L4-DM", {"r_x": 0.5}, evaluated[0][0]))


# ---- rational arithmetic -----------------------------------------------------------------------


def fractions(rows):
    return [[Fraction(part) for part in row] for row in rows]


@pytest.mark.parametrize(
    ("rows", "semidefinite", "definite"),
    [
        ([[2, 1], [1, 1]], True, True),
        ([[1, 1], [1, 1]], True, False),
        ([[0, 0], [0, 1]], True, False),
        ([[0, 1], [1, 5]], False, False),
        ([[0]], True, False),
        ([[-1]], False, False),
        ([[1, 1, 0], [1, 1, 0], [0, 0, 0]], True, False),
        ([[1, 2], [2, 1]], False, False),
        ([[1, 0, 0], [0, 0, 0], [0, 0, -1]], False, False),
    ],
)
def test_definiteness_is_exact(rows, semidefinite, definite):
    assert rationals.semidefinite(fractions(rows)) is semidefinite
    assert rationals.definite(fractions(rows)) is definite


def test_bounds_of_irrational_numbers_lie_on_the_right_side_and_near():
    matrix = fractions([[2, 1], [1, 1]])  # eigenvalues (3 ± √5)/2
    near = 2.0**-35
    top, low = rationals.largest_eigenvalue(matrix), rationals.least_eigenvalue(matrix)
    # λ is an eigenvalue where λ² - 3λ + 1 = 0; the polynomial is positive outside the two.
    for value, root in ((top, (3 + math.sqrt(5)) / 2), (low, (3 - math.sqrt(5)) / 2)):
        assert value**2 - 3 * value + 1 > 0
        assert float(value) == pytest.approx(root, rel=near)
    assert top > 1 > low
    assert float(rationals.norm(fractions([[0, 3], [3, 0]]))) == pytest.approx(3, rel=near)
    assert rationals.inverse_form(matrix, [Fraction(1), Fraction(3)]) == 13
    for x in (Fraction(2), Fraction(2, 10**30), Fraction(2 * 10**30)):
        assert rationals.root_below(x) ** 2 <= x <= rationals.root_above(x) ** 2
        assert rationals.root_above(x) <= rationals.root_below(x) * (1 + Fraction(1, 2**30))
        assert x * (1 - Fraction(1, 2**60)) <= rationals.below(x) <= x
