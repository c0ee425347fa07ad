"""How other libraries and published codes write the same rules and attacks.

What stands in the first columns was read in those codes; what is written here is evaluated, so that
it exists.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

import jaxbyz as jb
from build_steps.texts import markdown

N, F = 11, 2


class Convention(NamedTuple):
    """One way of writing a part that is not the default here."""

    where: str
    what: str
    here: str  # code, with n, f, jb and jnp


RULES = (
    Convention(
        "Blanchard et al. 2017; AggregaThor; Flower", "Krum with n-f-2 neighbours",
        "jb.aggregators.krum(f, margin=2)",
    ),
    Convention(
        "ByzantineMomentum; krum", "Krum with sums of distances, not squared",
        "jb.aggregators.krum(f, power=1)",
    ),
    Convention(
        "codes of Byz-VR-MARINA and of EPFL-ML", "Krum with squared distances, squared again",
        "jb.aggregators.krum(f, power=4)",
    ),
    Convention(
        "AggregaThor; krum", "Multi-Krum that averages n-f-2 rows",
        "jb.aggregators.multi_krum(f, m=n - f - 2)",
    ),
    Convention(
        "byzpy (PyTorch); ByzantineMomentum; krum; code of RoSDHB",
        "median of an even number of rows: the lower middle value",
        "jb.aggregators.lower_median(f)",
    ),
    Convention(
        "codes of Byz-VR-MARINA and Byz-DM21", "RFA: 8 steps, ν = 0.1",
        "jb.aggregators.smoothed_weiszfeld(8, nu=0.1)",
    ),
    Convention(
        "byzfl", "\"geometric median\": 3 steps of RFA, ν = 0.1",
        "jb.aggregators.smoothed_weiszfeld(3, nu=0.1)",
    ),
    Convention(
        "byzfl", "centered clipping: one step, τ = 100",
        "jb.aggregators.centered_clipping(tau=100.0, iterations=1)",
    ),
    Convention(
        "code of EPFL-ML", "centered clipping: three steps, τ = 10",
        "jb.aggregators.centered_clipping(tau=10.0, iterations=3)",
    ),
)  # fmt: skip
ATTACKS = (
    Convention(
        "codes of Byz-VR-MARINA, Byz-DASHA-PAGE and Byz-DM21", "IPM (FOE): v = -0.1 μ",
        "jb.attacks.ipm(0.1)",
    ),
    Convention("byzfl", "IPM with τ = 2: v = -2 μ", "jb.attacks.ipm(2.0)"),
    Convention(
        "older codes", "\"empire factor\" t: v = μ - t μ, for instance t = 1.1",
        "jb.attacks.ipm(1.1 - 1)",
    ),
    Convention(
        "byzfl", "ALIE: v = μ + 1.5 σ, whatever n and f are",
        "jb.attacks.alie(z=1.5, sign=1)",
    ),
    Convention(
        "codes of EPFL-ML, Byz-VR-MARINA and Byz-DM21",
        "ALIE: v = μ - z σ with the z of n and f; σ divides by h - 1",
        "jb.attacks.alie()",
    ),
    Convention(
        "byzpy; code of RoSDHB", "ALIE whose σ divides by h", "jb.attacks.alie(z=1.5, ddof=0)"
    ),
    Convention(
        "several public codes", "min-sum: below the least sum of squared distances",
        "jb.attacks.min_sum(bound=jnp.min)",
    ),
)  # fmt: skip


def evaluate(one: Convention) -> Any:
    """The part that the code makes, for n = 11 and f = 2."""
    return eval(one.here, {"jb": jb, "jnp": jnp, "n": N, "f": F})


def page() -> str:
    """The page, after every line was evaluated."""

    def table(of: tuple[Convention, ...]) -> str:
        for one in of:
            evaluate(one)
        lines = [[one.where, one.what, f"`{one.here}`"] for one in of]
        return markdown(["where", "what it does", "the same here"], lines)

    return "\n".join(
        [
            "# Conventions of other codes",
            "",
            "One name, several definitions: what a library or the public code of a paper does, and "
            "how to write the same here. n workers, of which f are Byzantine and h = n - f honest; "
            "μ and σ are the mean and the standard deviation of the honest vectors. "
            "[Coming from byzfl](../coming_from_byzfl.md) has the other parts of that library.",
            "",
            "## Rules",
            "",
            table(RULES),
            "",
            "Here a number of rows is always an integer argument. Elsewhere a *fraction* of rows "
            "is trimmed, and rounding may make it one row more.",
            "",
            "## Attacks",
            "",
            table(ATTACKS),
            "",
            "Where an attack acts differs too. Here it chooses what the server reads from the "
            "Byzantine workers, encoded as legal messages of the protocol. Some codes overwrite "
            "the server's rows (its momenta or estimates): that is `jb.attacks.steer`.",
            "",
        ]
    )
