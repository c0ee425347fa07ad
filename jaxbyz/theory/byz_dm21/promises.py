"""What users of the theorems of Byz-DM21 receive, held against the statements; all derived here.

| claim                   | about                                                                |
|-------------------------|----------------------------------------------------------------------|
| T1/promise … T4/promise | `theorem_1` … `theorem_4`: γ, floor, noise, L7 over T rounds    |
| C1/promise … C3/promise | `corollary_1` … `corollary_3`: η, β, γ, B₀, and the order in T       |
| rounds                  | `rounds`, `uplink_bits` and `arguments` of these promises            |
| certify                 | `certify`: the theorem of given parameters                           |

A factory takes the function that the claim is about, so that a wrong one makes a wrong claim.
Statements with powers are held crosswise, η³ (66σ²kT)² = (Λd₀)² for η = (Λd₀/(66σ²kT))^(2/3).
"""

import functools
from collections.abc import Callable
from typing import Any

from jaxbyz.compressors import top_k
from jaxbyz.theory.byz_dm21 import simplified
from jaxbyz.theory.byz_dm21.certification import certify
from jaxbyz.theory.byz_dm21.guarantees import AverageGuarantee, LinearGuarantee
from jaxbyz.theory.byz_dm21.parameters import (
    corollary_1,
    corollary_2,
    corollary_3,
    theorem_1,
    theorem_2,
    theorem_3,
    theorem_4,
)
from jaxbyz.theory.byz_dm21.setting import Setting
from jaxbyz.theory.byz_dm21.weights import momentum_steps, recursive_steps, weights
from jaxbyz.theory.claims import Claim, Provenance, Scope
from jaxbyz.theory.guarantees import Guarantee
from jaxbyz.theory.promises import (
    UNPROVED,
    Pair,
    cases,
    inverted,
    relative_room,
    spread_out,
    stated,
    step_of,
)

derived = functools.partial(
    Claim,
    paper="byz_dm21",
    provenance=Provenance.DERIVED,
    source="derived here: Byz-DM21, what the theorems return",
    scope=Scope.CONSTANTS,
    unconditional="what is returned for arguments inside the hypotheses, which it checks itself",
    unproved=UNPROVED,
    tight_from=None,
)
Maker = Callable[..., AverageGuarantee]
THEOREMS: dict[int, Maker] = {1: theorem_1, 2: theorem_2, 3: theorem_3, 4: theorem_4}
COROLLARIES: dict[int, Maker] = {1: corollary_1, 2: corollary_2, 3: corollary_3}
BOX = {
    "alpha": (0.01, 1.0),
    "kappa": (1e-3, 3.0),
    "honest": (1.0, 100.0),
    "smoothness": (0.1, 10.0),
    "above": (1.0, 10.0),  # L̃/L
    "sample_smoothness": (0.01, 10.0),
    "noise_variance": (0.01, 10.0),
    "heterogeneity": (0.01, 10.0),
    "eta": (1e-3, 0.9),
    "beta": (1e-2, 1.0),
    "theta": (0.1, 3.0),
    "mu": (1e-3, 1.0),  # μ/L
    "gap": (0.1, 1e3),
    "rounds": (10.0, 1e9),
    "growth": (0.01, 0.9),  # (1+θ)²κB²
}


# Where γμ ≤ contraction is what limits γ of Theorem 4: fast in all but η.
SLOW_ETA = {
    **{"alpha": (1.0, 1.0), "kappa": (1e-3, 1e-2), "above": (1.0, 1.01), "mu": (0.9, 1.0)},
    **{"sample_smoothness": (1e-3, 1e-2), "eta": (1e-4, 1e-3), "beta": (1.0, 1.0)},
}


def setting_of(given: dict[str, float], growth: float = 0.0) -> Setting:
    """The constants of a point of the box."""
    names = ("alpha", "kappa", "honest", "smoothness")
    rest = ("sample_smoothness", "noise_variance", "heterogeneity")
    return Setting(
        **{name: given[name] for name in (*names, *rest)},
        mean_square_smoothness=given["smoothness"] * given["above"],
        growth=growth,
    )


