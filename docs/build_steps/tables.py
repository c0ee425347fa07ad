"""Tables of all methods, rules, attacks and compressors, made by asking the code.

No number here is typed: costs are those of `describe`, constants those of `kappa`, ω and α, and
what an attack sees is what it reads when one round of it is traced.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import catalogue
import jax
import jax.numpy as jnp
import optax

import jaxbyz as jb
from build_steps import conventions
from jaxbyz.core import Algorithm, Attack, Compressor, View

D = 1000  # dimension of the examples
RATIO = 0.1  # of the coordinates that sparsifiers keep
K = round(RATIO * D)
N, F = 11, 2  # workers, and Byzantine ones among them
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
# Around an algorithm, or with data at the server: not in a table of methods with one rule.
NOT_ALONE = ("fltrust", "local_steps", "partial_participation")


def pages() -> dict[str, str]:
    """File name -> its text."""
    made = {
        "methods.md": _methods(),
        "rules.md": _rules(),
        "attacks.md": _attacks(),
        "compressors.md": _compressors(),
        "conventions.md": conventions.page(),
    }
    listed = "\n".join(name.removesuffix(".md") for name in made)
    index = (
        "# Tables\n\nWhat the parts cost and what is known of them, side by side. These pages are "
        "written by the code that they describe, when the site is built.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return {"index.md": index, **made}


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    r"""A table; a bar in a cell does not end it.

    >>> print(markdown(["a", "b"], [["|x|", "1"]]))
    | a | b |
    |---|---|
    | \|x\| | 1 |
    """

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, lines)])


def link(text: str, package: str, name: str) -> str:
    """Code that leads to its description."""
    return f"{{py:obj}}`{text} <jaxbyz.{package}.{name}>`"


def number(value: float | None, digits: int = 4) -> str:
    """A number as text.

    >>> number(3200.0), number(2 / 3), number(None), number(1 / 8)
    ('3,200', '0.6667', '–', '0.125')
    """
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.{digits}g}"


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


def _methods() -> str:
    asks, made = {}, {}
    for name in jb.algorithms.__all__:
        if name not in NOT_ALONE:
            asks[name] = needs(name)
            top = "contractive" in asks[name]
            sparse = jb.top_k(k=K) if top else jb.seeded_rand_k(k=K)
            made[name] = made_with(name, sparse)
            if name in ALSO:
                written = ", ".join(f"{key}={value}" for key, value in ALSO[name].items())
                made[f"{name}({written})"] = made_with(name, sparse, **ALSO[name])
    costs = jb.describe_table(made, D).descriptions
    bits, memory = [], []
    for text, its in costs.items():
        name = text.split("(")[0]
        code = link(text, "algorithms", name)
        bits.append(
            [
                code, asks[name], its.message, number(its.uplink_bits), number(its.downlink_bits),
                number(its.start_bits),
            ]
        )  # fmt: skip
        server, each = number(its.server_memory), number(its.server_memory_per_worker)
        memory.append(
            [
                code, number(its.worker_memory),
                f"{server} + {each} n" if its.server_memory_per_worker else server,
                number(its.sampled_gradients), number(its.full_gradients),
            ]
        )  # fmt: skip
    return (
        f"# Methods\n\nOne worker in one round, in dimension d = {D:,}, with k = {K} coordinates "
        "where a sparsifier is used: `top_k` for methods that need a contractive compressor, "
        f"`seeded_rand_k` for the others. Full gradients, or uncompressed rounds, have probability "
        f"{GIVEN['probability']}. Numbers are expectations, computed by `jb.describe_table`.\n\n"
        "Any of them can make local steps (`jb.local_steps`) or ask only some of the workers "
        "(`jb.partial_participation`).\n\n## Messages and bits\n\nThe *hello* is the message of "
        "round 0, before the first step.\n\n"
        + markdown(
            [
                "method",
                "needs of its compressor",
                "message",
                "uplink bits",
                "downlink bits",
                "bits of the hello",
            ],
            bits,
        )  # fmt: skip
        + "\n\n## Memory and gradients\n\nThe unit of memory is a vector of d numbers. The server "
        "has n workers. A *sampled* gradient is on a batch, a *full* one on all local data; both "
        "are counted for one worker in one round.\n\n"
        + markdown(
            [
                "method",
                "memory of a worker",
                "memory of the server",
                "sampled gradients",
                "full gradients",
            ],
            memory,
        )  # fmt: skip
        + "\n"
    )


def call(recipe: Any) -> str:
    """The call that made a part, without arguments that are None.

    >>> call(jb.nnm(f=2, inner=jb.trimmed_mean(f=2)).recipe)
    'nnm(f=2, inner=trimmed_mean(f=2))'
    """
    return _call(recipe.maker, recipe.arguments)


def _call(maker: str, arguments: Any) -> str:
    given = {k: v for k, v in arguments.items() if v is not None and k != "made_by"}
    return f"{maker}({', '.join(f'{k}={_value(v)}' for k, v in given.items())})"


def _value(value: Any) -> str:
    if isinstance(value, dict) and "made_by" in value:
        return _call(value["made_by"], value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return str(value)


def _rules() -> str:
    lines = []
    for entry in catalogue.AGGREGATORS:
        rule = entry.make(F)
        known = jb.aggregators.kappa(rule, N, F)
        lines.append(
            [
                link(call(rule.recipe), "aggregators", rule.recipe.maker),
                number(known.exact), number(known.published), known.source or "–",
                number(jb.aggregators.reach(rule, N, F)),
            ]
        )  # fmt: skip
    lowest = jb.aggregators.kappa(jb.mean(), N, F).lower_bound
    return (
        f"# Rules\n\nWhat is known of the robustness of every rule against f = {F} Byzantine rows "
        f"of n = {N}. A rule F is (f, κ)-robust if ‖F(rows) - mean of S‖² ≤ κ · variance of S for "
        f"every set S of n - f rows. No rule has κ < f/(n-2f), here {number(lowest)}. For rules of "
        "which no κ is known, *reach* bounds the distance of the result from the mean of the "
        "honest rows, in diameters of the honest rows. A dash: nothing is known, or no finite "
        "number exists. The numbers are those of `jb.aggregators.kappa` and "
        "`jb.aggregators.reach`.\n\n"
        + markdown(
            ["rule", "exact κ", "published bound of κ", "source of the bound", "reach"], lines
        )
        + "\n"
    )


SEEN = {
    "honest": "honest messages",
    "own": "what its workers would send",
    "broadcast": "broadcast",
    "server": "state of the server",
    "read": "how the server reads a row",
    "respond": "the server's answer to rows it tries",
    "round": "number of the round",
}


class _Watched:
    """A `View` that notes which of its fields are read; of `honest` the numbers, not the shape."""

    def __init__(self, view: View, seen: set[str]):
        self._view, self._seen = view, seen

    def __getattr__(self, name: str) -> Any:
        if name == "_replace":
            return lambda **changes: _Watched(self._view._replace(**changes), self._seen)
        if name != "honest":
            self._seen.add(name)
        return getattr(self._view, name)


def sees(attack: Attack) -> list[str]:
    """The fields of `View` that an attack reads in a round, found by tracing one.

    >>> sees(jb.ipm())
    ['honest']
    """
    if attack.forge is None:
        return []
    seen: set[str] = set()
    forge: Callable[..., Any] = attack.forge

    def watched(key: Any, state: Any, view: View) -> Any:
        def of_honest(honest: jax.Array) -> Any:
            return forge(key, state, _Watched(view._replace(honest=honest), seen))

        traced = jax.make_jaxpr(of_honest)(view.honest).jaxpr
        if any(traced.invars[0] is read for line in traced.eqns for read in line.invars):
            seen.add("honest")
        return forge(key, state, view)

    problem = jb.problems.quadratics(honest=4, byzantine=2, dimension=6)
    algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(2))
    one = jb.build(algorithm, problem, attack=attack._replace(forge=watched))

    def first_round(key: Any) -> Any:
        state, _ = one.init(key, problem.init(key), one.data)
        return one.step(key, state, one.data)

    jax.eval_shape(first_round, jax.random.key(0))
    return [name for name in SEEN if name in seen]


KINDS = {
    "closed_form": "formula",
    "search": "search",
    "faults": "fault",
    "data": "data",
    "backdoor": "data",
    "combinators": "around attacks",
    "server_rows": "around attacks",
    "certificates": "around attacks",
    "base": "your function",
}


def _attacks() -> str:
    lines = []
    for entry in catalogue.ATTACKS:
        attack = entry.make()
        maker = getattr(jb.attacks, attack.recipe.maker)
        file = inspect.unwrap(maker).__module__.split(".")
        kind = (
            "none"
            if attack.forge is None and not entry.labels
            else next(KINDS[part] for part in file if part in KINDS)
        )
        told = inspect.getdoc(maker).split("\n\n")[0].replace("\n", " ")
        seen = [] if entry.labels else sees(attack)
        lines.append(
            [
                link(attack.recipe.maker, "attacks", attack.recipe.maker), kind, told,
                "; ".join(SEEN[one] for one in seen) or ("its data alone" if entry.labels else "nothing"),
            ]
        )  # fmt: skip
    return (
        "# Attacks\n\nWhat Byzantine workers send, or what data they compute on. The kind says how "
        "an attack finds its rows: by a *formula*, by a *search* over many rows that it tries, as "
        "a *fault*, by changed *data*, or *around* other attacks. The last column is what it reads "
        "of all that is there to be seen (`jaxbyz.core.View`), found by tracing one round.\n\n"
        + markdown(["attack", "kind", "what it does", "what it sees"], lines)
        + "\n"
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


def compressors() -> dict[str, Compressor]:
    """One of each kind, by the names of their constructors."""
    made = [
        jb.identity(), jb.rand_k(ratio=RATIO), jb.seeded_rand_k(ratio=RATIO), jb.bernoulli(RATIO),
        jb.top_k(ratio=RATIO), jb.sign(), jb.scaled_sign(), jb.qsgd(levels=4), jb.ternary(),
        jb.natural(), jb.scaled(jb.rand_k(ratio=RATIO)),
        jb.blockwise((D // 2, D // 2), lambda size: jb.top_k(ratio=RATIO)),
    ]  # fmt: skip
    return {one.recipe.maker: one for one in made}


def _compressors() -> str:
    lines = [
        [
            link("blockwise" if name == "blockwise" else call(one.recipe), "compressors", name),
            "–" if one.omega is None else number(one.omega(D)),
            "–" if one.alpha is None else number(one.alpha(D)),
            number(bits(one)),
        ]
        for name, one in compressors().items()
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
