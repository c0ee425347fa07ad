"""The table of planted errors: what is wrong, the claim that it makes wrong, the right one."""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from jaxbyz.aggregators import coordinate_median, nnm, trimmed_mean
from jaxbyz.theory import Budget, Claim, Provenance, Report, Status, robustness
from jaxbyz.theory.audit import assuming
from jaxbyz.theory.byz_dm21 import lemmas as byz
from jaxbyz.theory.byz_dm21.implementation import code_matches
from jaxbyz.theory.byz_dm21.lyapunov import lyapunov
from jaxbyz.theory.byz_dm21.weights import MOMENTUM, RECURSIVE, Method
from jaxbyz.theory.engines import engines_for
from jaxbyz.theory.rosdhb import constants, implementation, lemmas, mask_law
from jaxbyz.theory.rosdhb.certificate_rational import all_states
from jaxbyz.theory.rosdhb.identity import changed, identity_claim
from jaxbyz.theory.rosdhb.lyapunov import Planted, first_form, second_form
from mutants import derivations, machinery, received, servers, workers


class Mutant(NamedTuple):
    """One planted error."""

    paper: str
    kind: str  # "claim", "constant", "code", "received" (by users) or "audit" (a part of it)
    planted: str
    wrong: Callable[[], Claim]
    right: Callable[[], Claim]


def flagged(report: Report) -> bool:
    """Whether an engine objects."""
    return report.status is Status.REFUTED or "suspected violation" in report.evidence


def verdict(report: Report) -> str:
    """One word for a report, as in the table."""
    if report.status is Status.REFUTED:
        return "refuted"
    return "suspected" if flagged(report) else "missed"


def reports(claim: Claim, budget: Budget) -> dict[str, Report]:
    """Engine -> report."""
    asked = [engine(claim, budget) for engine in engines_for(claim)]
    return {report.engine: report for report in (*asked, *assuming(claim))}


def _b_doubled() -> Claim:
    """The right side for B², the instance with 2B²."""
    claim = first_form()

    def sides(state):
        half = state.parameters._replace(b_squared=state.parameters.b_squared / 2)
        left, _ = claim.sides(state)
        return left, claim.sides(state._replace(parameters=half))[1]

    return _changed(claim, sides)


def _changed(claim: Claim, sides) -> Claim:
    # The checker does not know these statements, so that they can only be suspected.
    return dataclasses.replace(claim, sides=sides, recheck=None)


def _off_by(trimmed: int) -> Claim:
    """The trimmed mean of another f, held against the definition."""
    return robustness.defined(
        "trimmed mean", trimmed_mean(trimmed), 7, lambda rows: robustness.plain_trimmed(rows, 2)
    )


def _trimmed_within(bound: float) -> Claim:
    """Under a name whose hypotheses `theory.assumptions` has."""
    rule, name = trimmed_mean(2), "NNM, trimmed mean"
    return robustness.within(name, rule, 7, 2, bound, Provenance.DERIVED)


def _mixing(f: int) -> Claim:
    """NNM of another f, held against the definition."""
    return robustness.defined(
        "NNM", nnm(f, trimmed_mean(2)), 7, lambda rows: robustness.plain_mixed(rows, 2)
    )


def _coefficient(
    lemma: str, make: Callable[[Method], Claim], method: Method, name: str, factor: float
) -> Mutant:
    return Mutant(
        "byz_dm21",
        "claim",
        f"{lemma} ({method.name}): coefficient {name} × {factor}",
        lambda: make(method.planted(**{name: factor})),
        lambda: make(method),
    )


def _without(paper: str, make: Callable[[], Claim], name: str) -> Mutant:
    """A claim without one of its hypotheses."""

    def wrong() -> Claim:
        claim = make()
        rest = tuple(one for one in claim.hypotheses if one.name != name)
        return dataclasses.replace(claim, hypotheses=rest)

    return Mutant(paper, "claim", f"{make().name}: not assumed: {name}", wrong, make)


