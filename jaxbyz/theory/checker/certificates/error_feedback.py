"""Error feedback without momentum, with one, or with two: in one round a function V decreases.

Byz-EF21, Byz-EF21-SGDM, Byz-DM21 and Byz-VR-DM21 (two momenta with the same parameter). With the
server's step x⁺ = x - γ(ḡ + e), every honest worker i does

    Byz-EF21        u_i⁺ = ∇f_i(x⁺)
    Byz-EF21-SGDM   v_i⁺ = (1-η)v_i + ηs_i(x⁺),   u_i⁺ = v_i⁺
    Byz-DM21        v_i⁺ likewise,                  u_i⁺ = (1-η)u_i + ηv_i⁺
    Byz-VR-DM21     v_i⁺ = s_i(x⁺) + (1-η)(v_i - s_i(x)) with one sample,  u_i⁺ as Byz-DM21
    all             g_i⁺ = g_i + C(u_i⁺ - g_i)

Symbols: f average honest loss; p = ∇f(x); ν_i = ∇f_i(x) - p; δ_i = v_i - ∇f_i(x); χ_i = u_i - v_i;
π_i = g_i - u_i; errors that a method does not have are 0. A bar is the mean over honest workers,
|·|² the mean over them of squared distances from it. α: E‖C(q) - q‖² ≤ (1-α)‖q‖². σ²: variance of
s_i, averaged over honest workers; samples are fresh and independent between workers. ℓ²: the same
of s_i(x) - s_i(y), for ‖x-y‖ = 1. M = L̃²/L²: (1/h) Σ ‖∇f_i(x) - ∇f_i(y)‖² ≤ L̃²‖x-y‖². V is

    cf·f + γ((a/α)(‖π̄‖² + |π|²) + (b1‖χ̄‖² + b2|χ|² + c1‖δ̄‖² + c2|δ|²)/η)  ≥  cf·inf f

Claim, for every L > 0, with α in (0, 1], η = ρzα with z in (0, 1], γL = yη/c with y in (0, 1] (of
Byz-EF21 γL = yα/c):

    E V⁺ ≤ V - γ‖p‖² + γ (C κG² + (N + N'/h) ησ²),   κB² ≤ w

Proof. L = 1. e is the error of the rule, D = p + δ̄ + χ̄ + π̄ + e, so that x⁺ = x - γD; γr_i the
change of ∇f_i. With ω_i of mean 0 given the past, independent between workers,

    v⁺ - v = η(t + ω),   t = γr - δ,         δ⁺ = (1-η)(δ - γr) + ηω,   E mean ‖ω_i‖² ≤ σ²
    Byz-VR-DM21:         t = (γ/η)r - δ,     δ⁺ = (1-η)δ + ηω,
                         E mean ‖ω_i‖² ≤ 2σ² + 2(1-η)²ℓ²(γ/η)²‖D‖²
    χ⁺ = (1-η)(χ - η(t + ω)),   π⁺ = C(q) - q,   q + π = γr,  η(t + ω),  or η(η(t + ω) - χ)

E of products of ω_i with what is fixed before it is 0. So for every state, where ‖·‖² + |·|² is the
mean square over honest workers,

    (V - E V⁺)/γ - (1+Cw)‖p‖² + Cκ|ν|² + η E(m1‖ω̄‖² + m2|ω|²) - 2n(γ/η)γ‖D‖²
        = ⟨Q, products of (p, δ̄, χ̄, π̄, e, r̄)⟩ + ⟨S, means of products of (ν, δ, χ, π, r)⟩
          + cf (f - γ⟨p,D⟩ + (γ²/2)‖D‖² - f⁺)/γ + ℓ'(‖D‖² - ‖r̄‖²) + k(M‖D‖² - ‖r̄‖² - |r|²)
          + τ(κ|g|² - ‖e‖²) + (a/α) E((1-α)(‖q̄‖² + |q|²) - ‖π̄⁺‖² - |π⁺|²)

    m_j = c_j + aρz(1-α)  or, with two momenta,  c_j + (1-η)²b_j + aρz(1-α)η²
    n = (m1 + m2)(1-η)²ℓ²  of Byz-VR-DM21, otherwise 0

All but the first line of the right side is ≥ 0 by smoothness, robustness and contraction. The error
of the compressor may depend on the noise, that of the rule on the state. As E‖ω̄‖² is at most 1/h
of E mean ‖ω_i‖², the noise is at most η(m2 + max(m1 - m2, 0)/h) times that, twice as much for
Byz-VR-DM21 (there N ≥ 2 m2, N' ≥ 2(m1 - m2)); and |ν|² ≤ G² + B²‖p‖². So Q ⪰ 0, S ⪰ 0, N ≥ m2 and
N' ≥ m1 - m2, 0 prove the claim.  QED.
"""

