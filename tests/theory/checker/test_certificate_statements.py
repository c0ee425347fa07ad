"""What the verifier demands of a certificate and what it then says, word by word."""

import copy
import json
import os
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from jaxbyz.theory import checker
from jaxbyz.theory.checker import certificates
from jaxbyz.theory.checker.certificates import gradient_descent, rosdhb
from jaxbyz.theory.checker.certificates.intervals import BITS, Interval
from jaxbyz.theory.checker.certificates.multipliers import rate, required, shown_above
from jaxbyz.theory.checker.rationals import dot
from jaxbyz.theory.proofs import stored
from jaxbyz.theory.rosdhb.identity import Exact

PROGRAM = Path(checker.__file__).parent
STORED = dict(stored())
GOOD = json.loads((Path(__file__).parent / "certificate.json").read_text(encoding="utf-8"))
DESCENT = STORED["gradient_descent-reach1-w1_7"]
CORNER = Interval(1 << BITS, 1 << BITS)  # 1 and nothing else


def demanded(record):
    """The matrices at the corner where all variables are 1."""
    method, constants, rows = certificates.read(record)
    return required(method, constants, rows)([CORNER] * len(method.VARIABLES))


def flipped(record, name):
    wrong = copy.deepcopy(record)
    row = wrong["multipliers"][name]
    row[0] = str(-Fraction(row[0]))
    return wrong


# ---- what is demanded --------------------------------------------------------------------------


def test_every_sign_and_matrix_of_the_proof_is_demanded():
    assert set(demanded(GOOD)) == {"cf", "b0", "l", "tau", "Q", "Z", "V"}
    assert set(demanded(DESCENT)) == {"cf", "tau", "Q", "Z"}


def test_multipliers_that_must_be_positive_are_demanded_as_they_are():
    for record in (GOOD, DESCENT):
        method, _, rows = certificates.read(record)
        for name in method.POSITIVE:
            ((entry,),) = demanded(record)[name]
            exact = sum(rows[name], Fraction(0))  # all parts are 1 at this corner
            assert entry.range.holds(exact)
            assert entry.range.high - entry.range.low < 100


@pytest.mark.parametrize("name", [name for name in STORED if name.startswith("rosdhb")])
def test_v_is_the_matrix_that_bounds_the_lyapunov_function_from_below(name):
    rows = certificates.read(STORED[name])[2]
    cf, p11, p12, p22 = (sum(rows[key], Fraction(0)) for key in ("cf", "p11", "p12", "p22"))
    exact = [[p11, p12], [p12, p22 + cf / 2]]
    found = demanded(STORED[name])["V"]
    assert len(found) == 2
    for found_row, exact_row in zip(found, exact, strict=True):
        for entry, value in zip(found_row, exact_row, strict=True):
            assert entry.at_centre.holds(value)
            assert entry.range.holds(value)
            assert entry.range.high - entry.range.low < 100  # of units of 2^-96


FIRST = {  # the matrix that fails first where the constant term of a multiplier has another sign
    "cf": "cf", "p11": "Q", "p12": "Q", "p22": "Q", "b0": "b0",
    "l": "l", "tau": "tau", "q3": "Q", "t1": "Q", "t2": "Q",
}  # fmt: skip


@pytest.mark.parametrize("name", FIRST)
def test_another_sign_is_rejected_for_its_own_reason(name):
    assert set(FIRST) == set(GOOD["multipliers"])
    proof = certificates.prove(flipped(GOOD, name), most_boxes=300)
    assert not proof.proved
    assert proof.sentence.startswith(f"matrix {FIRST[name]} is not positive definite: ")


@pytest.mark.parametrize("name", ["cf", "tau"])
def test_another_sign_of_gradient_descent_is_rejected_for_its_own_reason(name):
    proof = certificates.prove(flipped(DESCENT, name))
    assert not proof.proved
    assert proof.sentence.startswith(f"matrix {name} is not positive definite: ")


