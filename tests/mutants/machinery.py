"""The audit's own parts as claims: what they are to find, attain or refuse is known in advance.

Each function here makes a claim about a search, an adversary, a bet or the checker. Its argument is
the part, so that a wrong part makes a wrong claim. None of them is in the audit.
"""

import copy
import functools
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.theory import (
    Budget,
    Claim,
    Family,
    Provenance,
    Scope,
    Status,
    checker,
    counterexamples,
)
from jaxbyz.theory.adversaries import Adversaries, Reach, fixed
from jaxbyz.theory.audit import CLAIMS
from jaxbyz.theory.byz_dm21 import adversaries as byz_adversaries
from jaxbyz.theory.byz_dm21 import states as byz_states
from jaxbyz.theory.byz_dm21.states import State as ByzState
from jaxbyz.theory.engines import search, searched, worst_adversary
from jaxbyz.theory.engines.statistics import log_wealth, mean_at_most
from jaxbyz.theory.rosdhb import adversaries
from jaxbyz.theory.rosdhb.aggregation import aggregation_linear, aggregation_trimmed
from jaxbyz.theory.rosdhb.states import Parameters, State, mean_square
from jaxbyz.theory.subjects import Cases

derived = functools.partial(
    Claim,
    paper="machinery",
    provenance=Provenance.DERIVED,
    source="here",
    unconditional="the answer is known",
)
known_answer = functools.partial(derived, scope=Scope.CONSTANTS, tight_from=None, tolerance=1e-9)

# ---- searches ----------------------------------------------------------------------------------

FAR = Budget(random=20, starts=4, steps=400)
PLACE = 8.0


def far_away(sides: int = 1) -> Claim:
    """left/right is 1 at z = 8 alone (of a second side at -8), and small where searches start."""

    def both(z: jax.Array):
        places = jnp.array([PLACE, -PLACE])[:sides]
        left = 1 / (1 + (z[0] - places) ** 2)
        return (left, jnp.ones(sides)) if sides > 1 else (left[0], jnp.ones(()))

    still = Adversaries({"still": lambda z: fixed(z, jnp.zeros(1))}, lambda z, e: z,
                        lambda z: jnp.zeros(1))  # fmt: skip
    return derived(
        name="far",
        title="a bound that is attained at one place",
        statement="1/(1 + (z-8)²) ≤ 1",
        scope=Scope.ONE_STEP,
        sides=both,
        families=(Family("one number", 1, lambda z: z),),
        adversaries=still,
    )


def finds(engine) -> Claim:
    """A search starts below 1 % of the worst case and ends at it."""
    return known_answer(
        name="search",
        title="a search finds a known worst case",
        statement="99.9 % of the worst case ≤ what is found",
        sides=lambda claim: (jnp.asarray(0.999), jnp.asarray(engine(claim, FAR).weakest)),
        subject=Cases("one bound, attained far from all starts", (far_away(),)),
    )


SHIPPED_ASCEND = search.ascend


def descending(value, starts, steps, rate=0.1):
    """What `search.ascend` does, downwards; the start counts, as it does there."""
    points, values = jax.vmap(lambda z: (z, value(z)))(starts)
    lower, lowest = SHIPPED_ASCEND(lambda z: -value(z), starts, steps, rate)
    better = (-lowest > values)[:, None]
    return jnp.where(better, lower, points), jnp.maximum(values, -lowest)


def searched_downwards(claim: Claim, budget: Budget):
    with mock.patch.object(search, "ascend", descending):
        return searched()(claim, budget)


# ---- adversaries -------------------------------------------------------------------------------

ROWS = np.array([[2.0, -1.0], [-1.0, 0.5], [-1.0, 0.5]])  # centred, along one line


def _farthest(reach: Reach) -> jax.Array:
    """The largest ‖e‖² of what an adversary can do, about the centre 0."""
    assert not np.asarray(reach.centre).any()
    return jnp.asarray(np.linalg.norm(np.asarray(reach.span), 2) ** 2)


def _state() -> State:
    """Momenta along one line, κ = 1/4."""
    numbers = (1.0, 0.01, 0.5, 2.0, 0.25, 0.5, 1.0, 0.1, 0.1)
    parameters, rows = Parameters(*map(jnp.asarray, numbers)), jnp.asarray(ROWS)
    one = jnp.array([1.0, 2.0])
    return State(parameters, jnp.ones(()), one / 4, one, -one / 2, rows, rows, jnp.zeros(2))


def _byz_state() -> ByzState:
    """Estimates along one line, κ = 1/4."""
    family = byz_states.states(workers=3)
    state = family.make(jax.random.normal(jax.random.key(0), (family.size,)))
    return state._replace(g=jnp.asarray(ROWS + 1), kappa=jnp.asarray(0.25))


def _in_ball(adversary) -> list:
    """All of the ball: ‖ξ‖² = κΥ."""
    reach = adversary(_state())
    state = reach.instance
    return [(_farthest(reach), state.parameters.kappa * mean_square(state.spread))]


