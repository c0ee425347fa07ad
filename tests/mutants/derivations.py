"""Errors in the derivation behind the certificates: entries of the matrices, by what was forgotten.

Each is one entry (matrix, row, column) and what is added to it. Basis of Q: g, δ, ξ', e, r'.
"""

from fractions import Fraction

from jaxbyz.theory.rosdhb.identity import Exact

HALF = Exact(Fraction(1, 2))

WRONG = {
    "E‖ξ‖² with d/k for d/k-1": ("Q", 0, 0, lambda m: -(m["q3"] * m["step"])),
    "κB² not paid": ("Q", 0, 0, lambda m: m["C"] * m["kappa_b_squared"]),
    "smoothness without its ½": ("Q", 3, 3, lambda m: -(m["cf"] * m["step"] * HALF)),
    "sign of p12": ("Q", 0, 1, lambda m: -(m["p12"] * m["zeta"] + m["p12"] * m["zeta"])),
    "1-β for (1-β)/γ": (
        "Q", 0, 1, lambda m: m["p11"] * m["zeta"] * m["step"] - m["p11"] * m["zeta"]),
    "ζ for ζ² of the noise": (
        "Q", 2, 2, lambda m: m["p11"] * m["zeta"].squared() - m["p11"] * m["zeta"]),
    "new momentum without β": ("Q", 1, 4, lambda m: m["p12"] * m["beta"] - m["p12"]),
    "‖g⁺‖² without γ": ("Q", 4, 4, lambda m: m["p22"] * m["step"] - m["p22"]),
    "κ for κ/2 of the rule": ("Z", 0, 0, lambda m: m["tau"] * m["beta"].squared() * HALF),
    "β for β² of the drift": (
        "Z", 0, 0, lambda m: m["tau"] * m["beta"].squared() - m["tau"] * m["beta"]),
    "drift of the error forgotten": (
        "Z", 0, 1, lambda m: m["tau"] * m["step"] * m["beta"] * m["zeta"]),
    "E‖Pν‖² = ‖ν‖²": (
        "Z", 1, 1,
        lambda m: (m["b0"] + m["tau"] * m["step"])
        * m["zeta"].squared() * (m["inflated"] - m["step"])),
}  # fmt: skip
