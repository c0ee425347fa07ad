"""Bets and intervals keep their level at any time of stopping, and rates their coverage."""

import numpy as np
import pytest

from jaxbyz.theory import Budget, Claim, Provenance, Scope, Status
from jaxbyz.theory.engines.fits import fit_power, fit_rate
from jaxbyz.theory.engines.frequencies import chernoff_interval
from jaxbyz.theory.engines.statistics import (
    confidence_sequence,
    confirmed,
    log_wealth,
    mean_at_most,
)

RUNS, LENGTH = 400, 1000


@pytest.fixture(scope="module")
def tight():
    """Values whose mean is the bound, 0.3: the hardest case of the null hypothesis."""
    return np.random.default_rng(0).beta(0.6, 1.4, size=(RUNS, LENGTH))


def test_a_true_bound_is_rarely_rejected_at_any_time(tight):
    rejected = np.mean([log_wealth(run, 0.3).max() >= np.log(20) for run in tight])
    # Ville: at most 5 %; 400 runs have a standard error of 1.1 %.
    assert rejected <= 0.05 + 0.03


def test_the_usual_test_with_looks_rejects_far_too_often(tight):
    times = np.arange(20, LENGTH + 1)
    mean = np.cumsum(tight, axis=1)[:, 19:] / times
    z = (mean - 0.3) / (tight.std() / np.sqrt(times))
    assert np.mean((z > 1.645).any(axis=1)) > 0.2


def test_the_interval_covers_at_all_times(tight):
    intervals = [confidence_sequence(run) for run in tight]
    covered = [((i.low <= 0.3) & (i.high >= 0.3)).all() for i in intervals]
    assert np.mean(covered) >= 0.95
    assert np.median([i.high[-1] - i.low[-1] for i in intervals]) < 0.15


def test_a_false_bound_is_rejected_and_slack_confirmed(tight):
    assert np.mean([log_wealth(run, 0.2).max() >= np.log(20) for run in tight]) > 0.99
    needed = [confirmed(run, 0.6) for run in tight]
    assert None not in needed
    assert np.median(needed) < 150


@pytest.mark.parametrize("values", [[-0.1], [1.1], [np.nan], [[0.5]]])
def test_values_outside_the_unit_interval_are_refused(values):
    with pytest.raises(ValueError, match=r"values must be a list of numbers in \[0, 1\]"):
        log_wealth(np.array(values), 0.5)


CLAIM = Claim(
    "test",
    "mean",
    "a mean",
    "E X ≤ b",
    Provenance.DERIVED,
    "here",
    Scope.ONE_STEP,
    lambda i: (0, 1),
)


@pytest.mark.parametrize(
    ("bound", "status", "words"),
    [
        (0.6, Status.CONFIDENT, "level 0.05 after"),
        (0.301, Status.INCONCLUSIVE, "do not decide"),
        (0.2, Status.INCONCLUSIVE, "suspected violation"),
    ],
)
@pytest.mark.usefixtures("x64")
def test_a_check_is_confident_undecided_or_suspicious(bound, status, words):
    def draw(seed, count):
        return np.random.default_rng(seed).beta(0.6, 1.4, size=count)

    report = mean_at_most(draw, bound)(CLAIM, Budget())
    assert report.status is status
    assert words in report.evidence


def curves(count, exponent, floor, seed):
    """Running means of a noisy quantity, as one measures them."""
    random = np.random.default_rng(seed)
    times = np.geomspace(10, 1e5, 13)
    noise = np.exp(0.1 * random.normal(size=(count, len(times))))
    return times, (times**-exponent + floor) * noise


def test_the_interval_of_a_rate_covers_it_with_a_floor():
    covered = []
    for seed in range(20):
        rate = fit_rate(*curves(8, 1.0, 0.01, seed))
        covered.append(abs(rate.exponent - 1.0) <= rate.half_width)
    # 95 % intervals, 20 of them: 15 or more with probability 0.9997.
    assert sum(covered) >= 15


def test_a_line_through_logarithms_misses_the_exponent():
    times, runs = curves(8, 1.0, 0.01, 0)
    slopes = [np.polyfit(np.log(times), np.log(run), 1)[0] for run in runs]
    assert -np.mean(slopes) < 0.6


def test_too_little_to_fit_is_refused():
    with pytest.raises(ValueError, match="at least 4 positive pairs"):
        fit_power(np.array([1.0, 2, 3]), np.ones(3))
    with pytest.raises(ValueError, match=r"runs must have shape \[R ≥ 8, T\]"):
        fit_rate(*curves(7, 1.0, 0.0, 0))


def test_the_interval_of_a_frequency_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for count in rng.binomial(200, 0.1, size=500):
        low, high = chernoff_interval(int(count), 200, 0.1)
        covered += low <= 0.1 <= high
    assert covered >= 450  # Chernoff is conservative: about 490
