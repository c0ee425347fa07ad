"""The certificate of one problem in rational numbers: CERTIFIED, not merely computed.

Everything is written a second time, with matrices on y = (1, θ_{t-1}, m^t) instead of moments, in
`fractions.Fraction`. Rounding plays no part, and the two versions check each other.

    y' = (U + J (I ⊗ P) Z) y,    Adj(V) = UᵀVU + UᵀVJZ + ZᵀJᵀVU + ZᵀΦ(JᵀVJ)Z
    C = V - γ q1 Grad + γ μκ(1+ω(a-1)) G² e_0e_0ᵀ - Adj(V) ⪰ 0        (derived here)
"""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from jaxbyz.theory.checker.rationals import pivots, semidefinite
from jaxbyz.theory.claims import Claim, Hypothesis, Provenance, Scope
from jaxbyz.theory.subjects import QuadraticForm


class Rational(NamedTuple):
    """A problem, a linear rule and parameters, all rational. L_H has smoothness 1."""

    matrices: np.ndarray  # [h, d, d] of Fraction; the mean is diagonal with entries in (0, 1]
    vectors: np.ndarray  # [h, d]; the mean is 0, so that the optimum is the origin
    weights: np.ndarray  # [h], sum 1
    k: int
    momentum: Fraction  # β
    step_size: Fraction  # γ = x
    b_squared: Fraction
    s: Fraction
    p: Fraction
    weight: Fraction  # A


