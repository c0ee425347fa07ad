"""Matrices and cubes whose answers are known, and that need every part of the decision."""

import itertools
from fractions import Fraction

import pytest

from jaxbyz.theory.checker.certificates import intervals, positivity, subdivision
from jaxbyz.theory.checker.certificates.intervals import BITS, Interval
from jaxbyz.theory.checker.certificates.positivity import Sign
from jaxbyz.theory.checker.certificates.slopes import Enclosed
from jaxbyz.theory.checker.certificates.subdivision import all_definite

WHOLE = Interval(0, 1 << BITS)
HALF_SIDE = WHOLE.radius()


def number(value):
    return Enclosed.of(Fraction(value))


def between(low, high):
    """The least interval from one number to another."""
    return Interval(Interval.of(Fraction(low)).low, Interval.of(Fraction(high)).high)


def coordinate(box, place=0):
    return Enclosed.variable(box[place], place, len(box))


def sign(matrix):
    """On [0, 1]."""
    return positivity.sign(matrix, [HALF_SIDE]).sign


# ---- one matrix on one box ---------------------------------------------------------------------


def test_a_slope_counts_in_full():
    # 1 + t(x - 1/2) with x in [0, 1] is positive for |t| < 2 and 0 at an end for |t| = 2.
    x = Enclosed.variable(WHOLE, 0, 1)
    for slope in (Fraction(19, 10), Fraction(-19, 10)):
        entry = number(1 - slope / 2) + number(slope) * x
        assert sign([[entry]]) is Sign.DEFINITE
    for slope in (2, 3, -2, -3):
        entry = number(1 - Fraction(slope) / 2) + number(slope) * x
        assert sign([[entry]]) is Sign.UNKNOWN


def test_a_slope_of_unknown_sign_counts_as_its_largest():
    # Slopes in [-t, t], of which the middle is 0.
    one = Interval.of(Fraction(1))
    for t, found in ((Fraction(19, 10), Sign.DEFINITE), (2, Sign.UNKNOWN), (3, Sign.UNKNOWN)):
        entry = Enclosed(one, between(1 - Fraction(t) / 2, 1 + Fraction(t) / 2), (between(-t, t),))
        assert sign([[entry]]) is found


def test_a_range_without_slopes_counts_in_full():
    # Of √x only the range [0, 1] is known: 1/4 + √x - 1/2 may be below 0.
    root = Enclosed.variable(WHOLE, 0, 1).root()
    assert root.slopes is None
    assert sign([[root + number(Fraction(1, 100))]]) is Sign.DEFINITE
    assert sign([[root - number(Fraction(1, 4))]]) is Sign.UNKNOWN
    assert sign([[root]]) is Sign.UNKNOWN


def test_the_value_at_the_centre_counts_with_its_width():
    # What is known of it is an interval around 1; slopes are 0.
    for radius, found in ((Fraction(9, 10), Sign.DEFINITE), (Fraction(11, 10), Sign.UNKNOWN)):
        values = between(1 - radius, 1 + radius)
        for slopes in (None, (Interval(0, 0),)):
            wide = [[Enclosed(values, values, slopes), number(0)], [number(0), number(1)]]
            assert sign(wide) is found


def test_every_other_entry_of_a_row_counts():
    # Rows (1, b, 0), (b, 1, b), (0, b, 1) with b from -t/2 to t/2: the identity at the centre. The
    # least eigenvalue is 1 - |b|√2, Gershgorin's bound 1 - 2|b|.
    x = Enclosed.variable(WHOLE, 0, 1) - number(Fraction(1, 2))

    def matrix(slope):
        b, zero, one = number(slope) * x, number(0), number(1)
        return [[one, b, zero], [b, one, b], [zero, b, one]]

    assert sign(matrix(Fraction(9, 10))) is Sign.DEFINITE
    for slope in (Fraction(3, 2), 2, 3):  # |b|√2 > 1 at both ends
        assert sign(matrix(slope)) is Sign.UNKNOWN


