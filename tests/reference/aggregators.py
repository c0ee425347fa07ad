"""Aggregation rules as loops over lists of rows, in float64, straight from their definitions.

Every rule is (rows [n, d], f) -> [d]. Written for reading: quadratic loops, library sorts, and for
the geometric median Newton's method, so that nothing is shared with what is tested.
"""

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
