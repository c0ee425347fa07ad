"""Byz-DASHA-PAGE: unbiased compression and a coin; in one round a function V decreases.

With the server's step x⁺ = x - γ(ḡ + e), every honest worker i does, with a = 1/(2ω+1),

    h_i⁺ = ∇f_i(x⁺) with probability p, otherwise h_i + s_i(x⁺) - s_i(x) with one sample
    g_i⁺ = g_i + Q(h_i⁺ - h_i - a(g_i - h_i)),   E Q(q) = q,  E‖Q(q) - q‖² ≤ ω‖q‖²

Symbols as in `error_feedback`; δ_i = h_i - ∇f_i(x), π_i = g_i - h_i, and ⟪·⟫ the mean square over
honest workers. ℓ² bounds ⟪s_i(x) - s_i(y) - ∇f_i(x) + ∇f_i(y)⟫ in expectation, for ‖x-y‖ = 1. V is

    cf·f + γ((A/a)⟪π⟫ + (c'/(ps²))⟪δ⟫)  ≥  cf·inf f

Claim, for every L > 0 and γL = y min(a, √p)/c with y in (0, 1], in two parts: b = √p in (0, 1] and
a = sb with s in (0, 1]; or ("rare") b = a in (0, 1] and √p = sb, and then without s² in V:

    E V⁺ ≤ V - γ‖p‖² + γ C κG²,   κB² ≤ w          (‖p‖² is ‖∇f(x)‖²)

No independence of the coins, samples and messages of different workers is used, but that samples
and messages have their law given the past.

Proof. L = 1; e, D, r_i as there; n_i the noise of the difference, E⟪n⟫ ≤ ℓ²γ²‖D‖². Let θ = h⁺ - h,
which is γr - δ with probability p, otherwise γr + n. Then δ⁺ is 0 or δ + n, and π⁺ = (1-a)π + k
with k = Q(q) - q and q = θ - aπ. With ω/a = (1-a)/(2a²) and S(v) = ⟪v⟫, for every state

    (V - E V⁺)/γ - (1+Cw)‖p‖² + Cκ|ν|²
        = ⟨Q, products of (p, δ̄, π̄, e, r̄)⟩ + ⟨S, means of products of (ν, δ, π, r)⟩
          + cf (f - γ⟨p,D⟩ + (γ²/2)‖D‖² - f⁺)/γ + ℓ'(‖D‖² - ‖r̄‖²) + k'(M‖D‖² - ‖r̄‖² - |r|²)
          + τ(κ|g|² - ‖e‖²) + (A/a)E(ω⟪q⟫ - ⟪k⟫)
          + (1-p)(c'/(ps²) + Aω/a)(ℓ²γ²‖D‖² - E⟪n⟫)

where δ stands for δ/s in Q and S if the coin is not rare. All but the first line of the right side
is ≥ 0. So Q ⪰ 0 and S ⪰ 0 prove the claim.  QED.
"""

from fractions import Fraction

from .error_feedback import BOUNDS, Form, Vector
from .multipliers import Numbers, Values
from .positivity import Matrix
from .slopes import Enclosed

CONSTANTS = ("c", "kappa", "kappa_b_squared", "growth", "C", "sample")
WEIGHTS = ("cf", "a", "c1")  # a is A, c1 is c'
MULTIPLIERS = (*WEIGHTS, *BOUNDS)
VARIABLES = ("b", "s", "y")


def conditions(constants: Numbers) -> dict[str, bool]:
    """What must hold of the constants."""
    return {
        "c > 0": constants["c"] > 0,
        "κ ≥ 0": constants["kappa"] >= 0,
        "κB² ≥ 0": constants["kappa_b_squared"] >= 0,
        "L̃²/L² ≥ 1": constants["growth"] >= 1,
        "ℓ²/L² ≥ 0": constants["sample"] >= 0,
    }


def matrices(
    constants: Values, multipliers: Values, variables: list[Enclosed], rare: bool
) -> dict[str, Matrix]:
    """Q and S at all points of a box; both affine in the multipliers and C."""
    p, (big, s, y) = multipliers, variables
    one = type(big).of(Fraction(1))
    half = type(big).of(Fraction(1, 2))
    small, part = s * big, y.over(constants["c"])  # γ = part · small
    a, root = (big, small) if rare else (small, big)  # root is √p
    step, missed = part * small, one - root.squared()  # 1-p
    lost = p["a"] * (one - a) * half  # (A ω/a) a²
    # √p(γr - δ - aπ)/a, and (γr - aπ)/a; δ is that of the basis.
    if rare:
        on: Vector = {"r": s * step, "δ": -s, "π": -(s * a)}
        off: Vector = {"r": part * s, "π": -one}
    else:
        on = {"r": root * part, "δ": -one, "π": -root}
        off = {"r": part, "π": -one}
    direction = {"p": one, "δ": one if rare else s, "π": one, "e": one}
    speed = part.squared() * constants["sample"] * missed
    square = p["cf"] * step * half + p["l"] + p["k"] * constants["growth"]
    square = square + p["c1"] * speed + lost * (speed * s.squared() if rare else speed)

    def decreases(form: Form) -> None:
        form.add(p["c1"], {"δ": one})
        form.add(p["a"] * (one + one - a), {"π": one})
        form.add(-lost, on)
        form.add(-(lost * missed), off)

    mean = Form(("p", "δ", "π", "e", "r"), one)
    mean.add_product(p["cf"] * half, "p", direction)
    mean.add(-square, direction)
    mean.add(p["l"] + p["k"], {"r": one})
    mean.add(-(one + constants["C"] * constants["kappa_b_squared"]), {"p": one})
    mean.add(p["tau"], {"e": one})
    decreases(mean)
    spread = Form(("ν", "δ", "π", "r"), one)
    spread.add(constants["C"] * constants["kappa"], {"ν": one})
    spread.add(-(p["tau"] * constants["kappa"]), {"ν": one, "δ": direction["δ"], "π": one})
    spread.add(p["k"], {"r": one})
    decreases(spread)
    return {"S": spread.rows, "Q": mean.rows}
