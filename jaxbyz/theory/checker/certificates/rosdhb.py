"""RoSDHB: in one round a quadratic function of the state decreases, for all parameters of a box.

Symbols: θ model; f = L_H average honest loss, g = ∇f(θ); m mean honest momentum, Υ the mean
squared distance of the honest momenta from m; γ step size, β momentum, α = d/k; w a bound of κB²;
a the number that couples β to γ. All are at the end of a round; E is over the mask of the next
one, and ⁺ marks what is at its end.

Claim, for every L > 0, with x = cγαL and s = 1/α anywhere in (0, 1]²:

    E V⁺ ≤ V - γ‖g‖² + γ C κG²,   β² = 1 - aγL,   κB² ≤ w
    V = cf·f + (p11‖m‖² + 2 p12⟨m,g⟩ + p22‖g‖²)/L + (κ b0/L)Υ  ≥  cf·inf f

Every multiplier is a number for each (x, s), the same in all rounds, since γ and α are.

Proof. L = 1 (γ stands for γL). δ = m - g; ξ the noise of the mask, in m⁺ = βm + (1-β)(g + ξ);
ξ' = √γ ξ; e the error of the rule; D = m⁺ + e, so that θ⁺ = θ - γD; g⁺ = g + γr'; ζ = a/(1+β), so
that 1-β = ζγ; S the averages over honest workers of products of μ_i = m_i - m and ν_i = ∇f_i - g.
For every state, and every e that may depend on the mask:

    (V - E V⁺)/γ - ‖g‖² - Cw‖g‖² + Cκ S22
        = E⟨Q, products of (g, δ, ξ', e, r')⟩ + κ⟨Z, S⟩
          + cf E(f + ⟨g,Δθ⟩ + ½‖Δθ‖² - f⁺)/γ + ℓ E(‖D‖² - ‖r'‖²) + τ E(κΥ⁺ - ‖e‖²)

The last line is ≥ 0 by smoothness of f (twice) and by robustness of the rule, and S22 ≤ G² +
B²‖g‖² by dissimilarity. So Q ⪰ 0 and Z ⪰ 0 at κB² = w prove the claim; at a smaller κB² the matrix
Q is larger. Of the mask the identity uses E ξ = 0, E‖ξ‖² = (α-1)‖g‖², E P ν_i = ν_i and
E‖P ν_i‖² = α‖ν_i‖², where P keeps the masked coordinates, times α. V ≥ cf·inf f follows from
‖g‖² ≤ 2(f - inf f) and [[p11, p12], [p12, p22 + cf/2]] ≻ 0. Sum over T rounds from momenta 0:
V_0 - cf·inf f ≤ rate (f_0 - inf f) with rate = cf + 2 max(p22, 0).  QED.
"""

from fractions import Fraction

from .multipliers import HYPOTHESES, Numbers, Values, shown_above
from .positivity import Matrix
from .slopes import Enclosed

NAME = "rosdhb"
CONSTANTS = ("c", "coupling", "kappa_b_squared", "C")
WEIGHTS = ("cf", "p11", "p12", "p22", "b0")  # of V
MULTIPLIERS = (*WEIGHTS, "l", "tau", "q3", "t1", "t2")
POSITIVE = ("cf", "b0", "l", "tau")
RATES: tuple[dict[str, int], ...] = ({"cf": 1}, {"cf": 1, "p22": 2})  # see `multipliers.rate`
VARIABLES = ("√x", "√s")  # no root is left to take of what may be 0
AFFINE, FURTHER = 3, 1  # multipliers are made of 1, x, s and √(xs), weights of V of the first three


def conditions(constants: Numbers) -> dict[str, bool]:
    """What must hold of the constants."""
    return {
        "0 < coupling ≤ c": 0 < constants["coupling"] <= constants["c"],
        "κB² ≥ 0": constants["kappa_b_squared"] >= 0,
    }


def parts(variables: list[Enclosed]) -> list[Enclosed]:
    """x, s, √(xs)."""
    root_x, root_s = variables
    return [root_x.squared(), root_s.squared(), root_x * root_s]


def matrices(
    constants: Values, multipliers: Values, variables: list[Enclosed]
) -> dict[str, Matrix]:
    """Q in the basis (g, δ, ξ', e, r'), Z in (μ, ν), V in (m, g), at all points of a box.

    All are affine in the multipliers and C together.
    """
    x, s, root = parts(variables)
    c, a, w, floor = (constants[name] for name in CONSTANTS)
    cf, p11, p12, p22, b0, ell, tau, q3, t1, t2 = (multipliers[name] for name in MULTIPLIERS)
    of = type(x).of  # `theory.rosdhb.identity` has exact numbers of the same arithmetic
    one, zero = of(Fraction(1)), of(Fraction(0))
    half = of(Fraction(1, 2))
    step = root.squared().over(c)  # γ
    beta = (one - a * step).root()
    zeta = a.over(one + beta)
    noise = zeta * root.over(c.root())  # coefficient of ξ' in D
    inflated = x.over(c)  # γα
    square = -(cf * step * half + ell)  # coefficient of ‖D‖²
    direct = cf * half  # coefficient of 2⟨g, D⟩

    gg = cf + square - (one + floor * w) - q3 * inflated * (one - s)
    gd = (direct + square) * beta + (p11 + p12) * zeta
    gx = (direct + square) * noise + t1
    ge = direct + square
    gr = -(p12 + p22)
    dd = square * beta.squared() + a * p11
    dx = square * beta * noise + t2
    de = square * beta
    dr = -(p12 * beta)
    xx = square * noise.squared() - p11 * zeta.squared() + q3
    xe = square * noise
    xr = -(p12 * noise)
    ee = square + tau
    er = zero
    rr = ell - p22 * step

    held = b0 + tau * step
    cross = -(held * beta * zeta)
    return {
        "Q": [
            [gg, gd, gx, ge, gr],
            [gd, dd, dx, de, dr],
            [gx, dx, xx, xe, xr],
            [ge, de, xe, ee, er],
            [gr, dr, xr, er, rr],
        ],
        "Z": [
            [a * b0 - tau * beta.squared(), cross],
            [cross, floor - held * zeta.squared() * inflated],
        ],
        "V": [[p11, p12], [p12, p22 + direct]],
    }


def statement(constants: Numbers, rate: Fraction) -> str:
    """The claim in words; `rate` is the largest of the box."""
    c, coupling, w, floor = (str(constants[name]) for name in CONSTANTS)
    return (
        "RoSDHB with full local gradients, d/k rescaling, momentum at the server, and in every\n"
        "round a fresh mask of k of d coordinates for all workers, uniformly random and\n"
        "independent of the past: for every dimension d, every k, all numbers of workers,\n"
        f"whatever is forged, {HYPOTHESES}"
        f"κB² ≤ {w}, every step size 0 < γ ≤ k/({c} d L) and the momentum √(1 - {coupling} γL):"
        f"\n    E V⁺ ≤ V - γ‖∇f‖² + {floor} γκG²   in every round; V is a quadratic function.\n"
        f"So from momenta 0:  (1/T) Σ E‖∇f‖² ≤ {shown_above(rate)} (f - inf f)/(γT) + "
        f"{floor} κG²."
    )
