"""The computed and the searched robustness of rules."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.aggregators import (
    cge,
    coordinate_median,
    krum,
    lower_median,
    meamed,
    mean,
    phocas,
    robustness,
    stateless,
    trimmed_mean,
)
from jaxbyz.aggregators.analysis.exact_columns import programs, worst_column
from jaxbyz.aggregators.analysis.linear_pieces import ranks
from jaxbyz.core import Aggregator, LinearPiece, Robustness

pytestmark = pytest.mark.usefixtures("x64")

COLUMN_RULES = [trimmed_mean, coordinate_median, lower_median, meamed, phocas]
SIZES = [(3, 1), (4, 1), (5, 1), (5, 2), (7, 2), (8, 2), (8, 3), (11, 3)]
every_rule = pytest.mark.parametrize("make", COLUMN_RULES)


def ratio_of_rows(rows, f, value):
    """‖R(X) - x̄_S‖²/Var_S, from the definition."""
    honest = rows[: len(rows) - f]
    centre = honest.mean(axis=0)
    return ((value - centre) ** 2).sum() / ((honest - centre) ** 2).sum(axis=1).mean()


def by_pieces(pieces, column):
    """The rule as its pieces say it; every piece that holds the column must say the same."""
    column = np.sort(column)
    size = np.abs(column).max()
    here = [c for c in pieces if (c.inequalities @ column <= 1e-12 * size).all()]
    assert here
    return [c.weights @ column for c in here]


@every_rule
def test_pieces_are_the_rule(make):
    # Small integers: ties and borders of pieces are met.
    for n, f in SIZES:
        rule, random = make(f), np.random.default_rng(n)
        rows = np.concatenate([random.normal(size=(n, 40)), random.integers(-3, 4, (n, 40))], 1)
        values = np.asarray(rule(jnp.asarray(rows)))
        pieces = rule.robustness.pieces(n)
        for column, value in zip(rows.T, values, strict=True):
            said = by_pieces(pieces, column)
            # On a border the closures of both pieces hold the column; the rule takes one side.
            assert min(abs(word - value) for word in said) < 1e-13


@pytest.mark.parametrize("make", [trimmed_mean, coordinate_median, lower_median])
def test_computed_is_the_proved_formula(make):
    for n, f in [*SIZES, (20, 8), (31, 15), (100, 30)]:
        found = robustness(make(f), n, f)
        assert found.computed
        assert found.ratio == pytest.approx(found.known.exact, rel=1e-9)  # least squares in float64
        assert not found.refuted
    for trim in (2, 3, 4):
        found = robustness(trimmed_mean(1, trim=trim), 11, 1)
        assert found.ratio == pytest.approx(trim / (10 - trim), rel=1e-9)


@every_rule
def test_the_worst_rows_attain_what_was_computed(make):
    for n, f in SIZES:
        found = robustness(make(f), n, f)
        assert found.rows.shape == (n, 1)
        value = np.asarray(make(f)(jnp.asarray(found.rows)))
        attained = ratio_of_rows(found.rows, f, value)
        # They stand 1e-5 of their size inside a piece, so that no tie decides.
        assert attained == pytest.approx(found.ratio, rel=1e-3)


def test_constants_of_meamed_and_phocas():
    # The first values anybody could check; fractions guessed from the computation.
    expected = {(5, 1): 3 / 2, (7, 2): 16 / 5, (8, 2): 20 / 9, (11, 3): 3}
    for (n, f), value in expected.items():
        assert robustness(meamed(f), n, f).ratio == pytest.approx(value, rel=1e-9)
    for n, f in SIZES:
        assert robustness(phocas(f), n, f).ratio == pytest.approx(4 * f / (n - 2 * f), rel=1e-9)


def test_all_places_and_pieces_are_looked_at():
    # The programs that a monotone rule may leave out do not change the maximum.
    (piece,) = ranks(6, 2, 4)
    always = LinearPiece(piece.weights, np.zeros((1, 6)))  # 0 ≤ 0: not known to be all
    assert programs([piece], 6, 2) == 2
    assert programs([always], 6, 2) == 2 * len(list(itertools.combinations(range(6), 2)))
    whole, short = worst_column([always], 6, 2), worst_column([piece], 6, 2)
    assert whole.kappa == pytest.approx(short.kappa, rel=1e-12)


def test_the_mean_has_no_constant():
    found = robustness(mean(), 5, 1)
    assert found.computed
    assert found.ratio == np.inf


def searched(rule):
    """The same rule, of which nothing is known."""
    return Aggregator(rule.init, rule.apply)


@pytest.mark.parametrize(("make", "least"), [(trimmed_mean, 0.9999), (meamed, 0.99)])
def test_the_search_comes_near_what_is_computed(make, least):
    exact = robustness(make(1), 5, 1).ratio
    found = robustness(searched(make(1)), 5, 1, d=1, starts=32, steps=200)
    assert not found.computed
    assert least * exact <= found.ratio <= exact * (1 + 1e-9)
    value = np.asarray(make(1)(jnp.asarray(found.rows)))
    assert ratio_of_rows(found.rows, 1, value) == pytest.approx(found.ratio, rel=1e-9)


def test_the_search_says_which_constant_is_refuted():
    claimed = Robustness(lambda n, f: None, lambda n, f: 0.5, "nobody")
    rule = Aggregator(lambda d: None, krum(1).apply, claimed)
    found = robustness(rule, 4, 1, d=1, starts=8, steps=50)
    assert found.ratio > 0.5
    assert found.refuted == "published"
    assert "REFUTED" in str(found)
    assert "these rows exceed the published constant" in str(found)
    honest = robustness(krum(1), 4, 1, d=1, starts=8, steps=50)
    assert not honest.refuted
    assert 0.5 < honest.ratio <= honest.known.published


def test_a_rule_without_constant_is_found_out():
    # Zeros beside n-f rows that agree far from 0: the ratio grows without bound.
    found = robustness(cge(1), 4, 1, d=1, starts=16, steps=150)
    assert found.ratio > 1e3


def test_random_rules_are_averaged_over_their_keys():
    def apply(key, state, rows):
        _, aggregated = trimmed_mean(1).apply(None, None, rows)
        push = jnp.where(jax.random.bernoulli(key), 1, -1) * rows[:4].std()
        return state, aggregated._replace(value=rows[:4].mean(axis=0) + push)

    found = robustness(Aggregator(lambda d: None, apply), 5, 1, d=1, starts=4, steps=5, draws=8)
    assert found.ratio == pytest.approx(1, rel=1e-9)  # E(± deviation)² is Var_S


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 4, "f": 2}, "n must be an integer >= 5, got 4"),
        ({"n": 4, "f": 0}, "f must be an integer >= 1, got 0"),
        ({"n": 5, "f": 1, "starts": 0}, "starts must be an integer >= 1, got 0"),
        ({"n": 5, "f": 1, "draws": 0}, "draws must be an integer >= 1, got 0"),
        ({"n": 5, "f": 1, "max_programs": 3}, "max_programs must be at least 20 .*, got 3"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        robustness(meamed(1), **arguments)


def test_what_is_printed():
    text = str(robustness(stateless(lambda rows: rows[0]), 4, 1, starts=1, steps=1))
    assert "worst ratio, 1 of 4 rows" in text
    assert "searched: a lower bound" in text
    assert "least κ of any rule" in text
    assert "0.5" in text
