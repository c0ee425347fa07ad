"""Lemmas L0-L6 of Byz-DM21 and Byz-VR-DM21 as claims; see `weights` for their symbols.

All are derived here. A factory takes the coefficients it states as an argument, so that a wrong
coefficient makes a wrong claim, for tests of the checks.

| lemma | statement                                                                              |
|-------|----------------------------------------------------------------------------------------|
| L0    | ‖F(g) - ḡ‖² ≤ κV,  V = mean ‖g_i - ḡ‖²                                                  |
| L1    | V ≤ (1+θ) ζ² + 3 (1+1/θ)(P + Q + R)                                                     |
| L2    | ½ ‖F(g) - ∇f‖² ≤ ½ (1+θ)² κ ζ² + A_P P + A_Q (Q + R) + A_b (Q̄ + R̄)                      |
| L3    | f(x⁺) ≤ f(x) - (γ/2) ‖∇f‖² - (1/(2γ) - L/2) S + (γ/2) ‖F(g) - ∇f‖²                      |
| L4    | E R⁺ and E R̄⁺, by `Steps`                                                               |
| L5    | E Q⁺ and E Q̄⁺, by `Steps`                                                               |
| L6    | E P⁺, by `Steps`                                                                        |

Proofs. L1: g_i = ∇f_i + [(g_i-u_i) + (u_i-v_i) + (v_i-∇f_i)], centring does not increase a mean
square, Young with θ, Jensen with three terms. L2: Young with θ, L0, L1, and Jensen for ḡ - ∇f. L3:
smoothness and -⟨a,b⟩ = ½(‖a-b‖² - ‖a‖² - ‖b‖²). L4: v⁺ - ∇f_i(x⁺) is (1-η)(v - ∇f_i(x)) plus, with
momentum, (1-η)(∇f_i(x) - ∇f_i(x⁺)), plus noise. L5: u⁺ - v⁺ = (1-β)[(u-v) - (v⁺-v)]. L6: what is
compressed is (u-g) + β[(v-u) + (v⁺-v)], and the noise in it is independent of the rest. L7, their
sum, is in `lyapunov`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz.core import Aggregator
from jaxbyz.theory.adversaries import Adversaries
from jaxbyz.theory.byz_dm21 import hypotheses as given
from jaxbyz.theory.byz_dm21.adversaries import adversaries
from jaxbyz.theory.byz_dm21.states import (
    Errors,
    State,
    dispersion,
    errors,
    move,
    next_errors,
    setting_of,
    squares,
    states,
)
from jaxbyz.theory.byz_dm21.weights import Method, Steps
from jaxbyz.theory.claims import Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.counterexamples import rechecked_by
from jaxbyz.theory.robustness.definitions import finite_rows


def claim_of(
    name: str,
    title: str,
    statement: str,
    sides: Callable[[Any], tuple[Any, Any]],
    hypotheses: tuple[Hypothesis, ...],
    families: tuple[Family, ...] = (),
    against: Adversaries | None = None,
    constants: Mapping[str, float] | None = None,
) -> Claim:
    """A claim; `constants` as the checker of counterexamples wants them, None: it has no such."""
    return Claim(
        paper="byz_dm21",
        name=name,
        title=title,
        statement=statement,
        provenance=Provenance.DERIVED,
        source="derived here, jaxbyz/theory/byz_dm21/lemmas.py",
        scope=Scope.ONE_STEP,
        sides=sides,
        families=families or (states(),),
        hypotheses=hypotheses,
        adversaries=against,
        recheck=None if constants is None else rechecked_by(f"byz_dm21/{name}", constants),
    )


def aggregation(rule: Aggregator, kappa: float, workers: int, byzantine: int) -> Claim:
    """L0 for a shipped rule, of n workers of which f are Byzantine: ‖F(g) - ḡ‖² ≤ κ V.

    The family holds all rows [n, 1]; more dimensions add nothing for coordinate-wise rules.

    >>> from jaxbyz.aggregators import trimmed_mean
    >>> aggregation(trimmed_mean(f=1), 1 / 2, workers=4, byzantine=1).key
    'byz_dm21/L0'
    """

    def sides(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        honest = rows[: workers - byzantine]
        return squares(rule(rows) - honest.mean(axis=0)), kappa * dispersion(honest)

    rows = Family(f"rows of {workers} workers", workers, lambda z: z[:, None])
    finite = (finite_rows(workers - byzantine),)
    return claim_of("L0", "error of the rule", "‖F(g) - ḡ‖² ≤ κ V", sides, finite, (rows,))


def dispersion_bound(three: float = 3.0) -> Claim:
    """L1: V ≤ (1+θ) ζ² + 3 (1+1/θ)(P + Q + R).

    >>> dispersion_bound().key
    'byz_dm21/L1'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        theta, now = state.theta, errors(state)
        scatter = three * (1 + 1 / theta) * (now.p + now.q + now.r)
        return dispersion(state.g), (1 + theta) * state.constants.heterogeneity + scatter

    statement, needs = "V ≤ (1+θ) ζ² + 3 (1+1/θ)(P + Q + R)", (given.THETA, given.SIMILAR)
    return claim_of("L1", "dispersion", statement, sides, needs, constants={"three": three})