MUTANTS: tuple[Mutant, ...] = (
    # ---- RoSDHB, statements ----
    Mutant("rosdhb", "claim", "L1: τ 2 % too large",
           lambda: lemmas.mask_moments(pair_scale=1.02), lemmas.mask_moments),
    Mutant("rosdhb", "claim", "L2: E Υ⁺ 1 % too small",
           lambda: lemmas.drift_identity(scale=0.99), lemmas.drift_identity),
    Mutant("rosdhb", "claim", "L2: noise term of the bound × 0.9",
           lambda: lemmas.drift_bound(power=0.9), lemmas.drift_bound),
    Mutant("rosdhb", "claim", "L3: E‖δ⁺‖² 1 % too small",
           lambda: lemmas.deviation_identity(scale=0.99), lemmas.deviation_identity),
    Mutant("rosdhb", "claim", "L3: term of ‖R‖² × 0.9",
           lambda: lemmas.deviation_bound(power=0.9), lemmas.deviation_bound),
    Mutant("rosdhb", "claim", "L4: right side × 0.95",
           lambda: lemmas.descent(power=0.95), lemmas.descent),
    Mutant("rosdhb", "claim", "L5: κ of linear rules × 0.95",
           lambda: lemmas.aggregation_linear(power=0.95), lemmas.aggregation_linear),
    Mutant("rosdhb", "claim", "L5: κ of the trimmed mean × 0.95",
           lambda: lemmas.aggregation_trimmed(power=0.95), lemmas.aggregation_trimmed),
    Mutant("rosdhb", "claim", "L6: floor × 0.9",
           lambda: first_form(Planted(floor=0.9)), first_form),
    Mutant("rosdhb", "claim", "L6: weight A/10",
           lambda: first_form(Planted(deviation=0.1)), first_form),
    Mutant("rosdhb", "claim", "L6: weight of Υ halved",
           lambda: first_form(Planted(drift=0.5)), first_form),
    Mutant("rosdhb", "claim", "L6: N halved",
           lambda: first_form(Planted(noise=0.5)), first_form),
    Mutant("rosdhb", "claim", "L6: for B², used with 2B²", _b_doubled, first_form),
    Mutant("rosdhb", "claim", "L6': decrease × 3",
           lambda: second_form(Planted(decrease=3.0)), second_form),
    Mutant("rosdhb", "constant", "certificate: floor × 1/10",
           lambda: all_states(floor_scale=Fraction(1, 10)), all_states),
    Mutant("rosdhb", "constant", "Theorem B: N ≤ 1/3 + 2κB² in place of (5/2)κB²",
           lambda: constants.constants_b("N", second=2.0), lambda: constants.constants_b("N")),
    Mutant("rosdhb", "constant", "Theorem A: one entry of the table of constants halved",
           lambda: constants.table_a(((24, 84.0, 115.5), (48, 5.8948 / 2, 6.7544))),
           constants.table_a),
    # ---- RoSDHB, code ----
    *(Mutant("rosdhb", "code", f"server: {name}",
             lambda make=make: implementation.code_lyapunov(make), implementation.code_lyapunov)
      for name, make in servers.ROUNDS.items()),
    *(Mutant("rosdhb", "code", f"masks: {name}",
             lambda make=make: mask_law.uniform_masks(make=make), mask_law.uniform_masks)
      for name, make in servers.MASKS.items()),
    # ---- robust rules ----
    Mutant("robustness", "code", "trimmed mean trims one row too few",
           lambda: _off_by(1), lambda: _off_by(2)),
    Mutant("robustness", "code", "trimmed mean trims one row too many",
           lambda: _off_by(3), lambda: _off_by(2)),
    Mutant("robustness", "code", "NNM averages f rows too few",
           lambda: _mixing(3), lambda: _mixing(2)),
    Mutant("robustness", "constant", "variance divided by n-f-1: κ (h-1)/h",
           lambda: _trimmed_within(2 / 3 * 4 / 5), lambda: _trimmed_within(2 / 3)),
    Mutant("robustness", "constant", "lower bound f/(n-2f) 1 % too large",
           lambda: robustness.lower_bound(scale=Fraction(101, 100)),
           robustness.lower_bound),
    Mutant("robustness", "constant", "κ of the median 1 % too small",
           lambda: robustness.attained("median", coordinate_median(2), 7, 2, "κ", scale=0.99),
           lambda: robustness.attained("median", coordinate_median(2), 7, 2, "κ")),
    Mutant("robustness", "constant", "G² of quadratics × 0.99",
           lambda: robustness.dissimilarity(scale=0.99), robustness.dissimilarity),
    # ---- certificates of RoSDHB ----
    *(Mutant("rosdhb", "claim", f"certificates: {name}",
             lambda m=more: identity_claim(changed(*m[:3], lambda part, at: part + m[3](at))),
             identity_claim)
      for name, more in derivations.WRONG.items()),
    # ---- Byz-DM21, statements ----
    Mutant("byz_dm21", "claim", "L1: 2.5 in place of 3",
           lambda: byz.dispersion_bound(2.5), byz.dispersion_bound),
    Mutant("byz_dm21", "claim", "L2: 2.5 in place of 3",
           lambda: byz.direction(2.5), byz.direction),
    Mutant("byz_dm21", "claim", "L3: curvature × 0.9",
           lambda: byz.descent(0.9), byz.descent),
    _coefficient("L4", byz.first_momentum, MOMENTUM, "r_n", 0.9),
    _coefficient("L4", byz.first_momentum, RECURSIVE, "r_n", 0.5),
    _coefficient("L4", byz.first_momentum, RECURSIVE, "rb_n", 0.5),
    _coefficient("L5", byz.second_momentum, MOMENTUM, "q_q", 0.9),
    _coefficient("L5", byz.second_momentum, RECURSIVE, "q_s", 0.5),
    _coefficient("L6", byz.compression, MOMENTUM, "p_p", 0.9),
    _coefficient("L6", byz.compression, RECURSIVE, "p_n", 0.5),
    Mutant("byz_dm21", "claim", "L7 (DM): step size 300 times too large",
           lambda: lyapunov(MOMENTUM, 300.0), lambda: lyapunov(MOMENTUM)),
    Mutant("byz_dm21", "claim", "L7 (VR): step size 300 times too large",
           lambda: lyapunov(RECURSIVE, 300.0), lambda: lyapunov(RECURSIVE)),
    # ---- Byz-DM21, code ----
    *(Mutant("byz_dm21", "code", f"worker: {name}",
             lambda m=method, lines=lines: code_matches(m, workers.written(m, **lines)),
             lambda m=method: code_matches(m))
      for name, (method, lines) in workers.WRONG.items()),
    # ---- hypotheses ----
    _without("rosdhb", lemmas.descent, "L_H is L-smooth"),
    _without("rosdhb", first_form, "(G, B)-dissimilarity"),
    _without("byz_dm21", byz.direction, "error in the ball"),
    # ---- what users receive, and the audit's own parts ----
    Mutant("rosdhb", "constant", "Theorem A: 8.0 for 5.8948 in the table of constants",
           lambda: constants.table_a(((24, 84.0, 115.5), (48, 8.0, 6.7544))), constants.table_a),
    *(Mutant(paper, "received", name, wrong, right)
      for name, (paper, wrong, right) in received.WRONG.items()),
    *(Mutant("machinery", "audit", name, wrong, right)
      for name, (wrong, right) in machinery.WRONG.items()),
)  # fmt: skip
