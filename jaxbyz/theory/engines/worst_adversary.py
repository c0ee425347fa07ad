"""One-step inequalities against adversaries: the worst error of a rule, found globally.

An adversary is what it can make of an instance (`Reach`): another instance, and a set of errors
centre + spanᵀ t with ‖t‖ ≤ 1. The worst of these errors solves a trust-region problem in t.

Every adversary starts from random instances, and from the worst instances of a search without it in
which the error is free. In both cases gradient ascent over the instance goes on, with the
adversary's best error at every step. Derived here.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.storage.programs import compiled_once
from jaxbyz.theory.adversaries import Adversaries, Adversary, Reach, fixed
from jaxbyz.theory.claims import Budget, Claim, Family
from jaxbyz.theory.engines.judge import judge, largest_ratio
from jaxbyz.theory.engines.search import Engine, ascend_with, starts_of
from jaxbyz.theory.engines.trust_region import ball_error
from jaxbyz.theory.reports import Report

GAP = 1e-9  # of the trust-region problem, beside the size of its terms


def _chosen(reaches: list[Reach], which: jax.Array) -> Reach:
    """One of several, by a traced index."""
    most = max(reach.span.shape[0] for reach in reaches)
    same = [
        reach._replace(span=jnp.pad(reach.span, ((0, most - reach.span.shape[0]), (0, 0))))
        for reach in reaches
    ]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves)[which], *same)


def _answer(claim: Claim, known: Adversaries, reach: Reach) -> tuple[Any, jax.Array]:
    """The instance with the worst error of this reach, and the duality gap."""
    # The best t is held fixed for gradients (envelope theorem): only what it multiplies moves.
    still = jax.lax.stop_gradient(reach)

    def excess(t: jax.Array) -> jax.Array:
        left, right = claim.sides(known.replace(still.instance, still.centre + t @ still.span))
        return jnp.asarray(left - right)

    worst = ball_error(excess, still.span.shape[0], jnp.ones(()))
    return known.replace(reach.instance, reach.centre + worst.point @ reach.span), worst.gap


def _ascent(
    claim: Claim, known: Adversaries, opponents: tuple[Adversary, ...], family: Family, steps: int
) -> Callable[..., Any]:
    """(which, starts) -> points, values, the best instance and its gap, of each opponent."""

    def one(which: jax.Array, starts: jax.Array) -> tuple[jax.Array, ...]:
        def value(z: jax.Array) -> tuple[jax.Array, tuple[Any, jax.Array]]:
            instance = family.make(z)
            reach = _chosen([opponent(instance) for opponent in opponents], which)
            instance, gap = _answer(claim, known, reach)
            return largest_ratio(claim, instance), (instance, gap)

        points, values, (instances, gaps) = ascend_with(value, starts, steps)
        top = jnp.argmax(jnp.where(jnp.isnan(values), -jnp.inf, values))
        instance = jax.tree.map(lambda leaf: leaf[top], instances)
        return points, values, instance, jnp.abs(gaps[top])

    return compiled_once(jax.vmap(one), lift=False)


def worst_adversary(
    adversaries: Mapping[str, Adversary] | None = None,
    replace: Callable[[Any, jax.Array], Any] | None = None,
    error: Callable[[Any], jax.Array] | None = None,
    *,
    tolerance: float | None = None,
    tight: float | None = None,
) -> Engine:
    """All adversaries of a claim; the evidence names the worst and what each one reached.

    What the search finds on its own, with the error as free numbers, counts too: a claim with
    adversaries needs no `searched` beside it. The evidence names the largest duality gap of the
    trust-region problems at the ends as well.

    Args:
        adversaries: by name; None: those of the claim.
        replace: (instance, e [d]) -> the instance with this error; None: that of the claim.
        error: instance -> the error that it has; None: that of the claim.
        tolerance: of a violation; None: that of the claim.
        tight: from which left/right on the bound counts as attained; None: `claim.tight_from`.

    Raises:
        ValueError: when the engine meets a claim without adversaries, and none are given.
    """

    def known_to(claim: Claim) -> Adversaries:
        if adversaries is not None and replace is not None and error is not None:
            return Adversaries(adversaries, replace, error)
        if claim.adversaries is None:
            raise ValueError(f"claim must have adversaries, got {claim.key} without")
        return claim.adversaries

    def engine(claim: Claim, budget: Budget) -> Report:
        known = known_to(claim)
        opponents: tuple[Adversary, ...] = (
            lambda instance: fixed(instance, known.error(instance)),  # the search without adversary
            *known.by_name.values(),
        )
        reached = dict.fromkeys(known.by_name, -np.inf)

        def find() -> tuple[float, Any, str]:
            top, where, gap, alone = -np.inf, None, 0.0, -np.inf
            steps = max(1, budget.steps // 2)
            for family in claim.families:
                run = _ascent(claim, known, opponents, family, steps)
                which = jnp.arange(len(opponents))
                starts = starts_of(budget, family)
                points = jnp.broadcast_to(starts, (len(opponents), *starts.shape))
                for _ in range(2):  # from random states, then from those that the search found
                    points, values, instances, gaps = run(which, points)
                    best = np.nanmax(np.where(np.isnan(values), -np.inf, values), axis=1)
                    gap = max(gap, float(gaps[1:].max()))
                    for i, name in enumerate(known.by_name, start=1):
                        reached[name] = max(reached[name], float(best[i]))
                    alone = max(alone, float(best[0]))
                    i = int(np.argmax(best))
                    if where is None or best[i] > top:
                        top = float(best[i])
                        where = jax.tree.map(lambda leaf, i=i: leaf[i], instances)
                    points = jnp.broadcast_to(points[0], points.shape)
            if not gap <= GAP:
                return float("nan"), where, f"duality gap {gap:.1e} too large"
            order = sorted(reached, key=lambda name: -reached[name])
            said = ", ".join(f"{name} {reached[name]:.6g}" for name in order)
            done = (
                f"{said}, search alone {alone:.6g}; {budget.starts} random states and as many "
                f"found ones a family, {steps} steps from each, duality gap {gap:.1e}"
            )
            return top, where, done

        from_here = claim.tight_from if tight is None else tight
        report = judge(claim, "adversaries", find, tolerance=tolerance, tight=from_here)
        name = max(reached, key=lambda name: reached[name])
        return dataclasses.replace(report, adversary=name)

    return engine
