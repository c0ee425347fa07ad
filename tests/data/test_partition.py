import math

import numpy as np
import pytest

from jaxbyz.data import dirichlet, dirichlet_unequal, iid, label_sorted

LABELS = np.repeat(np.arange(10), 100)  # [1000]

EQUAL = {
    "dirichlet": lambda labels, workers, seed: dirichlet(labels, workers, 0.5, seed),
    "iid": iid,
    "label_sorted": lambda labels, workers, seed: label_sorted(labels, workers, 0.7, seed),
}
ALL = EQUAL | {
    "dirichlet_unequal": lambda labels, workers, seed: dirichlet_unequal(labels, workers, 5.0, seed)
}


def counts(labels, parts):
    """How many samples of each class each worker has: [workers, classes]."""
    return np.stack([np.bincount(labels[part], minlength=labels.max() + 1) for part in parts])


# Every partition.


@pytest.mark.parametrize("split", EQUAL.values(), ids=EQUAL)
@pytest.mark.parametrize(
    ("count", "workers"),
    [(n, k) for n in (1, 2, 7, 100, 101) for k in (1, 2, 7, 13, 100) if k <= n],
)
def test_equal_sizes_disjoint_and_only_the_remainder_left_out(split, count, workers):
    labels = np.random.default_rng(count).integers(0, 4, count)
    parts = split(labels, workers, 3)
    assert parts.shape == (workers, count // workers)
    assert np.issubdtype(parts.dtype, np.integer)
    used = np.unique(parts)
    assert used.size == parts.size
    assert used.min() >= 0
    assert used.max() < count


@pytest.mark.parametrize("workers", [1, 2, 7, 13])
def test_unequal_sizes_disjoint_complete_and_nobody_empty(workers):
    parts = dirichlet_unequal(LABELS, workers, 0.5, 3)
    assert len(parts) == workers
    assert min(map(len, parts)) > 0
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(1000))