def _stands(adversary) -> list:
    """R = 0 with ‖ξ‖² = κΥ: the floor κG²/(1-κB²) is attained."""
    reach = adversary(_state())
    state = adversaries.with_error(reach.instance, reach.centre)
    kappa, b_squared = state.parameters.kappa, state.parameters.b_squared
    return [
        ((state.error**2).sum(), kappa * mean_square(state.spread)),
        ((state.gradient**2).sum(), kappa * state.g_squared / (1 - kappa * b_squared)),
        (1 + (state.aggregate**2).sum(), jnp.ones(())),
    ]


def _in_unit_ball(adversary) -> list:
    """All of the unit ball: ‖e‖² = 1."""
    return [(_farthest(adversary(_byz_state())), jnp.ones(()))]


def _stands_twice(adversary) -> list:
    """F(g) = 0 with ‖e‖² = 1, where ‖∇f‖² = κζ²."""
    reach = adversary(_byz_state())
    state = reach.instance._replace(error=reach.centre)
    floor = state.kappa * state.constants.heterogeneity
    return [
        ((state.error**2).sum(), jnp.ones(())),
        ((state.gradients.mean(axis=0) ** 2).sum(), floor),
        (1 + (byz_states.move(state, jnp.ones(())) ** 2).sum(), jnp.ones(())),
    ]


def _attains(claim: Claim, instance):
    """The adversary's instance has left = right."""
    given = lambda: jax.tree.map(jnp.asarray, instance)  # noqa: E731 (in the precision of the caller)
    return lambda adversary: [claim.sides(adversary(given()).instance)]


WEIGHTS = np.array([0.4, 0.3, 0.2, 0.1])
MOMENTA = np.array([[5.0, 5], [2, -1], [2, -1], [3, 1]])  # along one line
# f rows on one side, the others on the other; the first is one of the others.
OPPOSED = np.array([[1.0, 1], [1, 1], [1, 1], [-3, -3], [0, 0]])
# Whose adversaries, and which -> its known answers, as equalities.
ANSWERS = {
    ("rosdhb", "ball"): _in_ball,
    ("rosdhb", "linear"): _in_ball,
    ("rosdhb", "stall"): _stands,
    ("byz_dm21", "ball"): _in_unit_ball,
    ("byz_dm21", "linear"): _in_unit_ball,
    ("byz_dm21", "stall"): _stands_twice,
    ("rosdhb/L5/linear", "linear"): _attains(aggregation_linear(), (WEIGHTS, MOMENTA)),
    ("rosdhb/L5/linear", "stall"): _attains(aggregation_linear(), (WEIGHTS, MOMENTA)),
    ("rosdhb/L5/trimmed", "linear"): _attains(aggregation_trimmed(), OPPOSED),
    ("rosdhb/L5/trimmed", "stall"): _attains(aggregation_trimmed(), OPPOSED),
}  # fmt: skip


def owner(claim: Claim) -> str:
    """Whose adversaries a claim has: those of its paper, or of its own."""
    return claim.key if (claim.key, "stall") in ANSWERS else claim.paper


def attains(which: tuple[str, str], adversary) -> Claim:
    """An adversary attains its known answer."""
    return known_answer(
        name="/".join(which),
        title="an adversary with a known answer",
        statement="what it attains = the answer",
        scope=Scope.IDENTITY,
        sides=lambda player: tuple(map(jnp.stack, zip(*ANSWERS[which](player), strict=True))),
        subject=Cases("one instance", (adversary,)),
    )


def shipped(which: tuple[str, str]):
    """The adversary as the claims have it."""
    found = (c for c in CLAIMS if c.adversaries is not None and owner(c) == which[0])
    return next(found).adversaries.by_name[which[1]]


def short_ball(state: State) -> Reach:
    """A ball whose radius is five per cent too small."""
    reach = adversaries.ball(state)
    return reach._replace(span=0.95 * reach.span)


def short_unit_ball(state: ByzState) -> Reach:
    """The same of Byz-DM21."""
    reach = byz_adversaries.ball(state)
    return reach._replace(span=0.95 * reach.span)


# ---- bets and the checker ----------------------------------------------------------------------

LEVEL = 0.05


def bets(engine=mean_at_most) -> Claim:
    """Each of the two bets has half of the level: it decides after the known number of values."""
    bound = 0.5
    # Against the same numbers, all 1 or all 0, from which the wealth follows.
    when = int(np.argmax(log_wealth(np.ones(100), bound) >= np.log(2 / LEVEL))) + 1
    assert 1 < when < 100

    def decides(value: float, count: int) -> float:
        run = engine(lambda seed, n: np.full(n, value), bound, level=LEVEL, count=count)
        report = run(known_answer(name="mean", title="", statement="", sides=None), FAR)
        return float(report.status is Status.CONFIDENT or "the mean is larger" in report.evidence)

    def sides(value: float):
        early, late = decides(value, when - 1), decides(value, when)
        return jnp.asarray([early, 1.0]), jnp.asarray([0.5, late])

    return known_answer(
        name="level",
        title="the level of a bet",
        statement="wealth 2/level decides, and no less",
        sides=sides,
        subject=Cases("only ones, only zeros", (1.0, 0.0)),
    )


