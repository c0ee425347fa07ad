"""Conditions on the constants of `error_feedback`, and its claims and `dasha_page`'s in words."""

from fractions import Fraction

from .error_feedback import Recursion
from .multipliers import HYPOTHESES, Numbers, shown_above

NAMES = {
    (0, False): "Byz-EF21 with full local gradients",
    (1, False): "Byz-EF21-SGDM with momentum η",
    (2, False): "Byz-DM21 with both momenta η",
    (2, True): "Byz-VR-DM21 with both momenta η",
}
COMPRESSOR = (
    "started at full local gradients: for every dimension,\n"
    "all numbers of workers with h honest ones, whatever is forged, every α in (0, 1] and\n"
    "compressor with E‖C(q) - q‖² ≤ (1-α)‖q‖², "
)
NOISE = (
    "stochastic gradients that are fresh, unbiased, independent between workers, of variance at\n"
    "most σ² on average over honest workers"
)


def conditions(recursion: Recursion, constants: Numbers) -> dict[str, bool]:
    """What must hold of the constants."""
    found = {
        "c > 0": constants["c"] > 0,
        "κ ≥ 0": constants["kappa"] >= 0,
        "κB² ≥ 0": constants["kappa_b_squared"] >= 0,
        "L̃²/L² ≥ 1": constants["growth"] >= 1,
    }
    if recursion.momenta:
        found["0 < ratio ≤ 1"] = 0 < constants["ratio"] <= 1
        found["N' ≥ 0"] = constants["N_h"] >= 0
    if recursion.recursive:
        found["ℓ²/L² ≥ 0"] = constants["sample"] >= 0
    return found


def statement(recursion: Recursion, constants: Numbers, rate: Fraction) -> str:
    """The claim; `rate` is the largest of the box."""
    c, w, growth, floor = (constants[key] for key in ("c", "kappa_b_squared", "growth", "C"))
    bound, noise, steps = f"{floor} κG²", "", f"every step size 0 < γ ≤ α/({c} L)"
    if recursion.momenta:
        bound += f" + ({constants['N']} + {constants['N_h']}/h) ησ²"
        noise = f"{NOISE},\n"
        steps = f"every η in (0, {constants['ratio']} α] and step size 0 < γ ≤ η/({c} L)"
    if recursion.recursive:
        noise = (
            f"{NOISE}, and so that differences between\n"
            f"two points with one sample have one of at most {constants['sample']} L²‖x-y‖²,\n"
        )
    return (
        f"{NAMES[recursion.momenta, recursion.recursive]}, {COMPRESSOR}{noise}{HYPOTHESES}"
        f"κ = {constants['kappa']} and κB² ≤ {w}, losses with\n"
        f"(1/h) Σ ‖∇f_i(x) - ∇f_i(y)‖² ≤ {growth} L²‖x-y‖², {steps}:\n"
        f"    E V⁺ ≤ V - γ‖∇f‖² + γ({bound})   in every round; V is a quadratic function.\n"
        f"So  (1/T) Σ E‖∇f‖² ≤ {shown_above(rate)} (f - inf f)/(γT) + {bound}."
    )


def page_statement(constants: Numbers, rate: Fraction, *, rare: bool) -> str:
    """The claim of Byz-DASHA-PAGE."""
    c, w, growth, floor = (constants[key] for key in ("c", "kappa_b_squared", "growth", "C"))
    least, condition = ("√p", "√p ≤ a") if rare else ("a", "a ≤ √p")
    return (
        "Byz-DASHA-PAGE with a = 1/(2ω+1), started at full local gradients: for every dimension,\n"
        "all numbers of workers, whatever is forged, every p in (0, 1], every ω ≥ 0 and unbiased\n"
        f"compressor with E‖Q(q) - q‖² ≤ ω‖q‖², {condition}, sampled differences of gradients\n"
        f"that are unbiased, of variance at most {constants['sample']} L²‖x-y‖² on average over\n"
        f"honest workers, {HYPOTHESES}κ = {constants['kappa']} and κB² ≤ {w}, losses with\n"
        f"(1/h) Σ ‖∇f_i(x) - ∇f_i(y)‖² ≤ {growth} L²‖x-y‖², every step size\n"
        f"0 < γ ≤ {least}/({c} L):\n"
        f"    E V⁺ ≤ V - γ‖∇f‖² + {floor} γκG²   in every round; V is a quadratic function.\n"
        f"So  (1/T) Σ E‖∇f‖² ≤ {shown_above(rate)} (f - inf f)/(γT) + {floor} κG²."
    )