from fractions import Fraction
from typing import NamedTuple

from .multipliers import Values
from .positivity import Matrix
from .slopes import Enclosed


class Recursion(NamedTuple):
    """Which of the methods."""

    momenta: int  # 0: full gradients
    recursive: bool = False  # Byz-VR-DM21

    @property
    def constants(self) -> tuple[str, ...]:
        """What the statement speaks of; growth is L̃²/L², sample is ℓ²/L²."""
        known = ("c", "kappa", "kappa_b_squared", "growth", "C")
        noisy = ("ratio", "N", "N_h") if self.momenta else ()
        return (*known, *noisy, *(("sample",) if self.recursive else ()))

    @property
    def weights(self) -> tuple[str, ...]:
        """Weights of V."""
        return ("cf", "a", "c1", "c2", "b1", "b2")[: 2 + 2 * self.momenta]

    @property
    def errors(self) -> tuple[str, ...]:
        """What is between the gradient and the server's estimate of it."""
        return (*("δ", "χ")[: self.momenta], "π")

    @property
    def variables(self) -> tuple[str, ...]:
        """Of the box."""
        return ("α", "z", "y") if self.momenta else ("α", "y")


BOUNDS = ("l", "k", "tau")  # multipliers of what is ≥ 0: ℓ', k, τ

Vector = dict[str, Enclosed]  # coefficients of named vectors; those not named are 0


class Form:
    """A quadratic form in named vectors, as a symmetric matrix."""

    def __init__(self, names: tuple[str, ...], one: Enclosed) -> None:
        self.place = {name: i for i, name in enumerate(names)}
        zero = one - one
        self.rows = [[zero for _ in names] for _ in names]
        self.one = one

    def add(self, coefficient: Enclosed, u: Vector) -> None:
        """Add coefficient · ‖u‖²."""
        parts = list(u.items())
        for k, (name, left) in enumerate(parts):
            for other, right in parts[k:]:
                self._entry(name, other, self._times(self._times(coefficient, left), right))

    def add_product(self, coefficient: Enclosed, name: str, v: Vector) -> None:
        """Add 2 coefficient · ⟨u, v⟩, where u is the vector of this name."""
        for other, right in v.items():
            term = self._times(coefficient, right)
            self._entry(name, other, term + term if other == name else term)

    def _times(self, coefficient: Enclosed, part: Enclosed) -> Enclosed:
        return coefficient if part is self.one else coefficient * part

    def _entry(self, name: str, other: str, term: Enclosed) -> None:
        i, j = self.place[name], self.place[other]
        self.rows[i][j] = self.rows[i][j] + term
        self.rows[j][i] = self.rows[i][j]


