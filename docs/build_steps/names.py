"""The public names of jaxbyz, in groups: one page of the reference is one group.

A name is public if its module lists it in `__all__`, or, in a module without that list, if it is
defined there without an underscore. What several modules list is described once, on the page of
the first group here that has it; the others link to it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# page -> its title and modules. The order is that of the site's list.
GROUPS = {
    "running": ("Running and comparing", ["jaxbyz"]),
    "algorithms": ("Algorithms", ["jaxbyz.algorithms"]),
    "aggregators": ("Aggregators", ["jaxbyz.aggregators"]),
    "attacks": ("Attacks", ["jaxbyz.attacks"]),
    "compressors": ("Compressors", ["jaxbyz.compressors"]),
    "problems": (
        "Problems", ["jaxbyz.problems", "jaxbyz.problems.models", "jaxbyz.problems.resnets"]
    ),
    "data": ("Data", ["jaxbyz.data"]),
    "callbacks": ("Callbacks", ["jaxbyz.callbacks"]),
    "comparison": ("Results of comparisons", ["jaxbyz.comparison"]),
    "testing": ("Checks of your own parts", ["jaxbyz.testing"]),
    "messages": ("Messages", ["jaxbyz.messages"]),
    "core": ("The types", ["jaxbyz.core"]),
    "simulation": ("Simulation", ["jaxbyz.simulation"]),
    "theory": (
        "Theory: claims and what checks them",
        [
            "jaxbyz.theory", "jaxbyz.theory.audit", "jaxbyz.theory.engines",
            "jaxbyz.theory.robustness", "jaxbyz.theory.expectations", "jaxbyz.theory.runs",
        ],
    ),
    "theory_rosdhb": ("Theory of RoSDHB", ["jaxbyz.theory.rosdhb"]),
    "theory_byz_dm21": ("Theory of Byz-DM21", ["jaxbyz.theory.byz_dm21"]),
    "theory_proofs": (
        "Proofs and their checker", ["jaxbyz.theory.proofs", "jaxbyz.theory.checker"]
    ),
}  # fmt: skip
# Parts that `jaxbyz` lists again, for short.
PARTS = ("jaxbyz.algorithms", "jaxbyz.aggregators", "jaxbyz.attacks", "jaxbyz.compressors")


class Public(NamedTuple):
    """A name that users may write."""

    module: str
    name: str
    page: str  # on which it is described
    home: str  # module.name under which it is described

    @property
    def full(self) -> str:
        """For instance "jaxbyz.train"."""
        return f"{self.module}.{self.name}"

    @property
    def value(self) -> Any:
        """The object itself."""
        return getattr(importlib.import_module(self.module), self.name)


def listed(module: types.ModuleType) -> list[str]:
    """Names that a module offers.

    >>> import jaxbyz.core
    >>> listed(jaxbyz.core)[:2]
    ['Recipe', 'Oracle']
    """
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or is_function(value))
        and value.__module__ == module.__name__
    ]


def is_function(value: Any) -> bool:
    """Whether it is a function, perhaps a decorated one, as by `jax.jit`."""
    return (
        not inspect.isclass(value)
        and callable(value)
        and (inspect.isfunction(inspect.unwrap(value)))
    )


@functools.cache
def public() -> dict[str, Public]:
    """Full name -> where it is described; modules are described by their pages."""
    homes: dict[int, Public] = {}
    found: dict[str, Public] = {}
    order = [(page, module) for page, (_, modules) in GROUPS.items() for module in modules]
    order.sort(key=lambda one: one[1] not in PARTS)  # parts are described as parts
    for page, module in order:
        loaded = importlib.import_module(module)
        for name in listed(loaded):
            value = getattr(loaded, name)
            here = Public(module, name, page, f"{module}.{name}")
            if inspect.ismodule(value):
                of = next((p for p, (_, mods) in GROUPS.items() if value.__name__ in mods), page)
                here = here._replace(page=of, home=f"module-{value.__name__}")
            elif inspect.isclass(value) or is_function(value):
                first = homes.setdefault(id(value), here)
                here = here._replace(page=first.page, home=first.home)
            found[here.full] = here
    return found


def of_page(page: str) -> Iterator[tuple[str, list[Public]]]:
    """The modules of a page, each with its names in their order."""
    for module in GROUPS[page][1]:
        names = listed(importlib.import_module(module))
        yield module, [public()[f"{module}.{name}"] for name in names]


@functools.cache
def by_text() -> Callable[[str], Public | None]:
    """What a piece of code in a text means: "jb.train", "train(...)"; None where it is no name.

    A bare name is understood if it is long, means one thing, and is no argument of anything.
    """
    arguments = set()
    bare: dict[str, set[str]] = {}
    for one in public().values():
        bare.setdefault(one.name, set()).add(one.home)
        if callable(one.value):
            arguments |= _arguments(one.value)
    clear = {
        name: public()[next(iter(homes))]
        for name, homes in bare.items()
        if len(homes) == 1 and len(name) > 3 and name not in arguments
        and not next(iter(homes)).startswith("module-") and next(iter(homes)) in public()
    }  # fmt: skip

    def find(text: str) -> Public | None:
        name = text.split("(")[0].strip()
        if name.startswith("jb."):
            name = "jaxbyz." + name.removeprefix("jb.")
        return public().get(name) or clear.get(name)

    return find


def _arguments(function: Any) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return set()