def test_entries_below_the_diagonal_count():
    # Ones on the diagonal, u in the last row and column: not definite if 3u² > 1, as at the ends.
    # No row but the last has more than one other entry, and all those of the last come before 1.
    x = Enclosed.variable(WHOLE, 0, 1) - number(Fraction(1, 2))
    u = number(Fraction(3, 2)) * x  # from -3/4 to 3/4
    rows = [[number(i == j) for j in range(4)] for i in range(4)]
    for i in range(3):
        rows[i][3] = rows[3][i] = u
    assert 3 * Fraction(3, 4) ** 2 > 1
    assert sign(rows) is Sign.UNKNOWN


@pytest.mark.parametrize(
    "rows", [[[1, 2], [2, 1]], [[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[1, 1], [1, 1]]]
)
def test_nothing_is_believed_of_the_factor(rows, monkeypatch):
    """No matrix that is not definite is found definite, whatever T is: here the identity."""
    one = 1 << BITS
    monkeypatch.setattr(positivity, "_factor", lambda _: [[one, 0], [0, one]])
    assert sign([[number(part) for part in row] for row in rows]) is Sign.UNKNOWN


def test_not_definite_is_said_of_intervals_that_leave_no_doubt():
    zero, one, two = number(0), number(1), number(2)
    assert sign([[one, two], [two, one]]) is Sign.NOT  # by the second pivot
    assert sign([[-one, zero], [zero, one]]) is Sign.NOT
    doubtful = between(Fraction(-1, 2), Fraction(1, 4))
    wide = Enclosed(doubtful, doubtful, ())
    assert sign([[wide, zero], [zero, one]]) is Sign.UNKNOWN
    assert sign([[one, zero], [zero, wide]]) is Sign.UNKNOWN


def test_two_products_are_rounded_outwards():
    ends = [Fraction(n, 3 << 90) for n in (-7, -2, 1, 5)]
    for u, v, x, y in itertools.product(ends, repeat=4):
        a, b, c, d = (Interval.of(end) for end in (u, v, x, y))
        exact = [
            Fraction(p * q + r * s, 1 << 2 * BITS)
            for p, q, r, s in itertools.product(*((i.low, i.high) for i in (a, b, c, d)))
        ]
        found = intervals.two_products(a, b, c, d)
        assert found.low == min(exact) * (1 << BITS) // 1
        assert found.high == -(-max(exact) * (1 << BITS) // 1)


def test_doubts_of_slopes_are_rounded_up():
    """The least doubt there is, over a small side, is not lost."""
    one = Interval.of(Fraction(1))
    entry = Enclosed(one, one, (Interval(-1, 1),))
    (far,), _ = positivity._deviations([[entry]], [1], [[1 << BITS]])
    assert far == [1 << 2 * BITS]


def test_slopes_hold_every_derivative_and_little_more():
    # x in [0, 1/16], at points where 1 + x is the square of a fraction.
    side = between(0, Fraction(1, 16))
    x = Enclosed.variable(side, 0, 1)
    one, three = number(1), number(3)
    for y in (Fraction(0), Fraction(1, 50), Fraction(1, 33)):
        root = 1 + y
        at = root**2 - 1  # from 0 to 0.0615
        assert side.holds(at)
        for function, derivative, slack in (
            ((one + x).root(), 1 / (2 * root), Fraction(1, 20)),
            (three.over(one + x), -3 / root**4, Fraction(2, 5)),
            ((one + x).squared(), 2 * root**2, Fraction(3, 20)),
            ((one + x) * x, 1 + 2 * at, Fraction(1, 5)),
            (x.over(one + x), 1 / root**4, Fraction(1, 5)),
        ):
            (slope,) = function.slopes
            assert slope.holds(derivative)
            assert Fraction(slope.high - slope.low, 1 << BITS) < slack


# ---- the cube ----------------------------------------------------------------------------------


def test_a_matrix_that_is_singular_at_zero_is_never_proved():
    """[[x, 0], [0, 1]], also with √x, x² and x + y."""
    one, zero = number(1), number(0)
    for entry in (
        lambda box: coordinate(box),
        lambda box: coordinate(box).squared(),
        lambda box: coordinate(box).root(),
        lambda box: coordinate(box) + coordinate(box, 1),
    ):
        found = all_definite(
            lambda box, e=entry: {"A": [[e(box), zero], [zero, one]]}, 2, most_boxes=200
        )
        assert not found.proved
        above = all_definite(
            lambda box, e=entry: {"A": [[e(box) + number(Fraction(1, 100)), zero], [zero, one]]}, 2
        )
        assert above.proved


def test_the_last_point_of_the_cube_counts():
    # 1 - x is 0 at x = 1 alone, x at 0 alone.
    for entry in (lambda x: number(1) - x, lambda x: x):
        assert not all_definite(lambda box, e=entry: {"A": [[e(coordinate(box))]]}, 1).proved


def hard(box):
    """(x - 1/3)² + 10^-4: definite, and not seen at once."""
    x = coordinate(box) - number(Fraction(1, 3))
    return [[x.squared() + number(Fraction(1, 10**4))]]


def test_an_exhausted_budget_is_not_proved():
    assert all_definite(lambda box: {"A": hard(box)}, 1).proved
    found = all_definite(lambda box: {"A": hard(box)}, 1, most_boxes=3)
    assert (found.proved, found.boxes) == (False, 3)
    assert found.reason == "matrix A is undecided after 3 boxes"


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_every_matrix_of_a_box_is_examined(name):
    # One may never be proved (x² at 0), others always.
    def matrices(box):
        easy, never = [[number(1)]], [[coordinate(box).squared()]]
        return {key: never if key == name else easy for key in "ABC"}

    found = all_definite(matrices, 1, most_boxes=50)
    assert not found.proved
    assert f"matrix {name} is undecided" in found.reason


def test_the_smallest_box_is_not_proved():
    found = all_definite(lambda box: {"A": [[coordinate(box).squared()]]}, 1)
    assert found.reason == "matrix A is undecided in the smallest box"


def test_boxes_of_a_proof_cover_the_cube(monkeypatch):
    examined = []

    def watched(matrix, radii):
        examined.append(answer := positivity.sign(matrix, radii))
        return answer

    monkeypatch.setattr(subdivision, "sign", watched)
    boxes = []

    def matrices(box):
        boxes.append(box)
        return {"A": hard(box)}

    found = all_definite(matrices, 1)
    proved = [
        (box[0].low, box[0].high)
        for box, answer in zip(boxes, examined, strict=True)
        if answer.sign is Sign.DEFINITE
    ]
    assert len(proved) == found.boxes > 3
    ends = sorted(proved)
    assert (ends[0][0], ends[-1][1]) == (0, 1 << BITS)
    assert all(one[1] == following[0] for one, following in itertools.pairwise(ends))


# ---- rounding ----------------------------------------------------------------------------------


def test_a_radius_reaches_both_ends():
    # Of an odd width: the centre is rounded down, and the upper end is further from it.
    for low, high in ((0, 1), (-3, 0), (5, 12), (0, 4)):
        side = Interval(low, high)
        centre = side.centre().low
        assert centre - side.radius() <= low
        assert high <= centre + side.radius()
        assert side.radius() - 1 < Fraction(high - low, 2) + 1


def test_ends_of_quotients_are_rounded_outward_in_the_last_place():
    one = 1 << BITS
    three = Interval(3 * one, 3 * one)
    for low, high in ((1, 1), (2, 2), (-1, -1), (-2, -2), (-1, 1), (one, one), (-one, -one)):
        found = Interval(low, high).over(three)
        assert found.low * 3 <= low
        assert found.high * 3 >= high
        assert (found.low + 1) * 3 > low
        assert (found.high - 1) * 3 < high
    wide = Interval(2 * one, 3 * one)
    assert Interval(one, one).over(wide).high == one // 2
    assert Interval(one, one).over(wide).low == one // 3
    assert Interval(-one, -one).over(wide).low == -one // 2
    assert Interval(-one, -one).over(wide).high == -(one // 3)