def direction(three: float = 3.0) -> Claim:
    """L2: ½ ‖g - ∇f‖² ≤ ½ (1+θ)² κ ζ² + A_P P + A_Q (Q + R) + A_b (Q̄ + R̄).

    The same A as in `weights`, with 3/2 (1+1/θ) = A_b.

    >>> direction().key
    'byz_dm21/L2'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        theta, now = state.theta, errors(state)
        kappa, a_b = (1 + theta) * state.kappa, three / 2 * (1 + 1 / theta)
        wrong = -move(state, jnp.asarray(1.0)) - state.gradients.mean(axis=0)
        right = (1 + theta) * kappa * state.constants.heterogeneity / 2 + a_b * (
            (1 + kappa) * now.p + kappa * (now.q + now.r) + now.q_bar + now.r_bar
        )
        return (wrong**2).sum() / 2, right

    statement = "½ ‖g - ∇f‖² ≤ ½ (1+θ)² κ ζ² + A_P P + A_Q (Q + R) + A_b (Q̄ + R̄)"
    constants, against = {"three": three}, adversaries()
    needs = (given.THETA, given.KAPPA, given.SIMILAR, given.BALL)
    return claim_of(
        "L2",
        "error of the direction",
        statement,
        sides,
        needs,
        against=against,
        constants=constants,
    )


def descent(curvature: float = 1.0) -> Claim:
    """L3, divided by γ. It holds for every γ; here γ = 2 · fraction / L.

    `curvature` multiplies the L of the statement.

    >>> descent().key
    'byz_dm21/L3'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        smooth = state.constants.smoothness
        size = 2 * state.fraction / smooth
        gradient, way = state.gradients.mean(axis=0), -move(state, jnp.asarray(1.0))
        change = decrease(state, -size * way) / size
        kept = (1 - curvature * size * smooth) / 2
        left = change + (gradient**2).sum() / 2 + kept * (way**2).sum()
        return left, ((way - gradient) ** 2).sum() / 2

    statement = "f(x⁺) ≤ f(x) - (γ/2) ‖∇f‖² - (1/(2γ) - L/2) S + (γ/2) ‖g - ∇f‖²"
    needs = (given.POSITIVE_STEP, given.SYMMETRIC, given.L_SMOOTH)
    constants, against = {"curvature": curvature}, adversaries()
    return claim_of("L3", "descent", statement, sides, needs, against=against, constants=constants)


def decrease(state: State, step: jax.Array) -> jax.Array:
    """f(x + step) - f(x), without the cancellation of two values."""
    mean = state.hessians.mean(axis=0)
    return step @ state.gradients.mean(axis=0) + step @ mean @ step / 2


