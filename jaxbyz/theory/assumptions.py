"""What each claim must assume: data beside the statements, read off the proofs. Derived here.

A hypothesis that is taken out of a claim makes the claim say more than is proved, and the families
of instances, which satisfy it anyway, would not notice. So the names of the hypotheses stand here a
second time, and the audit compares: a claim that assumes less, or more, is reported.

A claim that is not in the table assumes nothing; it says why (`Claim.unconditional`).
"""

from jaxbyz.theory.claims import Claim

ROWS, HONEST_ROWS = ("rows are finite",), ("honest rows are finite",)

# ---- RoSDHB ------------------------------------------------------------------------------------

PROOF = (
    *("0 < ω ≤ 1", "a = d/k ≥ 1", "γ > 0, L > 0", "κ ≥ 0, B² ≥ 0"),
    *("s > 0", "p > 0", "A > 0", "(c1)"),
)
STATE = ("μ and ν are centred", "L_H is L-smooth", "(G, B)-dissimilarity", "error in the ball")
RUN = (
    *(*PROOF, "(c2)", "the run is that of the proof", "L_H is L-smooth", "L_H ≥ L_*"),
    "the rule has coefficient κ",
)
THEOREM = (*RUN, "(G, B)-dissimilarity", "q > 0")
CODE = ("the mean Hessian is symmetric", "∇L_H = 0 at the optimum")
BOX_A = (
    *("c ≥ 24", "a = d/k ≥ 1", "0 < γ ≤ k/(dcL)", "0 < ρ < 24, s > 0, A ≤ ρ(1-1/c)"),
    "κB² ≥ 0",
)
BOX_B = ("k/d in (0, 1]", "0 < γ ≤ k/(8dL)")
IS_A = "the parameters are those of Theorem A"

ROSDHB = {
    "L2=": ("μ and ν are centred",),
    "L2<=": ("0 < ω ≤ 1", "a = d/k ≥ 1", "μ and ν are centred"),
    "L3<=": ("0 < ω ≤ 1", "a = d/k ≥ 1", "γ > 0, L > 0", "p > 0", "L_H is L-smooth"),
    "L4": ("γ > 0, L > 0", "s > 0", "L_H is L-smooth"),
    "L5/linear": ("Σ w_i = 1",),
    "L5/trimmed": HONEST_ROWS,
    "L6": (*PROOF, *STATE, "(c2)"),
    "L6'": (*PROOF, *STATE, "(c2')"),
    "L6'/problem": ("(c1)", "(c2')", "L_H is 1-smooth", "Σ w_i = 1"),
    **dict.fromkeys(("code/L2", "code/L3", "code/V"), CODE),
    **dict.fromkeys(("A/c1", "A/c2", "A/N"), BOX_A),
    "A/c2'": (*BOX_A, "q > 0"),
    **dict.fromkeys(("B/c1", "B/c2", "B/N"), (*BOX_B, "0 ≤ κB² ≤ 0.266667")),
    "B/c2'": (*BOX_B, "0 ≤ κB² ≤ 0.142857"),
    "master": THEOREM,
    "measured": (*RUN, "q > 0"),
    "A": (*THEOREM, IS_A),
    "B": (*THEOREM, "the parameters are those of Theorem B"),
    "corollary": (*THEOREM, IS_A, "G = 0"),
    "stall": ("0 < √κ b0 < 1", "κ > 0, g0 > 0"),
}

# ---- Byz-DM21 and Byz-VR-DM21 ------------------------------------------------------------------

