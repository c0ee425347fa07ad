"""Hypotheses come first: families satisfy them, and where one fails the claim says nothing."""

import dataclasses
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often

from jaxbyz.theory import Budget, Status
from jaxbyz.theory.audit import CLAIMS, audit, line, markdown
from jaxbyz.theory.byz_dm21 import states as byz_states
from jaxbyz.theory.byz_dm21.boxes import Numbers
from jaxbyz.theory.byz_dm21.lemmas import (
    compression,
    direction,
    dispersion_bound,
    first_momentum,
    second_momentum,
)
from jaxbyz.theory.byz_dm21.lemmas import descent as byz_descent
from jaxbyz.theory.byz_dm21.limits import Weighting
from jaxbyz.theory.byz_dm21.lyapunov import lyapunov, lyapunov_pl
from jaxbyz.theory.byz_dm21.weights import MOMENTUM, RECURSIVE
from jaxbyz.theory.claims import Family, Hypothesis
from jaxbyz.theory.engines import (
    engines_for,
    judge,
    largest_ratio,
    sampled,
    searched,
    worst_adversary,
)
from jaxbyz.theory.engines.judge import TOLERANCE, applies, failed_hypothesis
from jaxbyz.theory.rosdhb import boxes, lemmas
from jaxbyz.theory.rosdhb import states as rosdhb_states
from jaxbyz.theory.rosdhb.certificate_rational import all_states, small_problem
from jaxbyz.theory.rosdhb.lyapunov import first_form, second_form
from jaxbyz.theory.rosdhb.trajectories import Trajectory
from jaxbyz.theory.subjects import Certificate

pytestmark = pytest.mark.usefixtures("x64")

KNOWN = {claim.key: claim for claim in CLAIMS}
WITH = {claim.key: claim for claim in CLAIMS if claim.hypotheses and claim.families}
# Some of both papers; the others with `make test-all`.
SOME = ("rosdhb/L3<=", "rosdhb/L5/linear", "rosdhb/L6'", "rosdhb/B/N", "byz_dm21/L2",
        "byz_dm21/L6-DM-top", "byz_dm21/T4")  # fmt: skip
FEW = Budget(random=20, starts=2, steps=4)

# All others have hypotheses.
UNCONDITIONAL = {
    "rosdhb/L1", "rosdhb/L3=",  # identities between any numbers
    "rosdhb/code/mask", "rosdhb/code/share",  # of the shipped code
    "rosdhb/A/table", "rosdhb/paper/1",  # printed numbers; nothing is evaluated
    "rosdhb/C/identity", "rosdhb/C/identity, local",  # between any numbers
    *(f"byz_dm21/C/identity, {method}" for method in ("byz_ef21", "byz_ef21_sgdm", "byz_dm21",
                                                      "byz_vr_dm21", "byz_dasha_page",
                                                      "byz_dasha_page_rare")),  # the same
    "rosdhb/C/diverges",  # instances
    "byz_dm21/C/stall, one momentum", "byz_dm21/C/stall, floor",  # instances
    "byz_dm21/C/two momenta",  # in the statement
    *(claim.key for claim in CLAIMS if isinstance(claim.subject, Certificate)),  # in the statement
    "robustness/lower bound", "robustness/trimmed mean", "robustness/median, odd",
    "robustness/median, even", "robustness/trimmed mean, n ≤ 20",
    "robustness/median, n ≤ 20", "robustness/lower median, n ≤ 20",  # suprema over all inputs
    "robustness/dissimilarity",  # one problem, every point
    # What users receive for arguments inside the hypotheses, which are checked there.
    *(f"rosdhb/{name}" for name in ("A/promise", "B/promise", "C/promise", "A/best c", "certify",
                                    "paper/1/setting", "rounds")),
    *(f"byz_dm21/{name}" for name in ("T1/promise", "T2/promise", "T3/promise", "T4/promise",
                                      "C1/promise", "C2/promise", "C3/promise", "rounds",
                                      "certify", "average", "best average", "closed forms")),
}  # fmt: skip


