"""L5 of RoSDHB as claims: the error of a rule, for linear ones and for the trimmed mean.

Here adversaries choose rows or weights, not an error: that every error of the ball is allowed is
what L5 says.
"""

import jax
import jax.numpy as jnp

from jaxbyz.aggregators import trimmed_mean
from jaxbyz.theory.adversaries import Adversaries, Adversary, Reach, balanced, fixed
from jaxbyz.theory.claims import Claim, Family, Hypothesis
from jaxbyz.theory.conditions import vanishes
from jaxbyz.theory.robustness.definitions import finite_rows
from jaxbyz.theory.rosdhb.states import derived, mean_square


def _of_rows(adversaries: dict[str, Adversary]) -> Adversaries:
    return Adversaries(adversaries, lambda instance, e: instance, lambda instance: jnp.zeros(1))


def aggregation_linear(workers: int = 4, dimension: int = 2, *, power: float = 1.0) -> Claim:
    """L5 for linear rules, whose κ is exact. `power` multiplies κ."""
    h, d = workers, dimension

    def make(z: jax.Array) -> tuple[jax.Array, jax.Array]:
        tilt = z[:h] - z[:h].mean()
        return 1 / h + tilt, z[h:].reshape(h, d)

    def sides(instance: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        weights, momenta = instance
        kappa = h * ((weights - 1 / h) ** 2).sum()
        mean = momenta.mean(axis=0)
        error = ((weights @ momenta - mean) ** 2).sum()
        return error, power * kappa * mean_square(momenta - mean)

    def heaviest(instance: tuple[jax.Array, jax.Array]) -> Reach:
        """The worst linear rule of its κ for these momenta: along the top of their Gram matrix."""
        weights, momenta = instance
        size = jnp.sqrt(((weights - 1 / h) ** 2).sum())
        centred = momenta - momenta.mean(axis=0)
        top = jnp.linalg.eigh(centred @ centred.T)[1][:, -1]
        return fixed((1 / h + size * (top - top.mean()), momenta), jnp.zeros(1))

    def stalled(instance: tuple[jax.Array, jax.Array]) -> Reach:
        """Momenta c_i u and weights (1-√κ c_i)/h: the mean is u's place, and the rule misses it."""
        weights, momenta = instance
        root = jnp.sqrt(h * ((weights - 1 / h) ** 2).sum())
        c, u = balanced(h), momenta.mean(axis=0)
        return fixed(((1 - root * c) / h, u + c[:, None] * u / root), jnp.zeros(1))

    def whole(instance: tuple[jax.Array, jax.Array]) -> jax.Array:
        return vanishes(instance[0].sum() - 1, jnp.abs(instance[0]).sum())

    return derived(
        name="L5/linear",
        title="aggregation error of a linear rule",
        statement="R = Σ w_i m_i with Σ w_i = 1: ‖R - m̄‖² ≤ κΥ with κ = h Σ (w_i - 1/h)²",
        sides=sides,
        families=(Family("weights and momenta", h + h * d, make),),
        hypotheses=(Hypothesis("Σ w_i = 1", whole),),
        adversaries=_of_rows({"linear": heaviest, "stall": stalled}),
    )


def aggregation_trimmed(honest: int = 4, byzantine: int = 1, *, power: float = 1.0) -> Claim:
    """L5 for the shipped trimmed mean with its exact κ = f/(n-2f). `power` multiplies κ."""
    rule = trimmed_mean(byzantine)
    kappa = byzantine / (honest - byzantine)
    n, d = honest + byzantine, 2

    def sides(rows: jax.Array) -> tuple[jax.Array, jax.Array]:
        _, aggregated = rule.apply(jax.random.key(0), rule.init(d), rows)
        mean = rows[:honest].mean(axis=0)
        error = ((aggregated.value - mean) ** 2).sum()
        return error, power * kappa * mean_square(rows[:honest] - mean)

    def linear(rows: jax.Array) -> Reach:
        """Byzantine rows far out on the way from the mean to the first honest row."""
        mean = rows[:honest].mean(axis=0)
        return fixed(rows.at[honest:].set(mean + 100 * (rows[0] - mean)), jnp.zeros(1))

    def stalled(rows: jax.Array) -> Reach:
        """f honest rows at -(h-f)/f, the others at 1, Byzantine ones above: the rule says 1, not 0.

        In units of the first row; every coordinate on its own, where 0 would be no population.
        """
        column = jnp.full(n, 1.0).at[:byzantine].set(-(honest - byzantine) / byzantine)
        column = column.at[honest:].set(100.0)
        return fixed(column[:, None] * (1 + jnp.abs(rows[0])), jnp.zeros(1))

    return derived(
        name="L5/trimmed",
        title="aggregation error of the trimmed mean",
        statement="‖F(m_1..m_n) - m̄‖² ≤ κΥ with κ = f/(n-2f), any f rows being Byzantine",
        sides=sides,
        families=(Family(f"rows, n = {n}", n * d, lambda z: z.reshape(n, d)),),
        hypotheses=(finite_rows(honest),),
        adversaries=_of_rows({"linear": linear, "stall": stalled}),
    )