SMOOTH = ("f is L-smooth, L > 0", "gradients are L̃-smooth in mean square")
SAMPLES = ("0 < η ≤ 1", "Hessians are symmetric", "samples are unbiased", "noise variance ≤ σ²")
SAMPLE_SMOOTH = ("noise is ℓ-smooth in mean square",)
RULE = ("θ > 0", "κ ≥ 0", "heterogeneity ≤ ζ²", "error in the ball")
FIRST = {"DM": (*SAMPLES, *SMOOTH), "VR": (*SAMPLES, *SAMPLE_SMOOTH)}
SECOND = {"DM": (*FIRST["DM"], "0 < β ≤ 1"), "VR": (*FIRST["VR"], *SMOOTH, "0 < β ≤ 1")}
THIRD = {name: (*needs, "0 < α ≤ 1") for name, needs in SECOND.items()}
BOX = ("0 < α ≤ 1", "κ, ℓ, σ², ζ² ≥ 0", "G ≥ 1", "0 < L ≤ L̃")
BETA, PL, TIME = "η ≤ β ≤ 1", "PL, 0 < μ ≤ L", ("T ≥ 1", "f(x⁰) ≥ f*")
UNDER_PL = ("f is strongly convex: PL with μ", "2γ²K_S + γL ≤ 1, γμ ≤ contraction")

BYZ_DM21 = {
    "L0": HONEST_ROWS,
    "L1": ("θ > 0", "heterogeneity ≤ ζ²"),
    "L2": RULE,
    "L3": ("γ > 0", "Hessians are symmetric", "f is L-smooth, L > 0"),
    **{f"L4-{name}": needs for name, needs in FIRST.items()},
    **{f"L5-{name}": needs for name, needs in SECOND.items()},
    **{f"L6-{name}": needs for name, needs in THIRD.items()},
    **{f"L6-{name}-top": (*needs, "α ≤ 1/d, Top-1") for name, needs in THIRD.items()},
    **{f"L7-{name}": (*RULE, *needs, "2γ²K_S + γL ≤ 1") for name, needs in THIRD.items()},
    "L7-DM-full": (*RULE, *THIRD["DM"], "2γ²K_S + γL ≤ 1"),
    **{f"L7-{name}-PL": (*RULE, *needs, *UNDER_PL) for name, needs in THIRD.items()},
    **dict.fromkeys(("code-DM", "code-VR"), ("α = 1/d",)),
    "ratio": FIRST["VR"],
    "T1": (*BOX, "0 < η ≤ 1"),
    "T2": (*BOX, "0 < η ≤ 1", BETA),
    "T3": (*BOX, "0 < η ≤ 1", PL),
    "T4": (*BOX, "0 < η ≤ 1", BETA, PL),
    **dict.fromkeys(("C1", "C2", "C3"), (*BOX, *TIME)),
    **dict.fromkeys(("A1", "A2"), ("0 < η ≤ 1", BETA, "G ≥ 1", "f(x⁰) ≥ f*", "0 < λ ≤ L")),
    **dict.fromkeys(("S8-DM", "S8-VR"), ("0 < η ≤ 1", "0 < β ≤ 1")),
    **dict.fromkeys(("S9-JV", "S9"), ("0 < η ≤ 1", "0 < h < limit")),
}

# ---- all of them -------------------------------------------------------------------------------

ASSUMED: dict[str, tuple[str, ...]] = {
    "robustness/NNM, trimmed mean": HONEST_ROWS,
    **dict.fromkeys(
        (f"robustness/code/{rule}" for rule in ("trimmed mean", "median", "NNM")), ROWS
    ),
    **{f"rosdhb/{name}": needs for name, needs in ROSDHB.items()},
    **{f"byz_dm21/{name}": needs for name, needs in BYZ_DM21.items()},
}


def difference(claim: Claim) -> str:
    """How the hypotheses of a claim differ from those that it must have; empty: not at all.

    >>> import dataclasses
    >>> from jaxbyz.theory.rosdhb.lemmas import descent
    >>> difference(descent()), difference(dataclasses.replace(descent(), hypotheses=()))
    ('', 'without γ > 0, L > 0; s > 0; L_H is L-smooth')
    """
    must, has = ASSUMED.get(claim.key, ()), [one.name for one in claim.hypotheses]
    without = [name for name in must if name not in has]
    besides = [name for name in has if name not in must]
    said = [("without ", without), ("with ", besides)]
    return ", ".join(word + "; ".join(names) for word, names in said if names)