def change(*path, by=None, to=None):
    """instance -> the instance with one leaf changed; `path` names it."""

    def broken(instance):
        name, *rest = path
        part = getattr(instance, name)
        if rest:
            part = change(*rest, by=by, to=to)(part)
        else:
            part = jnp.full_like(part, to) if by is None else by(part)
        return instance._replace(**{name: part})

    return broken


def bent(part):
    """The first entry of an array 1 larger than any: no longer centred, symmetric, a sum of 1."""
    flat = jnp.asarray(part).ravel()
    return flat.at[min(1, flat.size - 1)].add(1 + jnp.abs(flat).max()).reshape(jnp.shape(part))


P = "parameters"
STATES = {  # of RoSDHB, between two rounds; `Trajectory` has parameters too
    "0 < ω ≤ 1": change(P, "fresh", to=1.5),
    "a = d/k ≥ 1": change(P, "inflation", to=0.5),
    "γ > 0, L > 0": change(P, "x", to=-0.1),
    "κ ≥ 0, B² ≥ 0": change(P, "b_squared", to=-0.1),
    "s > 0": change(P, "s", to=-0.5),
    "p > 0": change(P, "p", to=-0.5),
    "A > 0": change(P, "weight", to=-1.0),
    "(c1)": change(P, "weight", by=lambda a: a / 1e3),
    "(c2)": change(P, "weight", by=lambda a: a * 1e9),
    "(c2')": change(P, "weight", by=lambda a: a * 1e9),
    "μ and ν are centred": change("spread", by=bent),
    "(G, B)-dissimilarity": change("difference", by=lambda part: 2 * part),
    "error in the ball": change("error", by=lambda part: 1e3 * (1 + part)),
}
RUNS = STATES | {
    "the run is that of the proof": change("system", "fresh", by=lambda part: part * 0.9),
    "L_H ≥ L_*": change("system", "vectors", by=bent),
    "the rule has coefficient κ": change(P, "kappa", by=lambda part: part * 0.9),
    "(G, B)-dissimilarity": change("g_squared", by=lambda part: part - 0.1),
    "q > 0": change(P, "weight", by=lambda part: 1e9 * part),
    "the parameters are those of Theorem A": change(P, "p", by=lambda part: 2 * part),
    "the parameters are those of Theorem B": change(P, "p", by=lambda part: 2 * part),
    "G = 0": change("g_squared", to=1.0),
}
C = "constants"
ROUNDS = {  # of Byz-DM21
    "0 < η ≤ 1": change("eta", to=1.5),
    "0 < β ≤ 1": change("beta", to=0.0),
    "0 < α ≤ 1": change("alpha", to=1.5),
    "θ > 0": change("theta", to=-0.5),
    "κ ≥ 0": change("kappa", to=-0.5),
    "γ > 0": change("fraction", to=0.0),
    "heterogeneity ≤ ζ²": change(C, "heterogeneity", by=lambda part: part / 2),
    "error in the ball": change("error", by=lambda part: 3 + part),
    "Hessians are symmetric": change("hessians", by=bent),
    "samples are unbiased": change("noise", by=bent),
    "f is L-smooth, L > 0": change(C, "smoothness", by=lambda part: part / 2),
    "gradients are L̃-smooth in mean square": change(
        C, "mean_square_smoothness", by=lambda part: part / 2
    ),
    "noise is ℓ-smooth in mean square": change(C, "sample_smoothness", by=lambda part: part / 2),
    # Below 0 where there is no noise.
    "noise variance ≤ σ²": change(C, "noise_variance", by=lambda part: part / 2 - 1),
    "f is strongly convex: PL with μ": change(C, "mu", by=lambda part: 2 * part),
    "α ≤ 1/d, Top-1": change("alpha", to=0.75),
    "α = 1/d": change("alpha", to=0.75),
    "2γ²K_S + γL ≤ 1": change("fraction", to=1.5),
    "2γ²K_S + γL ≤ 1, γμ ≤ contraction": change("fraction", to=1.5),
}
NUMBERS = {  # of Byz-DM21's theorems and rates
    "0 < α ≤ 1": change("point", "alpha", to=0.0),
    "κ, ℓ, σ², ζ² ≥ 0": change("point", "kappa", to=-0.1),
    "G ≥ 1": change("point", "honest", to=0.5),
    "0 < L ≤ L̃": change("point", "mean_square_smoothness", to=0.5),
    "0 < η ≤ 1": change("eta", to=1.5),
    "0 < β ≤ 1": change("beta", to=-1.0),
    "η ≤ β ≤ 1": change("beta", by=lambda part: part * 0 + 1.5),
    "PL, 0 < μ ≤ L": change("mu", to=2.0),
    "0 < λ ≤ L": change("mu", to=2.0),
    "T ≥ 1": change("rounds", to=0.5),
    "f(x⁰) ≥ f*": change("gap", to=-1.0),
    "0 < h < limit": change("part", to=1.5),
}
BOXES = {  # of the constants of RoSDHB's theorems
    "c ≥ 24": change("c", to=20.0),
    "a = d/k ≥ 1": change("inflation", to=0.5),
    "0 < γ ≤ k/(dcL)": change("share", to=1.5),
    "0 < γ ≤ k/(8dL)": change("share", to=0.0),
    "0 < ρ < 24, s > 0, A ≤ ρ(1-1/c)": change("s", to=1e6),
    "κB² ≥ 0": change("kappa_b_squared", to=-0.1),
    "q > 0": change("kappa_b_squared", to=1.0),
    "k/d in (0, 1]": change("ratio", to=1.5),
    "0 ≤ κB² ≤ 0.266667": change("kappa_b_squared", to=0.3),
    "0 ≤ κB² ≤ 0.142857": change("kappa_b_squared", to=0.2),
}
OTHERS = {
    "the mean Hessian is symmetric": change("matrices", by=bent),
    "∇L_H = 0 at the optimum": change("optimum", by=lambda part: part + 1),
    "0 < √κ b0 < 1": change("tilt", to=1.5),
    "κ > 0, g0 > 0": change("g0", to=-1.0),
    "Σ w_i = 1": lambda instance: (instance[0] * 2, instance[1]),
    "rows are finite": lambda rows: rows.at[0, 0].set(jnp.nan),
    "honest rows are finite": lambda rows: rows.at[0, 0].set(jnp.inf),
}


