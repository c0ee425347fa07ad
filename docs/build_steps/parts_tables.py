"""What is known of every rule, and the constants and bits of every compressor."""

from __future__ import annotations

import catalogue
import jax
import jax.numpy as jnp

import jaxbyz as jb
from build_steps.methods_table import RATIO, D
from build_steps.texts import call, link, markdown, number
from jaxbyz.core import Compressor

N, F = 11, 2  # rows, and Byzantine ones among them


def rules() -> str:
    """κ and reach of the rules of the tests' catalogue."""
    sources: list[str] = []
    lines = []
    for entry in catalogue.AGGREGATORS:
        rule = entry.make(F)
        known = jb.aggregators.kappa(rule, N, F)
        published = number(known.published)
        if known.source is not None:
            if known.source not in sources:
                sources.append(known.source)
            published += f" [{sources.index(known.source) + 1}]"
        code = link(call(rule.recipe), "aggregators", rule.recipe.maker)
        reach = number(jb.aggregators.reach(rule, N, F))
        lines.append([code, number(known.exact), published, reach])
    lowest = jb.aggregators.kappa(jb.mean(), N, F).lower_bound
    return "\n".join(
        [
            "# Rules",
            "",
            f"What is known of the robustness of every rule against f = {F} Byzantine rows of "
            f"n = {N}. A rule F is (f, κ)-robust if ‖F(rows) - mean of S‖² ≤ κ · variance of S for "
            f"every set S of n - f rows. No rule has κ < f/(n-2f), here {number(lowest)}. *Reach* "
            "bounds the distance of the result from the mean of the honest rows, in diameters of "
            "the honest rows; it is known of some rules of which no κ is. A dash: nothing is "
            "known, or no finite number exists. The numbers are those of `jb.aggregators.kappa` "
            "and `jb.aggregators.reach`.",
            "",
            markdown(["rule", "exact κ", "upper bound of κ", "reach"], lines),
            "",
            "Sources of the upper bounds:",
            "",
            *(f"{i}. {source}" for i, source in enumerate(sources, 1)),
            "",
        ]
    )


def bits(compressor: Compressor) -> float:
    """Bits of a message in dimension D; of random length: the mean over some keys."""
    key, x = jax.random.key(0), jnp.linspace(-1, 1, D)
    length = jax.eval_shape(compressor.compress, key, x).bits
    try:
        return float(length())
    except (AttributeError, TypeError):  # it depends on numbers that a shape does not have
        keys = jax.random.split(key, 64)
        return float(jax.lax.map(lambda key: compressor.compress(key, x).bits(), keys).mean())


def one_of_each() -> dict[str, Compressor]:
    """One of each kind, by the names of their constructors."""
    made = [
        jb.identity(), jb.rand_k(ratio=RATIO), jb.seeded_rand_k(ratio=RATIO), jb.bernoulli(RATIO),
        jb.top_k(ratio=RATIO), jb.sign(), jb.scaled_sign(), jb.qsgd(levels=4), jb.ternary(),
        jb.natural(), jb.scaled(jb.rand_k(ratio=RATIO)),
        jb.blockwise((D // 2, D // 2), lambda size: jb.top_k(ratio=RATIO)),
    ]  # fmt: skip
    return {one.recipe.maker: one for one in made}


def compressors() -> str:
    """ω, α and bits of all compressors."""
    lines = [
        [
            link("blockwise" if name == "blockwise" else call(one.recipe), "compressors", name),
            "–" if one.omega is None else number(one.omega(D)),
            "–" if one.alpha is None else number(one.alpha(D)),
            number(bits(one)),
        ]
        for name, one in one_of_each().items()
    ]
    return (
        f"# Compressors\n\nIn dimension d = {D:,}; {jb.messages.Dense(jnp.zeros(D)).bits():,} bits "
        "are the whole vector. *Unbiased* with ω: E C(x) = x and E‖C(x) - x‖² ≤ ω ‖x‖². "
        "*Contractive* with α: E‖C(x) - x‖² ≤ (1 - α) ‖x‖². A dash: it has no such constant. "
        "`blockwise` applies a compressor to each of several blocks, and `scaled` makes an "
        "unbiased one contractive. RoSDHB has a shared mask of its own (`shared_mask`).\n\n"
        + markdown(["compressor", "ω", "α", "bits of a message"], lines)
        + "\n"
    )
