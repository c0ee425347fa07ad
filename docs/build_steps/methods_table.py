"""What every method costs and requires, by `jb.describe_table`."""

from __future__ import annotations

import inspect
from typing import Any

import optax

import jaxbyz as jb
from build_steps.texts import link, markdown, number
from jaxbyz.core import Algorithm, Compressor

D = 1000  # dimension of the examples
RATIO = 0.1  # of the coordinates that sparsifiers keep
K = round(RATIO * D)
F = 2  # Byzantine workers that the rule is made for; it decides no cost here
# Arguments of constructors that have no default; a constructor takes those it knows.
GIVEN: dict[str, Any] = {
    "optimizer": optax.sgd(0.1),
    "ratio": RATIO,
    "eta": 0.1,
    "probability": 0.1,
    "samples": 100,
}
# A method that is another one with more arguments.
ALSO: dict[str, dict[str, Any]] = {"robust_sgd": {"one_minus_momentum": 0.1}}
# Without them the method does not exist.
MOMENTA = {name: {"one_minus_momentum": 0.1} for name in ("rosdhb", "rosdhb_local")}
# Around an algorithm, with data at the server, or pieces of an own algorithm: not in a table of
# methods with one rule.
NOT_ALONE = (
    "compressed_codec", "direct_server", "fltrust", "local_steps", "partial_participation"
)  # fmt: skip
BITS = (
    "method", "needs of its compressor", "message", "uplink bits", "downlink bits", "hello bits"
)  # fmt: skip
MEMORY = ("method", "worker's memory", "server's memory", "sampled gradients", "full gradients")


def made_with(name: str, compressor: Compressor, **more: Any) -> Algorithm:
    """An algorithm with the arguments above, those that it takes."""
    constructor = getattr(jb.algorithms, name)
    given = {**GIVEN, "compressor": compressor, "aggregator": jb.trimmed_mean(F)}
    given |= {**MOMENTA.get(name, {}), **more}
    signature = inspect.signature(constructor)
    if any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        # A method without Byzantine workers: the arguments of the other, without the rule.
        robust = "byz_dm21" if name == "ef21_sgd2m" else f"byz_{name}"
        signature = inspect.signature(getattr(jb.algorithms, robust))
        del given["aggregator"]
    return constructor(**{key: given[key] for key in signature.parameters if key in given})


def needs(name: str) -> str:
    """What a method requires of its compressor: found by giving it compressors that lack it."""
    if "compressor" not in inspect.signature(getattr(jb.algorithms, name)).parameters and (
        not name.startswith("ef21")
    ):
        return "none: it has a mask of its own" if name == "rosdhb" else "none: dense"
    taken = {}
    for kind, one in {"unbiased (ω)": jb.rand_k(k=K), "contractive (α)": jb.top_k(k=K)}.items():
        try:
            taken[kind] = bool(made_with(name, one))
        except ValueError:
            taken[kind] = False
    return " or ".join(kind for kind, fits in taken.items() if fits)


def methods() -> dict[str, Algorithm]:
    """One of each: the call without what all have in common -> the algorithm."""
    made = {}
    for name in jb.algorithms.__all__:
        if name in NOT_ALONE:
            continue
        top = "contractive" in needs(name)
        sparse = jb.top_k(k=K) if top else jb.seeded_rand_k(k=K)
        made[name] = made_with(name, sparse)
        if name in ALSO:
            written = ", ".join(f"{key}={value}" for key, value in ALSO[name].items())
            made[f"{name}({written})"] = made_with(name, sparse, **ALSO[name])
    return made


def page() -> str:
    """Messages and bits; memory and gradients."""
    bits, memory = [], []
    for text, its in jb.describe_table(methods(), D).descriptions.items():
        name = text.split("(")[0]
        code = link(text, "algorithms", name)
        lengths = map(number, (its.uplink_bits, its.downlink_bits, its.start_bits))
        bits.append([code, needs(name), its.message, *lengths])
        server, each = number(its.server_memory), number(its.server_memory_per_worker)
        kept = f"{server} + {each} n" if its.server_memory_per_worker else server
        gradients = map(number, (its.sampled_gradients, its.full_gradients))
        memory.append([code, number(its.worker_memory), kept, *gradients])
    return "\n".join(
        [
            "# Methods",
            "",
            f"One worker in one round, in dimension d = {D:,}, with k = {K} coordinates where a "
            "sparsifier is used: `top_k` for methods that need a contractive compressor, "
            "`seeded_rand_k` for the others. Full gradients, or uncompressed rounds, have "
            f"probability {GIVEN['probability']}; BROADCAST stores a gradient of each of "
            f"{GIVEN['samples']} samples. Numbers are expectations, computed by "
            "`jb.describe_table`.",
            "",
            "Any of them can make local steps (`jb.local_steps`) or ask only some of the workers "
            "(`jb.partial_participation`).",
            "",
            "## Messages and bits",
            "",
            "The *hello* is the message of round 0, before the first step.",
            "",
            markdown(BITS, bits),
            "",
            "## Memory and gradients",
            "",
            "The unit of memory is a vector of d numbers. The server has n workers. A *sampled* "
            "gradient is on a batch, a *full* one on all local data; both are counted for one "
            "worker in one round.",
            "",
            markdown(MEMORY, memory),
            "",
        ]
    )
