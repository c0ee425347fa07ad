"""RoSDHB with a mask of its own for every worker: in one round a quadratic function decreases.

Symbols and V as in `rosdhb`, but that each worker i draws its own mask, independently of the
others: P_i keeps its coordinates, times α. K bounds κ, u bounds (1+B²)/h. Claim, for every L > 0,
with x = cγαL and s = 1/α anywhere in (0, 1]²:

    E V⁺ ≤ V - γ‖g‖² + γ (C κ + N γL(α-1)/h) G²,   β² = 1 - aγL,  κB² ≤ w,  κ ≤ K,  1+B² ≤ uh

The second floor is the noise of masks that differ: no κ multiplies it, and it vanishes with γ and
with 1/h. A mask that all workers share has none.

Proof. ξ = (1/h) Σ (P_i - 1)∇f_i and Υ⁺ have, for every state, with ν = γ(α-1)

    E‖ξ'‖² = (ν/h)(‖g‖² + S22)
    EΥ⁺ = β²S11 + 2βζγ S12 + ζ²γ(γ S22 + ν(1-1/h)(S22 + ‖g‖²))

So, with H = (b0 + τγ)ζ²ν, for every e that may depend on the masks,

    (V - E V⁺)/γ - ‖g‖² - Cw‖g‖² + Cκ S22 + q3 ν((‖g‖² + S22)/h - u‖g‖²)
        = E⟨Q, products of (g, δ, ξ', e, r')⟩ + κ⟨Z, S⟩
          + H((K - κ)‖g‖² + (κ/h)(‖g‖² + S22))
          + cf E(f + ⟨g,Δθ⟩ + ½‖Δθ‖² - f⁺)/γ + ℓ E(‖D‖² - ‖r'‖²) + τ E(κΥ⁺ - ‖e‖²)

Both last lines are ≥ 0. Z and V are those of `rosdhb`; Q differs in its first entry, where the
noise q3 ν‖g‖² is multiplied by u, and HK‖g‖² is taken off. By dissimilarity (‖g‖² + S22)/h ≤
u‖g‖² + G²/h and S22 ≤ G² + B²‖g‖². So Q ⪰ 0, Z ⪰ 0 and N ≥ q3 ≥ 0 prove the claim.  QED.
"""

from fractions import Fraction

from . import rosdhb
from .multipliers import HYPOTHESES, Numbers, Values, shown_above
from .positivity import Matrix
from .slopes import Enclosed

NAME = "rosdhb_local"
CONSTANTS = ("c", "coupling", "kappa_b_squared", "C", "kappa", "share", "N")  # share is u
WEIGHTS, MULTIPLIERS = rosdhb.WEIGHTS, rosdhb.MULTIPLIERS
POSITIVE = (*rosdhb.POSITIVE, "q3")
RATES = rosdhb.RATES
VARIABLES = rosdhb.VARIABLES
AFFINE, FURTHER = rosdhb.AFFINE, rosdhb.FURTHER
parts = rosdhb.parts


def conditions(constants: Numbers) -> dict[str, bool]:
    """What must hold of the constants."""
    further = {"κ ≥ 0": constants["kappa"] >= 0, "(1+B²)/h > 0": constants["share"] > 0}
    return rosdhb.conditions(constants) | further


def matrices(
    constants: Values, multipliers: Values, variables: list[Enclosed]
) -> dict[str, Matrix]:
    """Q, Z and V as in `rosdhb`, and N - q3, at all points of a box."""
    found = rosdhb.matrices(constants, multipliers, variables)
    x, s, root = parts(variables)
    one = type(x).of(Fraction(1))
    step = root.squared().over(constants["c"])
    beta = (one - constants["coupling"] * step).root()
    zeta = constants["coupling"].over(one + beta)
    noise = x.over(constants["c"]) * (one - s)  # ν
    q3, held = multipliers["q3"], multipliers["b0"] + multipliers["tau"] * step
    more = (constants["share"] - one) * q3 + constants["kappa"] * held * zeta.squared()
    found["Q"][0][0] = found["Q"][0][0] - more * noise
    return found | {"N": [[constants["N"] - q3]]}


def statement(constants: Numbers, rate: Fraction) -> str:
    """The claim in words; `rate` is the largest of the box."""
    c, coupling, w, floor, kappa, share, noise = (str(constants[name]) for name in CONSTANTS)
    floors = f"({floor} κ + {noise} γL(d/k - 1)/h) G²"
    return (
        "RoSDHB with full local gradients, d/k rescaling, momentum at the server, and in every\n"
        "round, for every worker, a fresh mask of k of d coordinates, uniformly random and\n"
        "independent of the past and of the others: for every dimension d, every k, all numbers\n"
        f"of workers with h honest ones, whatever is forged, {HYPOTHESES}"
        f"κ ≤ {kappa}, κB² ≤ {w}, 1 + B² ≤ {share} h, every step size 0 < γ ≤ k/({c} d L) and\n"
        f"the momentum √(1 - {coupling} γL):\n"
        f"    E V⁺ ≤ V - γ‖∇f‖² + γ {floors}   in every round; V is a quadratic function.\n"
        f"So from momenta 0:  (1/T) Σ E‖∇f‖² ≤ {shown_above(rate)} (f - inf f)/(γT)\n"
        f"    + {floors}."
    )