def promised(row: int, make: Maker | None = None, count: int = 40) -> Claim:
    """T1 … T4 as users receive them: the bound is what L7 says of T rounds, one after another."""
    function = make or THEOREMS[row]
    steps = recursive_steps if row in (2, 4) else momentum_steps
    linear = row > 2
    batch = 3

    def sides(given: dict[str, float]) -> tuple[Any, Any]:
        theta, eta, beta = given["theta"], given["eta"], given["beta"]
        near = (1 + theta) ** 2 * given["kappa"]
        point = setting_of(given, 0.0 if linear else given["growth"] / near)
        mu = given["mu"] * point.smoothness
        more = {"mu": mu} if linear else {}
        promise = function(point, eta=eta, beta=beta, theta=theta, start_batch=batch, **more)
        found = weights(point, steps(point, eta, beta), theta=theta, spare=0.5 if linear else 0)
        size, gap = promise.step_size, given["gap"]
        spent = 2 * size**2 * found.k_s + size * point.smoothness
        error = point.noise_variance / batch
        begin = gap + size * (found.c + found.c_bar / point.honest) * error
        source = near * point.heterogeneity / 2 + found.noise
        pairs: list[Pair] = [(spent, 1.0)]
        if linear:
            rounds = int(min(1e5, 1 + 2 / (size * mu)))
            # Ψ ← (1-γμ)Ψ + γ source, T times; the bound keeps source/μ whole.
            kept = (1 - size * mu) ** rounds
            bound = kept * begin + source / mu
            pairs += [(size * mu, found.contraction)]
            floor, noise = near * point.heterogeneity / 2 / mu, found.noise / mu
            largest = max(spent, size * mu / found.contraction)
        else:
            rounds = 1000
            # (γ/2)(1-(1+θ)²κB²) Σ ‖∇f‖² ≤ Ψ₀ + Tγ source.
            left = 1 - near * point.growth
            bound = 2 * (begin + rounds * size * source) / (size * rounds * left)
            floor, noise, largest = near * point.heterogeneity / left, 2 * found.noise / left, spent
        equal = [
            (promise.bound(rounds, gap), bound),
            (promise.floor, floor),
            (promise.noise, noise),
            (promise.lowest, floor + noise),
            (promise.theta, theta),
            (largest, 1.0),  # without a step size the largest
        ]
        return stated(pairs, equal)

    kind = LinearGuarantee if linear else AverageGuarantee
    statement = "2γ²K_S + γL ≤ 1, and the bound is L7, " + (
        "T times: (1-γμ)^T Ψ₀ + (½(1+θ)²κζ² + N)/μ; γμ ≤ contraction"
        if linear
        else "summed: [2Ψ₀/(γT) + (1+θ)²κζ² + 2N]/(1-(1+θ)²κB²)"
    )
    return derived(
        name=f"T{row}/promise",
        title=f"what `theorem_{row}` returns",
        statement=statement,
        sides=sides,
        subject=cases(
            (*spread_out(count, row, **BOX), *spread_out(count // 4, row, **{**BOX, **SLOW_ETA}))
        ),
        about=(
            *(function, steps, weights, Guarantee.bound, kind.floor, kind.noise),
            *(AverageGuarantee.theta, AverageGuarantee.lowest),
        ),
    )


def _chosen_eta(number: int, point: Setting, eta: float, rounds: int, gap: float) -> list[float]:
    """η, and powers of it over what they are to be; at the right η the largest is 1."""
    noise, share = point.noise_variance, point.share
    if number == 1:
        pace = 22 * point.smoothness_kappa * gap / rounds
        fast = 300 * point.spread * noise * eta**4 / (pace * point.alpha**2)
        return [eta, (24 * noise * share * eta**2 / pace) ** 0.5, fast**0.25]
    scale = max(17 * point.sample_smoothness_kappa, 9 * point.smoothness_kappa) * gap
    slow = 66 * noise * share * rounds
    if number == 2:
        return [eta, (eta**3 * (slow / scale) ** 2) ** (1 / 3)]
    return [eta, (eta**2 * slow / (2 * scale)) ** 0.5]


def promised_corollary(
    number: int,
    make: Maker | None = None,
    eta_of: Callable[..., Any] | None = None,
    count: int = 40,
) -> Claim:
    """C1 … C3 as users receive them."""
    function = make or COROLLARIES[number]
    closed = eta_of or getattr(simplified, f"corollary_eta_{number}")
    bound = getattr(simplified, f"corollary_bound_{number}")
    order = 2 / 3 if number == 2 else 1 / 2

    def sides(given: dict[str, float]) -> tuple[Any, Any]:
        point, rounds, gap = setting_of(given), round(given["rounds"]), given["gap"]
        promise = function(point, rounds=rounds, gap=gap)
        eta, beta = promise.eta, promise.beta
        step = simplified.step_1(point, eta)
        if number > 1:
            step = simplified.step_2(point, eta, beta)
        quiet = point._replace(heterogeneity=0.0)  # no floor: only what falls with T is left
        late, later = 10**12, 10**15  # where η < 1, and what is of a lower order has passed
        return stated(
            [
                (1.0, promise.start_batch * eta**2 * rounds * (1 + 1e-9)),
                ((promise.start_batch - 1) * eta**2 * rounds, 1.0),
                (promise.bound(rounds, gap), bound(point, rounds, gap)),
                (bound(quiet, later, gap) * 1000**order, bound(quiet, late, gap)),
            ],
            [
                (max(_chosen_eta(number, point, eta, rounds, gap)), 1.0),
                (max(_chosen_eta(number, point, closed(point, rounds, gap), rounds, gap)), 1.0),
                (beta * beta if number == 2 else beta, eta),
                (promise.step_size, step),
                (promise.theta, 1.0),
            ],
        )

    power = "√η" if number == 2 else "η"
    return derived(
        name=f"C{number}/promise",
        title=f"what `corollary_{number}` returns",
        statement=f"the η of the corollary, β = {power}, its γ, B₀ = ⌈1/(η²T)⌉, and a bound of "
        f"order T^-{'(2/3)' if number == 2 else '(1/2)'} that keeps the closed form",
        sides=sides,
        subject=cases(spread_out(count, 10 + number, **BOX)),
        about=(function, closed, bound, simplified.step_1 if number == 1 else simplified.step_2),
    )


def fewest_rounds(
    changed: Callable[[AverageGuarantee], AverageGuarantee] = lambda promise: promise,
    count: int = 6,
) -> Claim:
    """T(ε) is the fewest rounds for which the bound is ≤ ε; `changed` plants errors."""
    dimension, k = 1000, 3

    def sides(given: tuple[int, dict[str, float]]) -> tuple[Any, Any]:
        row, numbers = given
        point, eta, beta = setting_of(numbers), numbers["eta"], numbers["beta"]
        more = {"mu": numbers["mu"] * point.smoothness} if row > 2 else {}
        promise = changed(THEOREMS[row](point, eta=eta, beta=beta, start_batch=2, **more))
        # So far from the lowest that rounds count: half of the way, in T or in (1-γμ)^T.
        usual = int(1 + 1 / (promise.step_size * more.get("mu", 1e-3 / promise.step_size)))
        pairs, rounds = inverted(promise, relative_room(promise, 1e4, usual), 1e4)
        bits = promise.uplink_bits(pairs[0][1], 1e4, top_k(k), dimension)
        algorithm = promise.arguments()
        return stated(
            pairs,
            [
                (bits, rounds * k * (32 + 10) + 32 * dimension),
                (step_of(promise), promise.step_size),
                (algorithm["eta"], eta),
                (algorithm["beta"], beta),
                (algorithm["start_batch"], 2),
            ],
        )

    points = list(spread_out(count, 20, **BOX))
    return derived(
        name="rounds",
        title="numbers of rounds, bits and arguments",
        statement="bound(T) ≤ ε < bound(T-1) for T = rounds(ε); bits = T messages and d b; "
        "arguments are those of the promise",
        sides=sides,
        subject=cases((row, point) for row in THEOREMS for point in points),
        about=(
            *(Guarantee.rounds, Guarantee.bound, AverageGuarantee.uplink_bits),
            *(AverageGuarantee.arguments, AverageGuarantee.lowest),
        ),
    )


def certified(make: Callable[..., AverageGuarantee | None] = certify, count: int = 2) -> Claim:
    """The theorem of given parameters, at a θ that reaches γ and is no worse than θ = 1."""

    def sides(given: tuple[int, dict[str, float]]) -> tuple[Any, Any]:
        row, numbers = given
        point, eta, beta = setting_of(numbers), numbers["eta"], numbers["beta"]
        more = {"mu": numbers["mu"] * point.smoothness} if row > 2 else {}
        recursive = row in (2, 4)
        plain = THEOREMS[row](point, eta=eta, beta=beta, **more)
        size = 0.7 * plain.step_size
        try:
            found = make(point, recursive=recursive, step_size=size, eta=eta, beta=beta, **more)
        except ValueError:  # a θ that does not admit γ
            return stated([(1.0, 0.5)] * 8)
        beyond = make(
            point, recursive=recursive, step_size=2 / point.smoothness, eta=eta, beta=beta, **more
        )
        assert found is not None
        again = THEOREMS[row](point, eta=eta, beta=beta, theta=found.theta, step_size=size, **more)
        return stated(
            [
                # The grid of θ has 400 points over six decades: 1 is on it to 2 %.
                (found.floor + found.noise, 1.04**2 * (plain.floor + plain.noise)),
                (float(beyond is not None), 0.5),
            ],
            [
                (found.step_size, size),
                (found.bound(1000, 1.0), again.bound(1000, 1.0)),
                (float(found.theorem == f"Theorem {row}"), 1.0),
            ],
        )

    # Without noise the least θ that admits γ is the best.
    quiet = {**BOX, "noise_variance": (1e-9, 1e-8)}
    points = [*spread_out(count, 30, **BOX), *spread_out(count, 31, **quiet)]
    return derived(
        name="certify",
        title="what `certify` returns",
        statement="the theorem of this method and setting at this γ, with a θ that admits γ and "
        "floor + noise not above those of θ = 1; nothing for γ > 1/L",
        sides=sides,
        subject=cases((row, point) for row in THEOREMS for point in points),
        about=(make,),
    )


PROMISES = (
    *(promised(row) for row in THEOREMS),
    *(promised_corollary(number) for number in COROLLARIES),
    fewest_rounds(),
    certified(),
)
