"""Steps from a point towards rows whose pull is bounded: centred clipping, smoothed Weiszfeld."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.aggregators.approach import Pull, approached, approached_with_care
from jaxbyz.aggregators.from_functions import aggregated, no_state
from jaxbyz.aggregators.rows import Offsets, apply_to_scaled, finite_rows, power_of_two, widened
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Tree


@part
def centered_clipping(tau: float | jax.Array, iterations: int) -> Aggregator:
    """Centred clipping: steps of bounded length towards the rows, from the previous output.

    `iterations` times:  v ← v + (1/n) Σ_i (x_i - v) min(1, τ/‖x_i - v‖);  R = v.
    The state is v [d]: 0 at first, afterwards the previous output (Karimireddy, He, Jaggi, ICML
    2021). There is no good default: published codes take τ = 100 and 1 iteration, τ = 10 and 3,
    or τ/(1-β) with momentum β. τ may be traced.

    Cost O(iterations nd). No κ is known, because nothing is known of a call that starts far from
    the honest rows. Whatever the rows are, a step moves v by at most τ. The rule is translation
    equivariant if v is translated too, and scale equivariant if v and τ are scaled too.

    Raises:
        ValueError: tau not a positive number, iterations < 1 or not an integer.

    >>> rule = centered_clipping(tau=1.0, iterations=1)
    >>> state, rows = rule.init(1), jnp.array([[4.0], [4.0], [-0.5], [4.5]])
    >>> for _ in range(2):
    ...     state, result = rule.apply(None, state, rows)
    ...     print(result.value.item())
    0.625
    1.125
    """
    tau, iterations = _checked(tau, iterations)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        raw = widened(rows)
        value, rejected = approached(raw, state.astype(raw.dtype), _clipped_at(tau), iterations)
        return value.astype(state.dtype), aggregated(rows, value, rejected)

    return Aggregator(jnp.zeros, apply)


@part
def centered_clipping_from(
    pivot: Aggregator, tau: float | jax.Array, iterations: int
) -> Aggregator:
    """Centred clipping that starts from what another rule returns, at every call.

    v = pivot(X);  `iterations` times:  v ← v + (1/n) Σ_i (x_i - v) min(1, τ/‖x_i - v‖);  R = v.
    Key, state and details are those of the pivot rule. τ may be traced.

    Cost O(iterations nd) and the pivot's. No κ is known.

    Raises:
        ValueError: tau not a positive number, iterations < 1 or not an integer.

    >>> from jaxbyz.aggregators import coordinate_median
    >>> rule = centered_clipping_from(coordinate_median(), tau=1.0, iterations=1)
    >>> rule(jnp.array([[3.5], [4.0], [4.5], [90.0], [4.0]])).item()
    4.199999809265137
    """
    tau, iterations = _checked(tau, iterations)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        finite = finite_rows(rows)
        state, start = apply_to_scaled(pivot, key, state, finite)
        begin = start.value.astype(finite.raw.dtype)
        value = approached_with_care(finite, begin, _clipped_at(tau), iterations)
        return state, aggregated(rows, value, finite.rejected | start.rejected, start.details)

    return Aggregator(pivot.init, apply)


@part
def smoothed_weiszfeld(iterations: int, nu: float | jax.Array) -> Aggregator:
    """A few smoothed Weiszfeld steps from 0, known as RFA: not the geometric median.

    z_0 = 0;  T = `iterations` times:  β_i = 1/max(ν, ‖x_i - z‖),  z ← Σ β_i x_i / Σ β_i;  R = z
    (Pillutla, Kakade, Harchaoui, 2022). Published codes take T = 8, ν = 0.1 (Byz-VR-MARINA,
    Byz-DM21), T = 3, ν = 0.1 (byzfl), ν = 1e-6 (others). Where every distance is below ν it is the
    mean. ν may be traced.

    Cost O(T n d). No κ is known. Whatever f of the rows are, a step is at most n/(n-f) max(ν, r)
    long, where r is the largest distance of an honest row from z (derived here). The rule is not
    translation equivariant, and scale equivariant only if ν is scaled too.

    Raises:
        ValueError: nu not a positive number, iterations < 1 or not an integer.

    >>> round(smoothed_weiszfeld(1, 0.1)(jnp.array([[1.0], [2.0], [4.0]])).item(), 4)
    1.7143
    """
    iterations = checks.count("iterations", iterations, minimum=1)
    nu = checks.interval("nu", nu, 0, float("inf"), closed="neither")

    def bound(shrink: jax.Array) -> jax.Array:
        return jnp.maximum((nu * shrink).astype(shrink.dtype), jnp.finfo(shrink.dtype).tiny)

    def factors(found: Offsets, floor: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        unit = power_of_two(floor)
        distance = jnp.maximum(found.distance, floor)  # [n]
        far = found.distance > floor
        first = 1 / jnp.where(far, found.size, unit)
        second = jnp.where(far, 1 / jnp.where(far, found.length, 1), unit / floor)
        least = distance.min()
        total = (least / distance).sum()  # Σ β in the unit of the largest
        # z + Σ β (x - z) / Σ β, which is the mean of weights β.
        return first, second, least / total

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        del key
        raw = widened(rows)
        start = jnp.zeros(raw.shape[1], raw.dtype)
        value, rejected = approached(raw, start, Pull(bound, factors), iterations)
        return state, aggregated(rows, value, rejected)

    return Aggregator(no_state, apply)


def _checked(tau: float | jax.Array, iterations: int) -> tuple[float | jax.Array, int]:
    tau = checks.interval("tau", tau, 0, float("inf"), closed="neither")
    return tau, checks.count("iterations", iterations, minimum=1)


def _clipped_at(tau: float | jax.Array) -> Pull:
    """(x - z) min(1, τ/‖x - z‖), the mean over all rows."""

    def bound(shrink: jax.Array) -> jax.Array:
        return (tau * shrink).astype(shrink.dtype)

    def factors(found: Offsets, limit: jax.Array) -> tuple[jax.Array, jax.Array, float]:
        far = found.distance > limit
        first = jnp.where(far, 1 / found.size, 1)
        second = jnp.where(far, limit / jnp.where(far, found.length, 1), 1)
        return first, second / len(second), 1.0

    return Pull(bound, factors)