def _one_step(
    state: State, method: Method, top: bool = False
) -> tuple[Errors, Errors, jax.Array, jax.Array, Steps]:
    """(errors, E errors⁺, S, σ², coefficients) for x⁺ = x - (ḡ + e): L4-L6 hold for any x⁺."""
    step = given.unit_step(state)
    point = setting_of(state)
    after = next_errors(state, step, method.recursive, top)
    coefficients = method.coefficients(point, state.eta, state.beta)
    return errors(state), after, (step**2).sum(), point.noise_variance, coefficients


def first_momentum(method: Method) -> Claim:
    """L4: E R⁺ ≤ r_r R + r_s S + r_n σ², and the same for R̄; coefficients of `Steps`.

    >>> from jaxbyz.theory.byz_dm21.weights import RECURSIVE
    >>> first_momentum(RECURSIVE).key
    'byz_dm21/L4-VR'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        now, after, moved, noise, c = _one_step(state, method)
        each = c.r_r * now.r + c.r_s * moved + c.r_n * noise
        mean = c.rb_rb * now.r_bar + c.rb_s * moved + c.rb_n * noise
        return jnp.stack([after.r, after.r_bar]), jnp.stack([each, mean])

    statement = "E R⁺ ≤ r_r R + r_s S + r_n σ²,  E R̄⁺ ≤ r̄_r̄ R̄ + r̄_s S + r̄_n σ²"
    name, constants = f"L4-{method.name}", dict(method.factors)
    needs = given.first(method.recursive)
    return claim_of(name, "first momentum", statement, sides, needs, constants=constants)


def second_momentum(method: Method) -> Claim:
    """L5: E Q⁺ ≤ q_q Q + q_r R + q_s S + q_n σ², and the same for Q̄; coefficients of `Steps`.

    >>> from jaxbyz.theory.byz_dm21.weights import MOMENTUM
    >>> second_momentum(MOMENTUM).key
    'byz_dm21/L5-DM'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        now, after, moved, noise, c = _one_step(state, method)
        each = c.q_q * now.q + c.q_r * now.r + c.q_s * moved + c.q_n * noise
        mean = c.qb_qb * now.q_bar + c.qb_rb * now.r_bar + c.qb_s * moved + c.qb_n * noise
        # Both sides vanish at β = 1.
        scale = 1 / (1 - state.beta) ** 2
        return jnp.stack([after.q, after.q_bar]) * scale, jnp.stack([each, mean]) * scale

    statement = "E Q⁺ ≤ q_q Q + q_r R + q_s S + q_n σ²,  E Q̄⁺ ≤ q̄_q̄ Q̄ + q̄_r̄ R̄ + …"
    name, constants = f"L5-{method.name}", dict(method.factors)
    needs = given.second(method.recursive)
    return claim_of(name, "second momentum", statement, sides, needs, constants=constants)


def compression(method: Method, top: bool = False) -> Claim:
    """L6: E P⁺ ≤ p_p P + p_q Q + p_r R + p_s S + p_n σ²; coefficients of `Steps`.

    Rand-k without rescaling, any α; with `top` Top-1 of two coordinates.

    >>> from jaxbyz.theory.byz_dm21.weights import MOMENTUM
    >>> compression(MOMENTUM, top=True).key
    'byz_dm21/L6-DM-top'
    """

    def sides(state: State) -> tuple[jax.Array, jax.Array]:
        now, after, moved, noise, c = _one_step(state, method, top)
        right = c.p_p * now.p + c.p_q * now.q + c.p_r * now.r + c.p_s * moved + c.p_n * noise
        # Both sides vanish at α = 1.
        scale = 1 / (1 - state.alpha)
        return after.p * scale, right * scale

    family = states(alpha=0.5) if top else states()
    statement = "E P⁺ ≤ p_p P + p_q Q + p_r R + p_s S + p_n σ²"
    name = f"L6-{method.name}" + ("-top" if top else "")
    constants, needs = dict(method.factors), given.compressed(method.recursive, top)
    return claim_of(name, "compression", statement, sides, needs, (family,), constants=constants)