def smooth(instance):
    """L_H is L-smooth no more, of a state or of a run."""
    return change(P, "smoothness", by=lambda part: part / 4)(instance)


TABLES = {
    rosdhb_states.State: STATES | {"L_H is L-smooth": change("curvature", to=40.0)},
    Trajectory: RUNS | {"L_H is L-smooth": smooth},
    byz_states.State: ROUNDS,
    Numbers: NUMBERS,
    Weighting: NUMBERS,
    boxes.BoxA: BOXES,
    boxes.BoxB: BOXES,
}


def instance_of(claim, seed=3):
    family = claim.families[0]
    return family.make(jax.random.normal(jax.random.key(seed), (family.size,)))


def broken_by(instance, name):
    return (TABLES.get(type(instance), OTHERS))[name](instance)


def test_a_claim_has_hypotheses_or_says_why_not():
    assert {claim.key for claim in CLAIMS if not claim.hypotheses} == UNCONDITIONAL
    for claim in CLAIMS:
        assert bool(claim.hypotheses) != bool(claim.unconditional), claim.key
        names = [hypothesis.name for hypothesis in claim.hypotheses]
        assert len(names) == len(set(names)), claim.key


@pytest.mark.parametrize("key", often(WITH, SOME))
def test_instances_of_families_satisfy_all_hypotheses(key):
    """At sizes from 1 to 20: what random checks and searches visit."""
    claim = WITH[key]
    for family in claim.families:
        scale = jnp.array([1.0, 3.0, 8.0, 20.0])[jnp.arange(200) % 4][:, None]
        zs = scale * jax.random.normal(jax.random.key(5), (200, family.size))

        def margins(z, family=family):
            instance = family.make(z)
            return [jnp.min(jnp.asarray(h.margin(instance))) for h in claim.hypotheses]

        for hypothesis, found in zip(claim.hypotheses, jax.jit(jax.vmap(margins))(zs), strict=True):
            assert float(found.min()) >= -TOLERANCE, (family.name, hypothesis.name)


