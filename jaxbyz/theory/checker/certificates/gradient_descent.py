"""Robust gradient descent: θ⁺ = θ - γ(g + e), ‖e‖² ≤ κ S22, for all step sizes of an interval.

Symbols as in `rosdhb`: no mask, no momentum (β = 0, α = 1), so that m⁺ = g and μ⁺_i = ν_i. Claim,
for every L > 0, with γL = x·reach and x anywhere in (0, 1]:

    cf E f⁺ ≤ cf f - γ‖g‖² + γ C κG²,   κB² ≤ w

Proof. L = 1, D = g + e, g⁺ = g + γr'. For every state

    cf (f - f⁺)/γ - ‖g‖² - Cw‖g‖² + Cκ S22
        = ⟨Q, products of (g, e)⟩ + κ (C - τ) S22
          + cf (f + ⟨g,Δθ⟩ + ½‖Δθ‖² - f⁺)/γ + τ (κ S22 - ‖e‖²)

and the last line is ≥ 0. So Q ⪰ 0 and C ≥ τ prove the claim; the rate is cf.  QED. With reach = 1,
cf = 2τ = 2C this is the closed form C = 1/(1-w), its limit, which no smaller number replaces.
"""

from fractions import Fraction

from .multipliers import HYPOTHESES, Numbers, Values, shown_above
from .positivity import Matrix
from .slopes import Enclosed

NAME = "gradient_descent"
CONSTANTS = ("reach", "kappa_b_squared", "C")
WEIGHTS = ("cf",)
MULTIPLIERS = ("cf", "tau")
POSITIVE = ("cf", "tau")
RATES: tuple[dict[str, int], ...] = ({"cf": 1},)
VARIABLES = ("x",)
AFFINE, FURTHER = 2, 0  # multipliers are made of 1 and x


def conditions(constants: Numbers) -> dict[str, bool]:
    """What must hold of the constants."""
    return {"reach > 0": constants["reach"] > 0, "κB² ≥ 0": constants["kappa_b_squared"] >= 0}


def parts(variables: list[Enclosed]) -> list[Enclosed]:
    """x."""
    return variables


def matrices(
    constants: Values, multipliers: Values, variables: list[Enclosed]
) -> dict[str, Matrix]:
    """Q in the basis (g, e), and C - τ, at all points of a box."""
    (x,) = variables
    reach, w, floor = (constants[name] for name in CONSTANTS)
    cf, tau = (multipliers[name] for name in MULTIPLIERS)
    one, half = type(x).of(Fraction(1)), type(x).of(Fraction(1, 2))
    square = -(cf * x * reach * half)  # coefficient of ‖D‖²
    cross = cf * half + square
    return {
        "Q": [[cf + square - (one + floor * w), cross], [cross, square + tau]],
        "Z": [[floor - tau]],
    }


def statement(constants: Numbers, rate: Fraction) -> str:
    """The claim in words."""
    reach, w, floor = (str(constants[name]) for name in CONSTANTS)
    return (
        "Robust gradient descent with full local gradients, all coordinates and no momentum: for\n"
        "every dimension d, all numbers of workers, whatever is forged,\n"
        f"{HYPOTHESES}"
        f"κB² ≤ {w}, every step size 0 < γ ≤ {reach}/L:\n"
        f"    (1/T) Σ E‖∇f‖² ≤ {shown_above(rate)} (f - inf f)/(γT) + {floor} κG²."
    )