@pytest.mark.parametrize(
    ("record", "constant", "value", "reason"),
    [
        (GOOD, "coupling", "61", "0 < coupling ≤ c"),
        (GOOD, "coupling", "0", "0 < coupling ≤ c"),
        (GOOD, "kappa_b_squared", "-1/7", "κB² ≥ 0"),
        (DESCENT, "reach", "0", "reach > 0"),
        (DESCENT, "reach", "-1", "reach > 0"),
        (DESCENT, "kappa_b_squared", "-1/7", "κB² ≥ 0"),
    ],
)
def test_conditions_of_the_constants(record, constant, value, reason):
    wrong = copy.deepcopy(record)
    wrong["constants"][constant] = value
    assert certificates.prove(wrong) == (False, f"{reason} does not hold", 0, ())


# ---- the identity of gradient descent ----------------------------------------------------------


def both_sides(seed, matrices=gradient_descent.matrices):
    """Left and right side of the identity in the method's docstring, for random numbers."""
    generator = random.Random(seed)

    def draw():
        return Fraction(generator.randint(-(10**6), 10**6), 1000)

    reach, x = abs(draw()) + 1, abs(draw()) + 1
    w, floor, cf, tau, kappa, loss, after, spread = (draw() for _ in range(8))
    g, e = ([draw() for _ in range(3)] for _ in "ge")
    step, direction = x * reach, [one + other for one, other in zip(g, e, strict=True)]
    found = matrices(
        {"reach": Exact(reach), "kappa_b_squared": Exact(w), "C": Exact(floor)},
        {"cf": Exact(cf), "tau": Exact(tau)},
        [Exact(x)],
    )
    left = cf * (loss - after) / step - (1 + floor * w) * dot(g, g) + floor * kappa * spread
    right = sum(
        found["Q"][i][j].value * dot(one, other)
        for i, one in enumerate((g, e))
        for j, other in enumerate((g, e))
    )
    right += kappa * found["Z"][0][0].value * spread + tau * (kappa * spread - dot(e, e))
    smooth = loss - step * dot(g, direction) + step**2 / 2 * dot(direction, direction)
    return left, right + cf * (smooth - after) / step


def test_the_identity_of_gradient_descent_is_exact():
    # Polynomials of degree at most 8 in numbers of 10^6 values: see `theory.rosdhb.identity`.
    for seed in range(3):
        left, right = both_sides(seed)
        assert left == right


@pytest.mark.parametrize(("key", "i", "j"), [("Q", 0, 0), ("Q", 0, 1), ("Q", 1, 1), ("Z", 0, 0)])
def test_every_entry_of_gradient_descent_is_needed(key, i, j):
    def wrong(*arguments):
        found = gradient_descent.matrices(*arguments)
        for row, column in {(i, j), (j, i)}:
            found[key][row][column] += Exact(Fraction(1, 1000))
        return found

    left, right = both_sides(0, wrong)
    assert left != right


# ---- what is said ------------------------------------------------------------------------------

HYPOTHESES = (
    "every L-smooth average honest loss f = (1/h) Σ f_i that is bounded below,\n"
    "every G, B with (1/h) Σ ‖∇f_i - ∇f‖² ≤ G² + B² ‖∇f‖² everywhere, every rule whose result has\n"
    "a squared distance from the mean of the honest rows of at most κ times their mean squared\n"
    "distance from it, with "
)
OF_ROSDHB = (
    "RoSDHB with full local gradients, d/k rescaling, momentum at the server, and in every\n"
    "round a fresh mask of k of d coordinates for all workers, uniformly random and\n"
    "independent of the past: for every dimension d, every k, all numbers of workers,\n"
    "whatever is forged, "
    + HYPOTHESES
    + "κB² ≤ 1/7, every step size 0 < γ ≤ k/(60 d L) and the momentum √(1 - 24 γL):\n"
    "    E V⁺ ≤ V - γ‖∇f‖² + 31/20 γκG²   in every round; V is a quadratic function.\n"
    "So from momenta 0:  (1/T) Σ E‖∇f‖² ≤ 2.3345 (f - inf f)/(γT) + 31/20 κG²."
)
OF_DESCENT = (
    "Robust gradient descent with full local gradients, all coordinates and no momentum: for\n"
    "every dimension d, all numbers of workers, whatever is forged,\n"
    + HYPOTHESES
    + "κB² ≤ 1/7, every step size 0 < γ ≤ 1/L:\n"
    "    (1/T) Σ E‖∇f‖² ≤ 2.3337 (f - inf f)/(γT) + 1167/1000 κG²."
)


