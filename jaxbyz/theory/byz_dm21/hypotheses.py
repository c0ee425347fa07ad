"""Hypotheses of the lemmas of Byz-DM21 and Byz-VR-DM21, each with its margin.

They are of three kinds: a constant that the state carries (A1-A5 and PL of `setting`) is at least
the exact one; a parameter is in its range; the arrays are a state at all, for instance Hessians are
symmetric. Margins are relative. Which lemma needs which is read off its proof, derived here:

| lemma | needs                                                                                  |
|-------|----------------------------------------------------------------------------------------|
| L0    | finite honest rows; the rule's κ is what is claimed                                    |
| L1    | θ > 0, ζ²                                                                              |
| L2    | θ > 0, κ ≥ 0, ζ², error in the ball (A5)                                               |
| L3    | γ > 0, f is L-smooth. Any direction: its error stands on the right                     |
| L4    | 0 < η ≤ 1, unbiased samples, σ²; with momentum L, L̃; recursive ℓ                       |
| L5    | those of L4, L, L̃, 0 < β ≤ 1                                                           |
| L6    | those of L5, 0 < α ≤ 1 and the contraction α of the compressor                         |
| L7    | all of these, and γ at most the largest; under PL also μ, and γμ ≤ the contraction     |
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxbyz.theory.byz_dm21.states import State, exact_constants, move
from jaxbyz.theory.claims import Hypothesis
from jaxbyz.theory.conditions import at_most, in_unit_interval, positive, vanishes

UNIT_STEP = 1.0  # x⁺ = x - (ḡ + e), where L4-L6 take σ²
Move = Callable[[State], jax.Array]  # x⁺ - x


def _at_rest(state: State) -> jax.Array:
    return jnp.zeros(state.g.shape[1])


def _bounds(name: str) -> Callable[[State], jax.Array]:
    """The stated constant is at least the exact one; for those that do not depend on x⁺."""

    def margin(state: State) -> jax.Array:
        exact = exact_constants(state, _at_rest(state))
        return at_most(getattr(exact, name), getattr(state.constants, name))

    return margin


def _smooth(state: State) -> jax.Array:
    room = _bounds("smoothness")(state)
    return jnp.minimum(room, positive(state.constants.smoothness))


def noise(step: Move) -> Hypothesis:
    """A2: the variance of the samples at x + step is at most the stated σ²."""

    def margin(state: State) -> jax.Array:
        exact = exact_constants(state, step(state)).noise_variance
        return at_most(exact, state.constants.noise_variance)

    return Hypothesis("noise variance ≤ σ²", margin)


def _unbiased(state: State) -> jax.Array:
    """z_ij and Z_ij have mean zero over j."""
    parts = (state.noise, state.noise_slopes)
    return jnp.stack([vanishes(part.mean(axis=1), part) for part in parts])


def _convex(state: State) -> jax.Array:
    """f is strongly convex with the stated μ > 0, which is PL and more."""
    mu, exact = state.constants.mu, exact_constants(state, _at_rest(state)).mu
    return jnp.minimum(positive(mu), at_most(mu, exact))


UNIT_ETA = Hypothesis("0 < η ≤ 1", lambda state: in_unit_interval(state.eta))
UNIT_BETA = Hypothesis("0 < β ≤ 1", lambda state: in_unit_interval(state.beta))
UNIT_ALPHA = Hypothesis("0 < α ≤ 1", lambda state: in_unit_interval(state.alpha))
THETA = Hypothesis("θ > 0", lambda state: positive(state.theta))
KAPPA = Hypothesis("κ ≥ 0", lambda state: state.kappa)
POSITIVE_STEP = Hypothesis("γ > 0", lambda state: positive(state.fraction))
SIMILAR = Hypothesis("heterogeneity ≤ ζ²", _bounds("heterogeneity"))
BALL = Hypothesis("error in the ball", lambda state: at_most((state.error**2).sum(), 1.0))
SYMMETRIC = Hypothesis(
    "Hessians are symmetric",
    lambda state: vanishes(state.hessians - state.hessians.transpose(0, 2, 1), state.hessians),
)
UNBIASED = Hypothesis("samples are unbiased", _unbiased)
L_SMOOTH = Hypothesis("f is L-smooth, L > 0", _smooth)
MEAN_SQUARE = Hypothesis("gradients are L̃-smooth in mean square", _bounds("mean_square_smoothness"))
SAMPLE = Hypothesis("noise is ℓ-smooth in mean square", _bounds("sample_smoothness"))
TOP = Hypothesis("α ≤ 1/d, Top-1", lambda state: at_most(state.alpha, 1 / state.g.shape[1]))
CONVEX = Hypothesis("f is strongly convex: PL with μ", _convex)


def unit_step(state: State) -> jax.Array:
    """x⁺ - x of L4-L6."""
    return move(state, jnp.asarray(UNIT_STEP))


def first(recursive: bool, step: Move = unit_step) -> tuple[Hypothesis, ...]:
    """Of L4."""
    smooth = (SAMPLE,) if recursive else (L_SMOOTH, MEAN_SQUARE)
    return (UNIT_ETA, SYMMETRIC, UNBIASED, *smooth, noise(step))


def second(recursive: bool, step: Move = unit_step) -> tuple[Hypothesis, ...]:
    """Of L5."""
    smooth = (L_SMOOTH, MEAN_SQUARE) if recursive else ()
    return (*first(recursive, step), *smooth, UNIT_BETA)


def compressed(
    recursive: bool, top: bool = False, step: Move = unit_step
) -> tuple[Hypothesis, ...]:
    """Of L6; Rand-k without rescaling has its α by definition, Top-1 has α = 1/d."""
    return (*second(recursive, step), UNIT_ALPHA, *((TOP,) if top else ()))
