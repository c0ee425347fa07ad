"""Aggregation rules as loops over lists of rows, in float64, straight from their definitions.

Every rule is (rows [n, d], f) -> [d]. Written for reading: quadratic loops, library sorts, and for
the geometric median Newton's method, so that nothing is shared with what is tested.
"""

import itertools

import numpy as np


def neutralized(rows):
    """Rows with a NaN or Inf replaced by the coordinate-wise median of the others (or by 0)."""
    rows = np.array(rows, np.float64)
    good = [i for i in range(len(rows)) if np.all(np.isfinite(rows[i]))]
    fill = np.median(rows[good], axis=0) if good else np.zeros(rows.shape[1])
    return np.array([rows[i] if i in good else fill for i in range(len(rows))])


def mean(rows, f=0):
    """(1/n) Σ x_i."""
    rows = neutralized(rows)
    return sum(rows[i] / len(rows) for i in range(len(rows)))


def trimmed_mean(rows, f, trim=None):
    """Per coordinate: drop the b lowest and the b highest, average the rest."""
    rows, b = neutralized(rows), f if trim is None else trim
    kept = [sorted(column)[b : len(rows) - b] for column in rows.T]
    return np.array([sum(values) / len(values) for values in kept])


def coordinate_median(rows, f=0):
    """Per coordinate: the middle value, or half the sum of the two middle ones."""
    rows = neutralized(rows)
    n = len(rows)
    ordered = [sorted(column) for column in rows.T]
    return np.array([0.5 * values[(n - 1) // 2] + 0.5 * values[n // 2] for values in ordered])


def squared_distances(rows):
    """‖x_i - x_j‖² for all pairs."""
    n = len(rows)
    return np.array([[np.sum((rows[i] - rows[j]) ** 2) for j in range(n)] for i in range(n)])


def krum_scores(rows, f):
    """Σ of the squared distances to the n-f-1 nearest other rows."""
    n, distances = len(rows), squared_distances(rows)
    others = [sorted(distances[i][j] for j in range(n) if j != i) for i in range(n)]
    return [sum(values[: n - f - 1]) for values in others]


def krum(rows, f):
    """The row of least score, the first of them if there are several."""
    rows = neutralized(rows)
    scores = krum_scores(rows, f)
    return rows[scores.index(min(scores))]


def mixed(rows, f):
    """Nearest-neighbour mixing; among equally near rows the one with the lower index is nearer."""
    rows = neutralized(rows)
    n, distances = len(rows), squared_distances(rows)
    neighbours = [sorted(range(n), key=lambda j: (distances[i][j], j))[: n - f] for i in range(n)]
    return np.array([sum(rows[j] for j in chosen) / (n - f) for chosen in neighbours])


def nnm(inner):
    """inner after nearest-neighbour mixing."""
    return lambda rows, f: inner(mixed(rows, f), f)


def total_distance(rows, point):
    """Σ ‖x_i - z‖, what a geometric median minimises."""
    return np.linalg.norm(rows - point, axis=1).sum()


def pull(rows, point):
    """Σ_{x_i ≠ z} (x_i - z)/‖x_i - z‖, and how many x_i are z."""
    apart = (rows - point)[(rows != point).any(axis=1)]
    units = apart / np.linalg.norm(apart, axis=1, keepdims=True)
    return units.sum(axis=0), len(rows) - len(apart)


def residual(rows, point):
    """max(0, ‖pull‖ - multiplicity)/n: 0 exactly at the geometric medians."""
    total, here = pull(rows, point)
    return max(0.0, np.linalg.norm(total) - here) / len(rows)


def geometric_median(rows, f=0):
    """A row where one is optimal, a median along the line of collinear rows, else by Newton."""
    rows = neutralized(rows)
    if not rows.any():
        return rows[0]
    scale = 2.0 ** np.floor(np.log2(np.abs(rows).max()))  # a power of two: nothing is rounded
    rows = rows / scale
    centred = rows - rows.mean(axis=0)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    if len(spread) == 1 or spread[1] <= 1e-13 * max(spread[0], 1e-300):
        order = np.argsort(centred @ axes[0])
        lower, upper = order[(len(rows) - 1) // 2], order[len(rows) // 2]
        return (rows[lower] + rows[upper]) / 2 * scale
    best = min(rows, key=lambda row: total_distance(rows, row))
    if residual(rows, best) < 1e-14:
        return best * scale
    point = rows.mean(axis=0) if residual(rows, rows.mean(axis=0)) else best
    for _ in range(100):
        gradient, hessian = np.zeros_like(point), np.zeros((len(point), len(point)))
        for row in rows:
            length = np.linalg.norm(point - row)
            if length > 0:
                unit = (point - row) / length
                gradient += unit
                hessian += (np.eye(len(point)) - np.outer(unit, unit)) / length
        step = np.linalg.solve(hessian, gradient)
        if np.linalg.norm(step) <= 1e-15:
            break
        size, value = 1.0, total_distance(rows, point)
        while total_distance(rows, point - size * step) > value and size > 1e-6:
            size /= 2
        point = point - size * step
    return point * scale


# ---- other medians, and means around a centre --------------------------------------------------


def lower_median(rows, f=0):
    """Per coordinate: the middle value, or the lower of the two middle ones."""
    rows = neutralized(rows)
    return np.array([sorted(column)[(len(rows) - 1) // 2] for column in rows.T])


def around(rows, centre, count):
    """Per coordinate: the mean of the values nearest to the centre, the lower one of two."""
    kept = [
        sorted(column, key=lambda value: (abs(value - middle), value))[:count]
        for column, middle in zip(rows.T, centre, strict=True)
    ]
    return np.array([sum(values) / count for values in kept])


def meamed(rows, f):
    """The n-f values around the median."""
    rows = neutralized(rows)
    return around(rows, coordinate_median(rows), len(rows) - f)


def phocas(rows, f):
    """The n-f values around the trimmed mean."""
    rows = neutralized(rows)
    return around(rows, trimmed_mean(rows, f), len(rows) - f)


# ---- selections --------------------------------------------------------------------------------


def best(rows, scores, count):
    """The mean of the rows of least score, the first ones among equals."""
    chosen = sorted(range(len(rows)), key=lambda i: (scores[i], i))[:count]
    return sum(rows[i] for i in chosen) / count


def multi_krum(rows, f, m=None, margin=1, power=2):
    """The mean of the m rows with the least Σ ‖x_i - x_j‖^power over n-f-margin neighbours."""
    rows = neutralized(rows)
    n, distances = len(rows), squared_distances(rows) ** (power / 2)
    others = [sorted(distances[i][j] for j in range(n) if j != i) for i in range(n)]
    scores = [sum(values[: max(0, n - f - margin)]) for values in others]
    return best(rows, scores, n - f if m is None else m)


def bulyan(rows, f):
    """n-2f winners of Krum among those left, then n-4f values around their median."""
    rows = neutralized(rows)
    left, chosen = list(range(len(rows))), []
    while len(chosen) < len(rows) - 2 * f:
        scores = krum_scores(rows[left], f)
        chosen.append(left.pop(scores.index(min(scores))))
    return around(rows[chosen], coordinate_median(rows[chosen]), len(rows) - 4 * f)


def cge(rows, f):
    """The n-f rows of least norm."""
    rows = neutralized(rows)
    return best(rows, np.linalg.norm(rows, axis=1), len(rows) - f)


def near(rows, pivot, count):
    """The rows nearest to a pivot."""
    return best(rows, ((rows - pivot) ** 2).sum(axis=1), count)


def nearest_mean(rows, f):
    """The n-f rows nearest to the coordinate-wise median."""
    rows = neutralized(rows)
    return near(rows, coordinate_median(rows), len(rows) - f)


def aksel(rows, f):
    """The first half of the rows nearest to the coordinate-wise median."""
    rows = neutralized(rows)
    return near(rows, coordinate_median(rows), -(-len(rows) // 2))


def monna(rows, f):
    """The n-f rows nearest to row 0."""
    rows = neutralized(rows)
    return near(rows, rows[0], len(rows) - f)


# ---- all subsets -------------------------------------------------------------------------------


def least_subset(rows, f, score):
    """The mean of the first subset of n-f rows with the least score, up to rounding."""
    rows = neutralized(rows)
    subsets = [list(kept) for kept in itertools.combinations(range(len(rows)), len(rows) - f)]
    scores = [score(rows[kept]) for kept in subsets]
    first = next(i for i, value in enumerate(scores) if value <= min(scores) * (1 + 1e-11) + 1e-300)
    return sum(rows[i] for i in subsets[first]) / len(subsets[first])


def mda(rows, f):
    """Least diameter."""
    return least_subset(rows, f, lambda kept: squared_distances(kept).max())


def mva(rows, f):
    """Least variance."""
    return least_subset(rows, f, lambda kept: ((kept - kept.mean(axis=0)) ** 2).sum())


def smea(rows, f):
    """Least largest singular value of the centred rows."""
    scale = np.abs(rows).max() or 1  # else squares of rows at 1e-300 vanish
    return least_subset(
        rows, f, lambda kept: np.linalg.norm((kept - kept.mean(axis=0)) / scale, 2) ** 2
    )


# ---- spectral filters --------------------------------------------------------------------------


def caf(rows, f):
    """Weights go down along the top eigenvector of the d×d covariance."""
    rows = neutralized(rows)
    n, c = len(rows), np.ones(len(rows))
    found, least = rows.mean(axis=0), np.inf
    scale = np.abs(rows).max() or 1
    while c.sum() > n - 2 * f:
        mean_c = (c[:, None] * rows).sum(axis=0) / c.sum()
        deviations = (rows - mean_c) / scale
        values, vectors = np.linalg.eigh(deviations.T @ (c[:, None] * deviations) / c.sum())
        if values[-1] < least:
            found, least = mean_c, values[-1]
        scores = (deviations @ vectors[:, -1]) ** 2
        highest = max(score for score, weight in zip(scores, c, strict=True) if weight > 0)
        if highest <= 1e-30:
            break
        worst = [i for i in range(n) if c[i] > 0 and scores[i] == highest]
        c = c * (1 - np.minimum(scores / highest, 1))
        c[worst] = 0
    return found


def dnc(rows, f, subsets=None):
    """Kept in every subset of the coordinates: not among the f farthest along the top direction."""
    rows = neutralized(rows)
    n, kept = len(rows), set(range(len(rows)))
    for columns in [range(rows.shape[1])] if subsets is None else subsets:
        part = rows[:, list(columns)]
        centred = part - part.mean(axis=0)
        direction = np.linalg.svd(centred, full_matrices=False)[2][0]
        scores = (centred @ direction) ** 2
        kept &= set(sorted(range(n), key=lambda i: (scores[i], i))[: n - f])
    if not kept:
        return coordinate_median(rows)
    return sum(rows[i] for i in sorted(kept)) / len(kept)


# ---- clipping ----------------------------------------------------------------------------------


def shortened(row, radius):
    """x min(1, c/‖x‖)."""
    length = np.linalg.norm(row)
    return row * (radius / length) if length > radius else row


def clip(inner, c):
    """inner after shortening to c."""
    return lambda rows, f: inner(np.array([shortened(row, c) for row in neutralized(rows)]), f)


def arc(inner):
    """inner after shortening the ⌊2f(n-f)/n⌋ longest rows to the next one."""

    def rule(rows, f):
        rows = neutralized(rows)
        lengths = sorted(np.linalg.norm(row) for row in rows)
        radius = lengths[len(rows) - 2 * f * (len(rows) - f) // len(rows) - 1]
        return inner(np.array([shortened(row, radius) for row in rows]), f)

    return rule


def bucketing(inner, s, order):
    """inner on the means of groups of s; order(n) is the permutation."""

    def rule(rows, f):
        rows = neutralized(rows)[order(len(rows))]
        groups = [rows[i : i + s] for i in range(0, len(rows), s)]
        return inner(np.array([sum(group) / len(group) for group in groups]), f)

    return rule


def centered_clipping(rows, start, tau, iterations):
    """v ← v + mean of clipped x_i - v."""
    rows, point = neutralized(rows), start
    for _ in range(iterations):
        point = point + sum(shortened(row - point, tau) for row in rows) / len(rows)
    return point


def smoothed_weiszfeld(rows, iterations, nu):
    """z ← Σ β_i x_i / Σ β_i with β_i = 1/max(ν, ‖x_i - z‖), from 0."""
    rows = neutralized(rows)
    point = np.zeros(rows.shape[1])
    for _ in range(iterations):
        beta = [1 / max(nu, np.linalg.norm(row - point)) for row in rows]
        point = sum(b * row for b, row in zip(beta, rows, strict=True)) / sum(beta)
    return point