@pytest.mark.parametrize("key", often(WITH, SOME))
def test_where_a_hypothesis_fails_the_claim_is_not_applicable(key):
    claim = WITH[key]
    instance = instance_of(claim)
    assert failed_hypothesis(claim, instance) is None
    for hypothesis in claim.hypotheses:
        broken = broken_by(instance, hypothesis.name)
        assert not float(np.min(np.asarray(hypothesis.margin(broken)))) > -1e-6, hypothesis.name
        # Whatever the sides are: here a left side that is twice the right one.
        report = judge(claim, "test", lambda broken=broken: (2.0, broken, "found"))
        assert report.status is Status.NOT_APPLICABLE, hypothesis.name
        assert "violat" not in report.evidence
        assert not bool(applies(claim, broken))


# Without its hypothesis each of these claims is violated there: the hypothesis is needed.
NEEDED = {
    "L2<=": (lemmas.drift_bound, "0 < ω ≤ 1"),
    "L2=": (lemmas.drift_identity, "μ and ν are centred"),
    "L3<=": (lemmas.deviation_bound, "L_H is L-smooth"),
    "L4": (lemmas.descent, "L_H is L-smooth"),
    "L6": (first_form, "(G, B)-dissimilarity"),
    "L6'": (second_form, "error in the ball"),
    "L1, DM21": (dispersion_bound, "heterogeneity ≤ ζ²"),
    "L2, DM21": (direction, "error in the ball"),
    "L3, DM21": (byz_descent, "f is L-smooth, L > 0"),
    "L4-DM": (lambda: first_momentum(MOMENTUM), "noise variance ≤ σ²"),
    "L4-VR": (lambda: first_momentum(RECURSIVE), "noise is ℓ-smooth in mean square"),
    "L5-VR": (lambda: second_momentum(RECURSIVE), "gradients are L̃-smooth in mean square"),
    "L6-DM-top": (lambda: compression(MOMENTUM, top=True), "α ≤ 1/d, Top-1"),
    "L7-DM": (lambda: lyapunov(MOMENTUM), "noise variance ≤ σ²"),
    "L7-DM-PL": (lambda: lyapunov_pl(MOMENTUM), "f is strongly convex: PL with μ"),
}
HARD = {  # how the hypothesis is broken where the table's way violates nothing
    "error in the ball": change("error", by=lambda part: 1e4 * part),
    "noise variance ≤ σ²": change(C, "noise_variance", to=0.0),
    "noise is ℓ-smooth in mean square": change(C, "sample_smoothness", to=0.0),
    "gradients are L̃-smooth in mean square": change(C, "mean_square_smoothness", to=0.0),
    "heterogeneity ≤ ζ²": change(C, "heterogeneity", to=0.0),
    "f is L-smooth, L > 0": change(C, "smoothness", by=lambda part: part / 100),
    "f is strongly convex: PL with μ": change(C, "mu", by=lambda part: 1e4 * part),
    "(G, B)-dissimilarity": change("difference", by=lambda part: 100 * part),
}