@pytest.mark.parametrize("split", ALL.values(), ids=ALL)
def test_the_seed_decides_everything(split):
    first, same, other = (list(split(LABELS, 7, seed)) for seed in (5, np.int32(5), 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("split", ALL.values(), ids=ALL)
def test_the_labels_are_neither_changed_nor_required_to_be_an_array(split):
    labels = LABELS.copy()
    labels.flags.writeable = False
    first, second = split(labels, 4, 0), split(LABELS.tolist(), np.uint8(4), 0)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("split", ALL.values(), ids=ALL)
def test_labels_need_not_start_at_zero(split):
    labels = np.array([-7, 3, 3, -7, 90, 90, 3, -7] * 5)
    parts = split(labels, 2, 0)
    assert sum(map(len, parts)) == 40


@pytest.mark.parametrize("split", EQUAL.values(), ids=EQUAL)
def test_the_order_within_a_worker_is_random(split):
    parts = split(LABELS, 5, 0)
    assert all((np.diff(row) < 0).any() for row in parts)
    # A row that is dealt class by class would have few changes of label; a shuffled one many.
    changes = (np.diff(LABELS[parts], axis=1) != 0).mean(axis=1)
    impurity = 1 - ((counts(LABELS, parts) / 200) ** 2).sum(axis=1)
    # For shuffled rows, changes has mean close to impurity and standard deviation below 0.04.
    np.testing.assert_allclose(changes, impurity, atol=0.16)


@pytest.mark.parametrize("split", EQUAL.values(), ids=EQUAL)
def test_the_remainder_has_the_class_shares_on_average(split):
    labels = np.repeat([0, 1], [20, 60])  # 7 workers, 11 each: 3 left out, 3/4 of class 0
    left = [
        3 - (60 - (labels[split(labels, 7, seed)] == 1).sum()) for seed in range(200)
    ]  # of class 0: hypergeometric, mean 3 * 20 / 80, variance below 3 * 3 / 16
    assert set(left) <= {0, 1, 2, 3}
    assert abs(np.mean(left) - 0.75) < 4 * math.sqrt(9 / 16 / 200)


# Each law.


def share_of_squares(split, n, seeds):
    """The mean over seeds of sum_i (n_i / n)^2 for class 0, of n samples."""
    squares = [((split(seed)[:, 0] / n) ** 2).sum() for seed in range(seeds)]
    return np.mean(squares), np.std(squares) / math.sqrt(seeds)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("name", ["dirichlet", "dirichlet_unequal"])
def test_the_first_class_follows_the_dirichlet_multinomial_law(name, alpha):
    # With p ~ Dirichlet(alpha) on K workers, E sum p_i^2 = (alpha + 1) / (K alpha + 1). Of class 0
    # there are no more samples than one worker has room for, so nothing is cut.
    workers, n = 4, 100
    labels = np.repeat([0, *range(1, 9)], [n, *[100] * 8])
    function = {"dirichlet": dirichlet, "dirichlet_unequal": dirichlet_unequal}[name]
    mean, error = share_of_squares(
        lambda seed: counts(labels, function(labels, workers, alpha, seed)), n, 300
    )
    wanted = 1 / n + (1 - 1 / n) * (alpha + 1) / (workers * alpha + 1)
    assert abs(mean - wanted) < 4 * error


@pytest.mark.parametrize("alpha", [1e6, 1e50, 1e308])
def test_large_alpha_is_nearly_iid(alpha):
    for function in (dirichlet, dirichlet_unequal):
        table = counts(LABELS, function(LABELS, 5, alpha, 0))
        # Multinomial counts of mean 20 and standard deviation 4; the last class of the
        # equal-size split collects the deviations of the nine before it, 3 times as large.
        assert np.abs(table[:, :9] - 20).max() <= 20
        assert np.abs(table - 20).mean() < 8


@pytest.mark.parametrize("alpha", [1e-2, 1e-50, 5e-324])
def test_small_alpha_is_one_sided(alpha):
    table = counts(LABELS, dirichlet(LABELS, 10, alpha, 0))
    # At most one worker is filled in the middle of each class, so nearly all is in one piece.
    assert (table > 0).sum() <= 25
    assert (table.max(axis=1) / 100).mean() > 0.6
    two = np.repeat([0, 1], 50)
    parts = dirichlet_unequal(two, 2, alpha, 0)  # each class whole, but never both to one worker
    assert np.sort(counts(two, parts), axis=1)[:, 1].min() >= 45


def test_alpha_orders_the_heterogeneity():
    def spread(alpha):
        tables = [counts(LABELS, dirichlet(LABELS, 10, alpha, seed)) for seed in range(20)]
        return np.mean([table.var(axis=0).mean() for table in tables])

    spreads = [spread(alpha) for alpha in (0.05, 0.5, 5.0, 500.0)]
    assert spreads == sorted(spreads, reverse=True)


def test_no_empty_worker_can_be_impossible():
    with pytest.raises(ValueError, match=r"alpha = 0.001 with workers = 50 .* each of 1000 draws"):
        dirichlet_unequal(np.zeros(60, int), 50, 1e-3, 0)


def test_iid_takes_a_count_or_labels():
    np.testing.assert_array_equal(iid(1000, 7, 1), iid(LABELS, 7, 1))
    np.testing.assert_array_equal(iid(np.int64(1000), 7, 1), iid(LABELS, 7, 1))
    assert np.abs(counts(LABELS, iid(LABELS, 5, 0)) - 20).max() < 4.5 * 4  # deviation below 4


def test_fraction_one_is_sorted_and_covers_all_classes():
    table = counts(LABELS, label_sorted(LABELS, 10, 1.0, 0))
    np.testing.assert_array_equal(table, 100 * np.eye(10, dtype=int))
    labels = np.random.default_rng(0).permutation(LABELS)
    parts = label_sorted(labels, 20, 1, 0)
    assert ((counts(labels, parts) > 0).sum(axis=1) == 1).all()


def test_fraction_zero_is_random():
    table = counts(LABELS, label_sorted(LABELS, 5, 0, 0))
    assert np.abs(table - 20).max() < 4.5 * 4


def test_fraction_between_covers_all_classes_and_is_as_sorted_as_it_says():
    table = counts(LABELS, label_sorted(LABELS, 10, 0.6, 0))
    # 60 of 100 samples are sorted: those of about one class, the class of the worker's position.
    assert (table.argmax(axis=1) == np.arange(10)).all()
    assert (table.sum(axis=0) == 100).all()
    # Row i has about 60 + 4 of class i: up to 20 of the 60 may belong to the neighbours.
    assert np.diag(table).min() >= 44
    assert np.diag(table).max() <= 84


# Errors.


@pytest.mark.parametrize("split", ALL.values(), ids=ALL)
@pytest.mark.parametrize("workers", [0, -1, 1001, True, 2.0, "2", None, np.bool_(True)])
def test_workers_are_checked(split, workers):
    with pytest.raises(ValueError, match=r"workers must be an integer in 1\.\.1000, got"):
        split(LABELS, workers, 0)


@pytest.mark.parametrize("split", ALL.values(), ids=ALL)
@pytest.mark.parametrize("seed", [-1, True, 0.5, None, "0"])
def test_the_seed_is_checked(split, seed):
    with pytest.raises(ValueError, match="seed must be an integer >= 0, got"):
        split(LABELS, 2, seed)


@pytest.mark.parametrize("split", ALL.values(), ids=ALL)
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([], "at least one"),
        ([[0, 1], [1, 0]], r"rank 1, \[N\], got shape \(2, 2\)"),
        ([0.0, 1.0], "integers, got dtype float64"),
        ([True, False], "integers, got dtype bool"),
    ],
)
def test_labels_are_checked(split, labels, says):
    with pytest.raises(ValueError, match=rf"^labels.* must .*{says}"):
        split(labels, 1, 0)


@pytest.mark.parametrize("function", [dirichlet, dirichlet_unequal])
@pytest.mark.parametrize("alpha", [0, -1.0, math.nan, math.inf, -math.inf, True, "1", None])
def test_alpha_is_checked(function, alpha):
    with pytest.raises(ValueError, match=r"alpha must (be a number|lie) in \(0, inf\), got"):
        function(LABELS, 2, alpha, 0)


@pytest.mark.parametrize("alpha", [1, np.float32(1), np.int64(1)])
def test_alpha_may_be_any_real_number(alpha):
    np.testing.assert_array_equal(dirichlet(LABELS, 3, alpha, 0), dirichlet(LABELS, 3, 1.0, 0))


@pytest.mark.parametrize("fraction", [-0.1, 1.1, math.nan, math.inf, True, "1", None])
def test_the_fraction_is_checked(fraction):
    with pytest.raises(ValueError, match=r"fraction must (be a number|lie) in \[0, 1\], got"):
        label_sorted(LABELS, 2, fraction, 0)


@pytest.mark.parametrize("count", [0, -3, True, 2.0, "5", None])
def test_the_count_is_checked(count):
    with pytest.raises(ValueError, match="labels_or_count must be an integer >= 1, got"):
        iid(count, 1, 0)