class Rates:
    """Numbers at a point of the box, or on a part of it."""

    def __init__(self, recursion: Recursion, constants: Values, variables: list[Enclosed]) -> None:
        """Compute them."""
        alpha, y = variables[0], variables[-1]
        self.one = type(alpha).of(Fraction(1))
        self.two = self.one + self.one
        if recursion.momenta:
            self.speed = constants["ratio"] * variables[1]  # η/α
            self.eta = self.speed * alpha
        else:
            self.speed, self.eta = self.one, alpha  # α takes the place of η
        self.part = y.over(constants["c"])  # γ/η
        self.step = self.part * self.eta
        self.kept = self.one - self.eta
        self.kept2 = self.kept.squared()
        self.lost = (self.one - alpha) * self.speed


def _decreases(
    form: Form, recursion: Recursion, at: Rates, a: Enclosed, c: Enclosed, b: Enclosed
) -> None:
    """What momenta and compression contribute: the same for means and for deviations."""
    one = at.one
    turned: Vector = {"r": at.part if recursion.recursive else at.step, "δ": -one}  # t
    moved: Vector = {"r": at.part}  # (q + π)/η without noise
    if recursion.momenta:
        form.add(c * (one + at.kept), {"δ": one})
        if not recursion.recursive:
            form.add_product(c * at.kept2 * at.part, "δ", {"r": one})
            form.add(-(c * at.kept2 * at.part * at.step), {"r": one})
        moved = turned
    if recursion.momenta > 1:
        form.add(b * (one + at.kept), {"χ": one})
        form.add_product(b * at.kept2, "χ", turned)
        form.add(-(b * at.kept2 * at.eta), turned)
        moved = {"r": at.eta * turned["r"], "δ": -at.eta, "χ": -one}
    form.add(a, {"π": one})
    form.add_product(a * at.lost, "π", moved)
    form.add(-(a * at.lost * at.eta), moved)


def _noises(recursion: Recursion, at: Rates, p: Values) -> list[Enclosed]:
    """m1, m2."""
    sent, found = p["a"] * at.lost, [p["c1"], p["c2"]]
    if recursion.momenta > 1:
        sent = sent * at.eta.squared()
        found = [c + at.kept2 * b for c, b in zip(found, (p["b1"], p["b2"]), strict=True)]
    return [noise + sent for noise in found]


def matrices(
    recursion: Recursion, constants: Values, multipliers: Values, variables: list[Enclosed]
) -> dict[str, Matrix]:
    """Q, S and what is left of N and N', at all points of a box; all affine in multipliers, C."""
    p, at = multipliers, Rates(recursion, constants, variables)
    one = at.one
    zero = type(one).of(Fraction(0))
    half = type(one).of(Fraction(1, 2))
    mean = Form(("p", *recursion.errors, "e", "r"), one)
    spread = Form(("ν", *recursion.errors, "r"), one)
    square = p["cf"] * at.step * half + p["l"] + p["k"] * constants["growth"]
    found: dict[str, Matrix] = {}
    if recursion.momenta:
        noises = _noises(recursion, at, p)
        times = one
        if recursion.recursive:
            times = at.two
            square = square + (noises[0] + noises[1]) * (
                at.two * at.kept2 * constants["sample"] * at.part * at.step
            )
        found["N"] = [[constants["N"] - times * noises[1]]]
        found["N'"] = [[constants["N_h"] - times * (noises[0] - noises[1])]]
    direction = {name: one for name in ("p", *recursion.errors, "e")}
    mean.add_product(p["cf"] * half, "p", direction)
    mean.add(-square, direction)
    mean.add(p["l"] + p["k"], {"r": one})
    mean.add(-(one + constants["C"] * constants["kappa_b_squared"]), {"p": one})
    mean.add(p["tau"], {"e": one})
    _decreases(mean, recursion, at, p["a"], p.get("c1", zero), p.get("b1", zero))
    spread.add(constants["C"] * constants["kappa"], {"ν": one})
    spread.add(-(p["tau"] * constants["kappa"]), {name: one for name in ("ν", *recursion.errors)})
    spread.add(p["k"], {"r": one})
    _decreases(spread, recursion, at, p["a"], p.get("c2", zero), p.get("b2", zero))
    return found | {"S": spread.rows, "Q": mean.rows}
