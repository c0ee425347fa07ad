"""Certificates: what is proved, and that nothing else ever is."""

import ast
import copy
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from lengths import often

from jaxbyz.theory import checker
from jaxbyz.theory.checker import certificates
from jaxbyz.theory.checker.certificates import positivity, slopes, subdivision
from jaxbyz.theory.checker.certificates.intervals import Interval
from jaxbyz.theory.checker.certificates.multipliers import enclosed, values
from jaxbyz.theory.checker.certificates.slopes import Enclosed
from jaxbyz.theory.proofs import second

PROGRAM = Path(checker.__file__).parent
FOLDER = Path(certificates.__file__).parent
GOOD = json.loads((Path(__file__).parent / "certificate.json").read_text(encoding="utf-8"))
TEXT = json.dumps(GOOD)
# c = 60 and κB² ≤ 1/7 with C = 31/20: two per cent above what its multipliers can prove.


def outcome(text, tmp_path):
    """Exit code and output for a file with this text."""
    path = tmp_path / "it.json"
    path.write_text(text, encoding="utf-8")
    lines = []
    code = checker.front_door.main([str(path)], checker._counterexample, write=lines.append)
    return code, "".join(lines)


def test_a_certificate_is_proved_by_the_program_alone(tmp_path):
    path = tmp_path / "it.json"
    path.write_text(TEXT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(PROGRAM), str(path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert ": PROVED, " in done.stdout
    assert "κB² ≤ 1/7" in done.stdout
    assert "γ ≤ k/(60 d L)" in done.stdout


# ---- nearly right ------------------------------------------------------------------------------


def changed(group, name, value, place=None):
    record = copy.deepcopy(GOOD)
    if place is None:
        record[group][name] = value
    else:
        record[group][name][place] = value
    return record


def off_by(name, place, factor):
    """A coefficient times a factor."""
    right = Fraction(GOOD["multipliers"][name][place])
    return changed("multipliers", name, str(right * factor), place)


def shifted(name, place, by):
    """A coefficient moved."""
    right = Fraction(GOOD["multipliers"][name][place])
    return changed("multipliers", name, str(right + by), place)


PLACES = [(name, place) for name, row in GOOD["multipliers"].items() for place in range(len(row))]
FLIPPED = {f"-{name}": off_by(name, 0, -1) for name in GOOD["multipliers"]}
WRONG_CONSTANTS = {
    "C a tenth lower": changed("constants", "C", "1395/1000"),
    "C = 1": changed("constants", "C", "1"),
    "C below 1/(1-κB²)": changed("constants", "C", "116/100"),
    "C = 0": changed("constants", "C", "0"),
    "C < 0": changed("constants", "C", "-31/20"),
    "κB² twice as large": changed("constants", "kappa_b_squared", "2/7"),
    "κB² a tenth larger": changed("constants", "kappa_b_squared", "11/70"),
    "κB² = 1/2": changed("constants", "kappa_b_squared", "1/2"),
    "κB² < 0": changed("constants", "kappa_b_squared", "-1/7"),
    "a box for c = 50": changed("constants", "c", "50"),
    "a box for c = 30": changed("constants", "c", "30"),
    "c below the coupling": changed("constants", "c", "23"),
    "c = 0": changed("constants", "c", "0"),
    "c < 0": changed("constants", "c", "-60"),
    "another coupling": changed("constants", "coupling", "12"),
    "a larger coupling": changed("constants", "coupling", "36"),
    "coupling 0": changed("constants", "coupling", "0"),
    "coupling < 0": changed("constants", "coupling", "-24"),
}
ZERO = {f"{name} = 0": changed("multipliers", name, ["0"]) for name in GOOD["multipliers"]}
LARGE = ("q3", "t1", "t2")  # multipliers of noise, which α makes large
MOVED = {
    f"{name}[{place}] moved by {by}": shifted(name, place, by)
    for name, place in PLACES
    for by in ((12, -12) if name in LARGE else (1, -1))
}
REJECTED = FLIPPED | WRONG_CONSTANTS | ZERO | MOVED


@pytest.mark.parametrize("name", REJECTED)
def test_nearly_right_certificates_are_rejected(name):
    assert not certificates.prove(REJECTED[name], most_boxes=300).proved


def test_another_verifier_rejects_all_of_them():
    pytest.importorskip("flint", reason="the extra proof is not installed")
    assert second.proved(GOOD)
    assert not [name for name, record in REJECTED.items() if second.proved(record, 300)]


def test_there_are_enough_of_them():
    assert len(REJECTED) >= 50
    assert all(record != GOOD for record in REJECTED.values())


THOUSANDTHS = {f"{name}[{place}]": (name, place) for name, place in PLACES}


@pytest.mark.parametrize("key", often(THOUSANDTHS, ("p12[0]",)))
def test_a_multiplier_off_by_a_thousandth_is_proved_only_if_it_is_right(key):
    name, place = THOUSANDTHS[key]
    # Some may be changed so little: then the matrices are definite wherever one looks.
    record = off_by(name, place, Fraction(1001, 1000))
    proof = certificates.prove(record, most_boxes=300)
    if proof.proved:
        generator = random.Random(0)
        for _ in range(20):
            assert definite_at(record, [Fraction(generator.randint(0, 64), 64) for _ in range(2)])


def definite_at(record, point):
    """Whether all matrices are positive definite at a point, from pivots of fractions."""
    method, constants, rows = certificates.read(record)
    box = [Interval.of(part) for part in point]
    given = {key: Enclosed.of(value) for key, value in constants.items()}
    at = values(method, enclosed(rows), box)
    for matrix in method.matrices(given, at, [Enclosed.of(part) for part in point]).values():
        exact = [[Fraction(entry.at_centre.low, 1 << 96) for entry in row] for row in matrix]
        if not checker.rationals.definite(exact):
            return False
    return True


# ---- hostile -----------------------------------------------------------------------------------

HUGE = "9" * 10_000
UNUSABLE = {
    "empty": "",
    "not JSON": "PROVED",
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "no keys": "{}",
    "deep lists": "[" * 10_000 + "]" * 10_000,
    "deep, not closed": "[" * 19_000,
    "deep objects": '{"format":' * 5_000 + "1" + "}" * 5_000,
    "long": TEXT + " " * 30_000,
    "cut off": TEXT[:-1],
    "twice": TEXT + TEXT,
    "a key repeated": TEXT.replace('"method": "rosdhb"', '"method": "x", "method": "rosdhb"'),
    "a constant repeated": TEXT.replace('"C": "31/20"', '"C": "31/20", "C": "1"'),
    "a float": TEXT.replace('"31/20"', "1.55"),
    "a whole number": TEXT.replace('"60"', "60"),
    "a float as text": TEXT.replace('"31/20"', '"1.55"'),
    "an exponent": TEXT.replace('"60"', '"6e1"'),
    "hexadecimal": TEXT.replace('"60"', '"0x3c"'),
    "nan": TEXT.replace('"31/20"', "NaN"),
    "nan as text": TEXT.replace('"31/20"', '"nan"'),
    "infinity": TEXT.replace('"31/20"', "Infinity"),
    "infinity as text": TEXT.replace('"31/20"', '"inf"'),
    "true": TEXT.replace('"31/20"', "true"),
    "null for a number": TEXT.replace('"31/20"', "null"),
    "a list for a number": TEXT.replace('"31/20"', '["31/20"]'),
    "an object for a number": TEXT.replace('"31/20"', '{"a": "1"}'),
    "a huge number": TEXT.replace('"31/20"', HUGE),
    "a huge number as text": TEXT.replace('"31/20"', f'"{HUGE}"'),
    "a huge denominator": TEXT.replace('"31/20"', f'"1/{HUGE}"'),
    "division by 0": TEXT.replace('"31/20"', '"31/0"'),
    "two divisions": TEXT.replace('"31/20"', '"31/20/1"'),
    "a negative denominator": TEXT.replace('"31/20"', '"31/-20"'),
    "spaces": TEXT.replace('"31/20"', '" 31/20"'),
    "a line end": TEXT.replace('"31/20"', '"31/20\\n"'),
    "an underscore": TEXT.replace('"60"', '"6_0"'),
    "Arabic digits": TEXT.replace('"60"', '"٦٠"'),
    "empty text": TEXT.replace('"31/20"', '""'),
    "another format": TEXT.replace("certificate/1", "certificate/2"),
    "another method": TEXT.replace('"rosdhb"', '"sgd"'),
    "a method that is a number": TEXT.replace('"rosdhb"', "[]"),
    "a missing constant": json.dumps(
        GOOD | {"constants": {k: v for k, v in GOOD["constants"].items() if k != "c"}}
    ),
    "one constant more": json.dumps(GOOD | {"constants": GOOD["constants"] | {"status": "1"}}),
    "a missing multiplier": json.dumps(GOOD | {"multipliers": {"cf": ["1"]}}),
    "no multipliers": json.dumps(GOOD | {"multipliers": {}}),
    "multipliers in a list": json.dumps(GOOD | {"multipliers": list(GOOD["multipliers"])}),
    "one key more": json.dumps(GOOD | {"status": "PROVED"}),
    "a row too long": json.dumps(changed("multipliers", "cf", ["1"] * 4)),
    "an empty row": json.dumps(changed("multipliers", "cf", [])),
    "a row that is a text": json.dumps(changed("multipliers", "cf", "1")),
    "a row of rows": json.dumps(changed("multipliers", "cf", [["1"]])),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_no_certificate_is_unusable(name, tmp_path):
    code, said = outcome(UNUSABLE[name], tmp_path)
    assert code == 2
    assert "unusable" in said
    assert "PROVED," not in said


def test_largest_numbers_end_within_the_budget():
    most = "9" * 15
    for value in (most, f"{most}/1", f"1/{most}", f"-{most}"):
        record = copy.deepcopy(GOOD)
        record["multipliers"] = {
            name: [value] * len(row) for name, row in record["multipliers"].items()
        }
        assert not certificates.prove(record).proved


def test_files_that_cannot_be_read(tmp_path):
    binary = tmp_path / "binary.json"
    binary.write_bytes(b"\xff\xfe\x00{}")
    good = tmp_path / "good.json"
    good.write_text(TEXT, encoding="utf-8")
    lines = []
    paths = [str(tmp_path / "none.json"), str(tmp_path), str(binary), str(good)]
    # A fault of one does not stop the next one.
    assert checker.front_door.main(paths, checker._counterexample, write=lines.append) == 2
    assert [": unusable: " in line for line in lines] == [True, True, True, False]
    assert "PROVED" in lines[-1]
    assert checker.main([]) == 2


def test_counterexamples_that_do_not_fit_are_unusable(tmp_path):
    for text in ('{"claim": "rosdhb/L4"}', '{"claim": []}', '{"claim": "x", "constants": {}}'):
        assert outcome(text, tmp_path)[0] == 2


# ---- no floats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_floating_point_number_is_on_the_path(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        # Division and powers of integers may give floats.
        assert not isinstance(node, ast.Div | ast.Pow), path
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float | complex), path
        if isinstance(node, ast.Name):
            assert node.id not in {"float", "complex", "round", "pow"}, path
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "math":
            assert node.attr == "isqrt", path
        if isinstance(node, ast.ImportFrom | ast.Import) and not getattr(node, "level", 0):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not names & {"jax", "numpy", "decimal", "cmath"}, path


# ---- arithmetic --------------------------------------------------------------------------------


def some_interval(generator):
    ends = sorted(Fraction(generator.randint(-300, 300), generator.randint(1, 97)) for _ in "ab")
    inside = ends[0] + (ends[1] - ends[0]) * Fraction(generator.randint(0, 8), 8)
    low, high = Interval.of(ends[0]), Interval.of(ends[1])
    return Interval(low.low, high.high), inside


def test_results_lie_in_the_intervals():
    generator = random.Random(1)
    for _ in range(500):
        (a, x), (b, y) = some_interval(generator), some_interval(generator)
        assert (a + b).holds(x + y)
        assert (a - b).holds(x - y)
        assert (a * b).holds(x * y)
        assert (-a).holds(-x)
        assert a.squared().holds(x * x)
        if b.low > 0:
            assert a.over(b).holds(x / y)
        if x >= 0:
            root = a.root()
            assert Fraction(root.low, 1 << 96) ** 2 <= x <= Fraction(root.high, 1 << 96) ** 2


def test_rounding_is_outward_in_the_last_place():
    third = Interval.of(Fraction(1, 3))
    assert third.high - third.low == 1
    tiny = Interval(1, 1)
    assert (tiny * tiny).low == 0
    assert (tiny * tiny).high == 1
    assert (-tiny * tiny).low == -1
    two = Interval.of(Fraction(2)).root()
    assert two.high - two.low == 1


def test_what_has_no_value_is_an_error():
    one = Interval.of(Fraction(1))
    with pytest.raises(ValueError, match="divisor must be positive"):
        one.over(Interval(0, 0))
    with pytest.raises(ValueError, match="radicand must not be negative"):
        (-one).root()
    with pytest.raises(ValueError, match="low must be <= high"):
        Interval(1, 0)


def formula(x, y, one):
    """Of everything that matrices are made of."""
    return ((x * y - x.squared()).over(one + y)) * (one + x * y).root() - (-y)


def test_functions_lie_in_their_enclosures():
    generator = random.Random(2)
    for _ in range(50):
        corner = [Fraction(generator.randint(0, 48), 64) for _ in range(2)]
        box = [Interval.of(part) for part in corner]
        box = [Interval(side.low, side.high + (1 << 92)) for side in box]  # sides of 1/16
        one = Enclosed.of(Fraction(1))
        whole = formula(*(Enclosed.variable(side, place, 2) for place, side in enumerate(box)), one)
        for _ in range(10):
            point = [c + Fraction(generator.randint(0, 16), 256) for c in corner]
            exact = formula(*map(Enclosed.of, point), one).at_centre
            assert whole.range.low <= exact.low
            assert exact.high <= whole.range.high
            # Centre and slopes hold it too.
            held = whole.at_centre
            for side, slope, part in zip(box, whole.slopes, point, strict=True):
                held = held + slope * (Interval.of(part) - side.centre())
            assert held.low <= exact.low
            assert exact.high <= held.high


def test_a_root_at_zero_has_no_slopes():
    x = Enclosed.variable(Interval(0, 1 << 96), 0, 1)
    assert x.root().slopes is None
    assert (x.root() + x).slopes is None
    assert (x.root() * x).slopes is None
    assert x.root().squared().slopes is None
    assert (-x.root()).slopes is None
    assert x.root().over(x + Enclosed.of(Fraction(1))).slopes is None


# ---- positivity and boxes ----------------------------------------------------------------------


def constant(rows):
    return [[Enclosed.of(Fraction(entry)) for entry in row] for row in rows]


def test_signs_of_matrices_are_those_of_their_pivots():
    generator = random.Random(3)
    signs = {positivity.Sign.DEFINITE: 0, positivity.Sign.NOT: 0}
    for _ in range(200):
        size = generator.randint(1, 4)
        root = [[generator.randint(-4, 4) for _ in range(size)] for _ in range(size)]
        rows = [
            [sum(root[k][i] * root[k][j] for k in range(size)) for j in range(size)]
            for i in range(size)
        ]
        shift = generator.randint(-6, 3)
        rows = [
            [entry + shift * (i == j) for j, entry in enumerate(row)] for i, row in enumerate(rows)
        ]
        found = positivity.sign(constant(rows), []).sign
        exact = checker.rationals.definite([[Fraction(entry) for entry in row] for row in rows])
        assert found is (positivity.Sign.DEFINITE if exact else positivity.Sign.NOT) or (
            found is positivity.Sign.UNKNOWN and not exact
        )
        signs[found] = signs.get(found, 0) + 1
    assert min(signs[positivity.Sign.DEFINITE], signs[positivity.Sign.NOT]) > 20


def test_a_matrix_that_fails_at_one_point_of_the_box_is_not_proved():
    # x² - x + 1/4 + margin: least at 1/2.
    def matrices(margin):
        def at(box):
            x = Enclosed.variable(box[0], 0, 1)
            shift = Enclosed.of(Fraction(1, 4) + margin)
            return {"A": [[x.squared() - x + shift]]}

        return at

    assert subdivision.all_definite(matrices(Fraction(1, 10**6)), 1).proved
    assert not subdivision.all_definite(matrices(Fraction(0)), 1).proved
    assert not subdivision.all_definite(matrices(Fraction(-1, 10**6)), 1).proved
    third = Fraction(1, 3)  # no corner of a box

    def touching(box):
        x = Enclosed.variable(box[0], 0, 1) - Enclosed.of(third)
        return {"A": [[x.squared()]]}

    found = subdivision.all_definite(touching, 1)
    assert not found.proved
    assert "undecided" in found.reason


def test_boxes_cover_what_they_bisect():
    box = [Interval(0, 1 << 96), Interval(0, 1 << 90)]
    for doubts in ([1, 5], [5, 1]):
        one, other = subdivision.pieces(box, doubts, 1)
        (place,) = [i for i in range(2) if (one[i].low, one[i].high) != (box[i].low, box[i].high)]
        assert one[place].low == box[place].low
        assert one[place].high == other[place].low
        assert other[place].high == box[place].high
        assert place == 0  # the other is far shorter


def test_four_pieces_cover_the_box_once():
    """After one cut its direction counts half, so that the other is cut next if it is near."""
    box = [Interval(0, 1 << 96), Interval(0, 1 << 96)]
    squares = subdivision.pieces(box, [5, 4], 2)
    assert [(x.low >> 95, y.low >> 95) for x, y in squares] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {side.high - side.low for square in squares for side in square} == {1 << 95}
    strips = subdivision.pieces(box, [10, 4], 2)
    assert [(x.low >> 94, x.high >> 94) for x, _ in strips] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert all((y.low, y.high) == (0, 1 << 96) for _, y in strips)


def test_slopes_of_a_product():
    x, y = (Enclosed.variable(Interval(0, 1 << 96), place, 2) for place in range(2))
    assert isinstance(x, slopes.Enclosed)
    product = x * y
    assert [slope.holds(Fraction(1, 3)) for slope in product.slopes] == [True, True]