@pytest.mark.parametrize("which", often(NEEDED, ("L2<=", "L4", "L6'", "L1, DM21", "L4-DM")))
def test_the_hypothesis_is_needed_and_hides_the_violation(which):
    make, name = NEEDED[which]
    claim = make()
    family = claim.families[0]

    def outside(z):
        instance = family.make(z)
        return HARD[name](instance) if name in HARD else broken_by(instance, name)

    beyond = dataclasses.replace(
        claim, families=(Family("outside", family.size, outside),), recheck=None
    )
    budget = Budget(random=1000)
    report = sampled()(beyond, budget)
    assert report.status is Status.NOT_APPLICABLE, report
    assert name in report.evidence
    bare = sampled()(dataclasses.replace(beyond, hypotheses=()), budget)
    assert "suspected violation" in bare.evidence


ENGINES = {"sampled": sampled(), "searched": searched(), "adversaries": worst_adversary()}


@pytest.mark.parametrize("engine", often(ENGINES, ("sampled",)))
def test_every_engine_passes_over_instances_outside(engine):
    """A family of which half lies outside, where the claim is violated: no alarm, no silence."""
    check = ENGINES[engine]
    claim = lemmas.descent()
    family = claim.families[0]

    def half(z):
        state = family.make(z)
        steep = jnp.where(z[0] > 0, 3.0, 1.0)
        return state._replace(curvature=state.curvature * steep)

    mixed = dataclasses.replace(claim, families=(Family("half", family.size, half),), recheck=None)
    report = check(mixed, Budget(random=400, starts=8, steps=20))
    assert report.status in {Status.SEARCHED}, report
    assert failed_hypothesis(mixed, report.instance) is None
    bare = check(dataclasses.replace(mixed, hypotheses=()), Budget(random=400, starts=8, steps=20))
    assert "suspected violation" in bare.evidence


def test_how_many_random_instances_are_outside_is_said():
    claim = lemmas.descent()
    other = Hypothesis("the first coordinate", lambda state: state.gradient[0])
    report = sampled()(dataclasses.replace(claim, hypotheses=(other,)), Budget(random=200))
    said = report.evidence.rsplit(", ", 1)[1]
    assert said.endswith("outside the hypotheses")
    assert 60 < int(said.split()[0]) < 140  # half of 200, within six standard deviations


def test_a_margin_that_is_not_known_is_inconclusive():
    unknown = Hypothesis("L is known", lambda state: jnp.nan)
    claim = dataclasses.replace(lemmas.descent(), hypotheses=(unknown,))
    report = sampled()(claim, FEW)
    assert report.status is Status.INCONCLUSIVE
    assert "hypothesis unknown: L is known" in report.evidence


def test_outside_the_hypotheses_nothing_is_measured():
    claim = lemmas.descent()
    state = instance_of(claim)
    assert float(largest_ratio(claim, state)) > 0
    assert float(largest_ratio(claim, change("curvature", to=40.0)(state))) == -jnp.inf


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"weight": Fraction(1, 1000)}, "(c1)"),
        ({"weight": Fraction(10**6)}, "(c2')"),
        ({"matrices": 2 * small_problem(60).matrices}, "L_H is 1-smooth"),
        ({"weights": 2 * small_problem(60).weights}, "Σ w_i = 1"),
    ],
)
def test_the_certificate_of_a_problem_outside_is_not_applicable(change, name):
    claim = all_states(small_problem(60)._replace(**change))
    (report,) = (engine(claim, FEW) for engine in engines_for(claim))
    assert report.status is Status.NOT_APPLICABLE
    hypothesis = next(h for h in claim.hypotheses if h.name == name)
    assert hypothesis.margin(small_problem(60)) >= 0
    assert hypothesis.margin(small_problem(60)._replace(**change)) < 0


def test_the_table_names_hypotheses_and_the_line_names_the_worst_adversary():
    (finding,) = audit([lemmas.descent()], FEW)
    assert "| γ > 0, L > 0; s > 0; L_H is L-smooth |" in markdown([finding])
    assert any(f"worst adversary: {name} " in line(finding) for name in ("ball", "linear", "stall"))
    (finding,) = audit([KNOWN["rosdhb/L3="]], FEW)
    assert "| always: m̄" in markdown([finding])
