"""What every attack does, and what it reads of all that is there to be seen."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import catalogue
import jax
import optax

import jaxbyz as jb
from build_steps.texts import link, markdown
from jaxbyz.core import Attack, View

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


def page() -> str:
    """All of them."""
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
        nothing = "its data alone" if entry.labels else "nothing"
        seen = nothing if entry.labels else "; ".join(SEEN[one] for one in sees(attack)) or nothing
        lines.append([link(attack.recipe.maker, "attacks", attack.recipe.maker), kind, told, seen])
    return (
        "# Attacks\n\nWhat Byzantine workers send, or what data they compute on. The kind says how "
        "an attack finds its rows: by a *formula*, by a *search* over many rows that it tries, as "
        "a *fault*, by changed *data*, or *around* other attacks. The last column is what it reads "
        "of all that is there to be seen (`jaxbyz.core.View`), found by tracing one round.\n\n"
        + markdown(["attack", "kind", "what it does", "what it sees"], lines)
        + "\n"
    )