def test_the_sentence_is_the_theorem():
    assert certificates.prove(GOOD).sentence == OF_ROSDHB
    assert certificates.prove(DESCENT).sentence == OF_DESCENT


def test_the_rate_that_is_said_is_that_of_the_largest_corner():
    # At x, s in {0, 1}: cf, and cf + 2 p22 where that is larger.
    method, _, rows = certificates.read(GOOD)
    largest = max(
        sum((cf + times * p22) * part for cf, p22, part in zip(*rows_of_both, strict=True))
        for times in (0, 2)
        for rows_of_both in ((rows["cf"], rows["p22"], (1, x, s)) for x in (0, 1) for s in (0, 1))
    )
    assert rate(method, rows) == largest
    assert 0 <= Fraction("2.3345") - largest < Fraction(1, 10**4)


def test_decimals_are_rounded_up():
    assert [shown_above(Fraction(n, 30000)) for n in (-1, 0, 1, 3)] == [
        "0",
        "0",
        "0.0001",
        "0.0001",
    ]
    assert shown_above(Fraction(10**9 + 1, 10**9), 6) == "1.000001"


def test_statements_are_made_of_the_constants():
    # Each constant has another value than all others, so that none stands in for another.
    names = {"c": "7", "coupling": "5", "kappa_b_squared": "1/11", "C": "13/3"}
    said = rosdhb.statement({k: Fraction(v) for k, v in names.items()}, Fraction(17))
    for text in ("k/(7 d L)", "√(1 - 5 γL)", "κB² ≤ 1/11", "13/3 γκG²", "17 (f", "+ 13/3 κG²."):
        assert text in said
    names = {"reach": "7", "kappa_b_squared": "1/11", "C": "13/3"}
    said = gradient_descent.statement({k: Fraction(v) for k, v in names.items()}, Fraction(17))
    for text in ("γ ≤ 7/L", "κB² ≤ 1/11", "17 (f", "+ 13/3 κG²."):
        assert text in said


# ---- the program -------------------------------------------------------------------------------


def run(*paths, **environment):
    return subprocess.run(
        [sys.executable, "-S", str(PROGRAM), *map(str, paths)],
        capture_output=True,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("depth", [400, 900, 100_000])
def test_deep_lists_are_unusable_and_the_next_file_is_examined(tmp_path, depth):
    deep, good = tmp_path / "deep.json", tmp_path / "good.json"
    lists = "[" * depth + "]" * depth
    text = '{"claim": "rosdhb/L4", "instance": {}, "constants": {"a": ' + lists + "}}"
    deep.write_text(text, encoding="utf-8")
    good.write_text(json.dumps(DESCENT), encoding="utf-8")
    done = run(deep, good, PYTHONIOENCODING="utf-8")
    said = done.stdout.decode()
    assert done.returncode == 2, done.stderr
    assert done.stderr == b""
    assert "deep.json: unusable: " in said
    assert "good.json: PROVED, " in said


def test_what_cannot_be_printed_is_escaped(tmp_path):
    good, odd = tmp_path / "good.json", tmp_path / "odd.json"
    good.write_text(json.dumps(DESCENT), encoding="utf-8")
    done = run(good, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"\u03baB\xb2 \u2264 1/7" in done.stdout
    # Half of a pair of UTF-16, which no encoding has.
    odd.write_text(r'{"claim": "\ud800", "constants": {}}', encoding="utf-8")
    done = run(odd, PYTHONIOENCODING="utf-8")
    assert (done.returncode, done.stderr) == (2, b"")
    assert b"odd.json: unusable: " in done.stdout
