"""Certificates as claims of the audit: what each of them says, in one line."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from jaxbyz.theory.checker.certificates import METHODS, read
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.proofs.wanted import stored
from jaxbyz.theory.subjects import Certificate

Numbers = Mapping[str, Fraction]
EVERY = "for every d, n, f and rule"


def _rosdhb(known: Numbers) -> tuple[str, str]:
    c, a, bound = (known[name] for name in ("c", "coupling", "kappa_b_squared"))
    return (
        f"C/c={c},a={a},κB²≤{bound}",
        f"0 < γ ≤ k/({c}dL), β² = 1-{a}γL, κB² ≤ {bound}: E V⁺ ≤ V - γ‖∇L_H‖² + {known['C']} γκG², "
        "V ≥ cf·inf L_H, for every d, k, n, f and rule",
    )


def _rosdhb_local(known: Numbers) -> tuple[str, str]:
    c, a, bound, most = (known[name] for name in ("c", "coupling", "kappa_b_squared", "kappa"))
    return (
        f"C/local,c={c},a={a},κ≤{most},κB²≤{bound}",
        f"a mask for each worker, 0 < γ ≤ k/({c}dL), β² = 1-{a}γL, κ ≤ {most}, κB² ≤ {bound}, "
        f"1+B² ≤ {known['share']}h: E V⁺ ≤ V - γ‖∇L_H‖² + γ({known['C']}κ + "
        f"{known['N']}γL(d/k-1)/h)G², V ≥ cf·inf L_H, for every d, k, n, f and rule",
    )


def _gradient_descent(known: Numbers) -> tuple[str, str]:
    reach, bound = known["reach"], known["kappa_b_squared"]
    return (
        f"GD/γL≤{reach},κB²≤{bound}",
        f"k = d, β = 0, 0 < γL ≤ {reach}, κB² ≤ {bound}: cf·L_H(θ⁺) ≤ cf·L_H(θ) - γ‖∇L_H‖² + "
        f"{known['C']} γκG², {EVERY}",
    )


def _error_feedback(method: str) -> Callable[[Numbers], tuple[str, str]]:
    def said(known: Numbers) -> tuple[str, str]:
        c, kappa, bound = (known[name] for name in ("c", "kappa", "kappa_b_squared"))
        floor, limits = f"{known['C']}κG²", f"0 < γ ≤ α/({c}L)"
        if "ratio" in known:
            floor += f" + ({known['N']} + {known['N_h']}/h)ησ²"
            limits = f"0 < η ≤ {known['ratio']}α, 0 < γ ≤ η/({c}L)"
        if method.startswith("byz_dasha"):
            least = "√p ≤ a" if method.endswith("rare") else "a ≤ √p"
            limits = f"{least}, 0 < γ ≤ {least.split()[0]}/({c}L)"
        if "sample" in known:
            limits += f", ℓ² ≤ {known['sample']}L²"
        name = f"C/{method},c={c},κ={kappa},κB²≤{bound}"
        return name, (
            f"{limits}, L̃² ≤ {known['growth']}L², κ = {kappa}, κB² ≤ {bound}: "
            f"E V⁺ ≤ V - γ‖∇f‖² + γ({floor}), V ≥ cf·inf f, every compressor, {EVERY}"
        )

    return said


SAID: dict[str, Callable[[Numbers], tuple[str, str]]] = {
    "rosdhb": _rosdhb,
    "rosdhb_local": _rosdhb_local,
    "gradient_descent": _gradient_descent,
    **{name: _error_feedback(name) for name in METHODS if name.startswith("byz_")},
}


def impossible_below(known: Numbers) -> Fraction:
    """1/(1-κB²), which no valid C of any method here is below: an instance stays where it is.

    Honest gradients p ± (b0 x + g0) whose sum with weights (1 ∓ √κ)/h is 0: a linear rule that has
    the coefficient κ then never moves. All momenta and estimates are the gradients, so that nothing
    is sent, and ‖∇f‖² = κG²/(1-κB²). With masks it is one with k = d. Derived here.

    >>> impossible_below({"kappa_b_squared": Fraction(1, 7)})
    Fraction(7, 6)
    """
    return 1 / (1 - known["kappa_b_squared"])


def proved_claim(name: str, record: Mapping[str, Any]) -> Claim:
    """A certificate as a claim of the audit."""
    method, constants, _ = read(record)
    called, statement = SAID[method.NAME](constants)
    error_feedback = method.NAME.startswith("byz_")
    return Claim(
        paper="byz_dm21" if error_feedback else "rosdhb",
        name=called,
        title="one round, all parameters of a box",
        statement=f"{statement}; no C < {impossible_below(constants)} is possible",
        provenance=Provenance.DERIVED,
        source="derived here: certificates of "
        + ("error feedback" if error_feedback else "RoSDHB"),
        scope=Scope.CONSTANTS,
        sides=lambda instance: instance,
        unconditional="what is assumed is in the statement: smoothness, (G, B), κ of the rule",
        subject=Certificate(name, record),
        tight_from=None,
    )


def proved_claims(paper: str) -> tuple[Claim, ...]:
    """Every certificate of the package about a paper's methods."""
    claims = (proved_claim(name, record) for name, record in stored())
    return tuple(claim for claim in claims if claim.paper == paper)