def fractions(values: object) -> np.ndarray:
    """An array of Fractions."""
    return np.vectorize(Fraction, otypes=[object])(np.asarray(values, dtype=object))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Gauss-Jordan; for matrices that are positive definite."""
    n = len(matrix)
    table = np.concatenate([matrix, fractions(np.eye(n, dtype=int))], axis=1)
    for i in range(n):
        table[i] = table[i] / table[i, i]
        for j in range(n):
            if j != i:
                table[j] = table[j] - table[j, i] * table[i]
    return table[:, n:]


def small_problem(c: int = 24, *, kappa_b_squared: Fraction = Fraction(1, 7)) -> Rational:
    """Two workers in two dimensions, one coordinate per round, parameters of Theorem A.

    β is rational and x = (1-β²)/24 ≤ 1/(2c), the largest such x with denominator of β 10⁴.
    κ = 1/4, B² = κB²/κ.
    """
    d, k, kappa = 2, 1, Fraction(1, 4)
    half = Fraction(1, 2)
    mean = fractions([[1, 0], [0, Fraction(3, 10)]])
    spread = fractions([[Fraction(1, 20), Fraction(1, 50)], [Fraction(1, 50), Fraction(-1, 30)]])
    root = int(np.ceil(10**4 * np.sqrt(1 - 24 / (2 * c))))
    momentum = Fraction(root, 10**4)
    step = (1 - momentum**2) / 24
    assert step * c * d <= k
    return Rational(
        matrices=np.stack([mean + spread, mean - spread]),
        vectors=fractions([[1, -half], [-1, half]]),
        weights=fractions([half + half * half, half - half * half]),  # 1/h ± √(κ/h²)
        k=k,
        momentum=momentum,
        step_size=step,
        b_squared=kappa_b_squared / kappa,
        s=Fraction(1),
        p=2 * step,
        weight=Fraction(1, 11),
    )


def g_squared(problem: Rational) -> Fraction:
    """The least G² for the given B²; the same formula as `Quadratics.g_squared`.

    Raises:
        ValueError: B² I - Q is not positive definite.
    """
    h, d, _ = problem.matrices.shape
    mean = problem.matrices.sum(axis=0) / h
    e = [(matrix - mean).dot(inverse(mean)) for matrix in problem.matrices]
    r = [-vector for vector in problem.vectors]  # the mean vector is 0
    form = sum(one.T.dot(one) for one in e) / h
    cross = sum(one.T.dot(rest) for one, rest in zip(e, r, strict=True)) / h
    constant = sum(rest.dot(rest) for rest in r) / h
    gap = problem.b_squared * fractions(np.eye(d, dtype=int)) - form
    if not semidefinite((gap - Fraction(1, 10**6) * fractions(np.eye(d, dtype=int))).tolist()):
        raise ValueError(f"b_squared is too small for a finite G, got {problem.b_squared}")
    return constant + cross.dot(inverse(gap)).dot(cross)


def exact_certificate(problem: Rational, *, floor_scale: Fraction = Fraction(1)) -> np.ndarray:
    """C/γ as a matrix of Fractions [1+d+hd, 1+d+hd]. `floor_scale` plants an error."""
    matrices, vectors, weights, k, beta, step, b_squared, s, _, weight = problem
    h, d = vectors.shape
    size = 1 + d + h * d
    a, omega, mu = Fraction(d, k), 1 - beta, 1 + 1 / s
    kappa = h * sum((w - Fraction(1, h)) ** 2 for w in weights)
    eye = fractions(np.eye(d, dtype=int))

    def block(i: int) -> slice:
        return slice(1 + d + i * d, 1 + d + (i + 1) * d)

    theta = slice(1, 1 + d)
    move = fractions(np.eye(size, dtype=int))
    for i in range(h):
        move[theta, block(i)] = -step * weights[i] * eye
    gradients = fractions(np.zeros((h * d, size), int))
    for i in range(h):
        gradients[i * d : (i + 1) * d, theta] = matrices[i]
        gradients[i * d : (i + 1) * d, 0] = -vectors[i]
    keep = move.copy()
    keep[1 + d :] = beta * keep[1 + d :]
    put = fractions(np.zeros((size, h * d), int))
    for i in range(h * d):
        put[1 + d + i, i] = omega
    seen = gradients.dot(move)

    rows_of_gradient = sum(gradients[i * d : (i + 1) * d] for i in range(h)) / h  # ∇
    momenta = [fractions(np.eye(size, dtype=int))[block(i)] for i in range(h)]
    mean = sum(momenta) / h
    deviation = mean - rows_of_gradient
    gap = fractions(np.zeros((size, size), int))
    gap[theta, theta] = matrices.sum(axis=0) / h / 2
    drift = sum((one - mean).T.dot(one - mean) for one in momenta) / h
    form = (2 * gap + weight * deviation.T.dot(deviation)) / step + mu * kappa / omega * drift

    tau = Fraction(d * (k - 1), k * (d - 1)) if d > 1 else Fraction(1)
    inner = put.T.dot(form).dot(put)
    same = np.equal.outer(np.arange(h * d) % d, np.arange(h * d) % d)  # one coordinate, any blocks
    expected = np.where(same, a * inner, tau * inner)
    crossed = keep.T.dot(form).dot(put).dot(seen)
    after = keep.T.dot(form).dot(keep) + crossed + crossed.T + seen.T.dot(expected).dot(seen)

    floor = mu * kappa * (1 + omega * (a - 1))
    noise = weight / step * omega**2 * (a - 1) + floor * b_squared
    grown = form - (1 - (1 + step) * noise) * rows_of_gradient.T.dot(rows_of_gradient) - after
    grown[0, 0] += floor_scale * floor * g_squared(problem)
    return grown


def _terms(problem: Rational) -> tuple[Fraction, Fraction]:
    """N and r of the one-step inequality."""
    h, d, _ = problem.matrices.shape
    a, beta, x = Fraction(d, problem.k), problem.momentum, problem.step_size
    s, p, weight = problem.s, problem.p, problem.weight
    omega = 1 - beta
    kappa = h * sum((w - Fraction(1, h)) ** 2 for w in problem.weights)
    drift = (1 + 1 / s) * kappa * problem.b_squared * (1 + omega * (a - 1))
    noise = weight / x * omega**2 * (a - 1) + drift
    return noise, 1 - x - weight * beta**2 * (1 + 1 / p) * x


def _c1(problem: Rational) -> Fraction:
    left = problem.weight * (1 - problem.momentum**2 * (1 + problem.p))
    return left / ((1 + problem.s) * problem.step_size) - 1


def _c2_doubled(problem: Rational) -> Fraction:
    noise, rest = _terms(problem)
    return rest - noise * problem.step_size * (1 + problem.step_size)


def _smooth(problem: Rational) -> Fraction | float:
    h, d, _ = problem.matrices.shape
    rest = fractions(np.eye(d, dtype=int)) - problem.matrices.sum(axis=0) / h
    found = pivots(rest.tolist())
    return -float("inf") if found is None else min(found)


# Their margins are fractions: whether they hold is decided, not measured.
HYPOTHESES = (
    Hypothesis("(c1)", _c1),
    Hypothesis("(c2')", _c2_doubled),
    Hypothesis("L_H is 1-smooth", _smooth),
    Hypothesis("Σ w_i = 1", lambda problem: -abs(sum(problem.weights) - 1)),
)


def all_states(problem: Rational | None = None, *, floor_scale: Fraction = Fraction(1)) -> Claim:
    """L6, second form, at every state of one problem; decided in exact arithmetic.

    A form that is not ⪰ 0 is negative at some y; as the first entry of y can be taken ≠ 0 and
    scaled to 1, that is a state which violates the inequality.
    """
    problem = small_problem(60) if problem is None else problem
    return Claim(
        paper="rosdhb",
        name="L6'/problem",
        title="one-step Lyapunov inequality at every state of one problem",
        statement="for all θ_{t-1}, m^t: E[V_{t+1}|F_t] ≤ V_t - γ q1‖∇_t‖² + γμκ(1+ω(a-1))G²",
        provenance=Provenance.DERIVED,
        source="derived here: all-states certificate",
        scope=Scope.ONE_STEP,
        sides=lambda instance: (np.nan, np.nan),
        hypotheses=HYPOTHESES,
        subject=QuadraticForm(problem, lambda: exact_certificate(problem, floor_scale=floor_scale)),
    )