def too_bold(draw, bound, *, level, count):
    """Bets at twice the level that is said."""
    return mean_at_most(draw, bound, level=2 * level, count=count)


def equality() -> dict:
    """An instance of L2 of RoSDHB with left = right, exactly: ω = a = 1, where E Υ⁺ = Δ."""
    state = _state()
    parameters = state.parameters._replace(fresh=1.0, inflation=1.0, x=0.01)
    quiet = state._replace(parameters=parameters, difference=ROWS / 8)
    return counterexamples.record_of("rosdhb/L2<=", {"power": 1.0}, quiet)


def strict(verify=checker.verify) -> Claim:
    """left = right violates nothing; left > right by 2^-40 does."""

    def sides(instance):
        record = equality()
        short = {**record, "constants": {"power": (1 - 2.0**-40).hex()}}
        return (
            jnp.asarray([float(verify(record).violated), 1.0]),
            jnp.asarray([0.5, float(verify(short).violated)]),
        )

    return known_answer(
        name="equality",
        title="equality violates nothing",
        statement="violated iff left > right",
        sides=sides,
        subject=Cases("one instance", (None,)),
    )


def lenient(record: dict):
    """The checker with ≥ in the place of >."""
    verdict = checker.verify(record)
    violated = verdict.failed is None and verdict.left >= verdict.right
    return verdict._replace(violated=violated)


def _misfits() -> list[dict]:
    """A file that fits, then files of which one part does not fit to the others."""
    fitting = counterexamples.record_of("byz_dm21/L1", {"three": 3.0}, _byz_state())
    found = [fitting]
    for part in ("hessians", "noise"):
        wrong = copy.deepcopy(fitting)
        rows = wrong["instance"][part]
        (rows if part == "hessians" else rows[0]).append(
            rows[0] if part == "hessians" else rows[0][0]
        )
        found.append(wrong)
    found.append({name: part for name, part in fitting.items() if name != "counterexample"})
    return found


def refuses(verify=checker.verify) -> Claim:
    """One Hessian more than workers, unequal samples, no version: all of them are unusable."""

    def accepted(record: dict) -> float:
        try:
            verify(record)
        except ValueError:
            return 0.0
        return 1.0

    def sides(instance):
        fitting, *others = map(accepted, _misfits())
        return jnp.asarray([1.0, *others]), jnp.asarray([fitting, *(0.5 for _ in others)])

    return known_answer(
        name="misfits",
        title="what does not fit is refused",
        statement="accepted iff all shapes and the version fit",
        sides=sides,
        subject=Cases("one file that fits, three that do not", (None,)),
    )


def unshaped(record: dict):
    """The checker without its look at shapes."""
    with mock.patch.object(checker.shapes, "fits", return_value=None):
        return checker.verify(record)


def says(verify=checker.verify) -> Claim:
    """Constants that are not those of the claim are said to be a variant's, and only they."""

    def sides(instance):
        own = equality()
        other = {**own, "constants": {"power": (0.5).hex()}}
        return (
            jnp.asarray([float(bool(verify(own).variant)), 1.0]),
            jnp.asarray([0.5, float("power = 0.5" in verify(other).variant)]),
        )

    return known_answer(
        name="variant",
        title="a variant is called one",
        statement="named iff a constant differs",
        sides=sides,
        subject=Cases("two files", (None,)),
    )


def silent(record: dict):
    """The checker without a word about constants."""
    return checker.verify(record)._replace(variant="")


RIGHT = {
    "search": lambda: finds(searched()),
    "adversaries": lambda: finds(worst_adversary()),
    "bets": bets,
    "strict": strict,
    "refuses": refuses,
    "says": says,
    **{"/".join(which): lambda w=which: attains(w, shipped(w)) for which in ANSWERS},
}
WRONG = {  # what is planted -> (the claim with it, the claim without)
    "a search that minimises": (lambda: finds(searched_downwards), RIGHT["search"]),
    "ball adversary with 0.95 of its radius": (
        lambda: attains(("rosdhb", "ball"), short_ball), RIGHT["rosdhb/ball"]),
    "ball adversary with 0.95 of its radius, DM21": (
        lambda: attains(("byz_dm21", "ball"), short_unit_ball), RIGHT["byz_dm21/ball"]),
    "mean_at_most at twice its level": (lambda: bets(too_bold), bets),
    "checker: ≥ for >": (lambda: strict(lenient), strict),
    "checker: shapes are not looked at": (lambda: refuses(unshaped), refuses),
    "checker: constants are not compared": (lambda: says(silent), says),
}  # fmt: skip
