"""What a figure is: a module of `paper_figs.figures` with these names.

    TITLE    one line: what is drawn
    SPECS    scale -> specification, a frozen dataclass; everything that decides the numbers
    SECONDS  scale -> text: how long it takes, measured where
    run      (spec, workspace) -> results, name -> `History` or array
    check    (spec, results) -> list of `Finding`
    plot     (spec, results) -> a matplotlib figure

Scales: "quick" (data that come with the install, at most 60 s on 2 cores), "default" (real data,
at most 20 minutes on 2 cores; what is smaller than in the paper stands in the title) and "full"
(that of the paper; an accelerator).

The docstring of the module says what is claimed and where, what is unknown of the published figure,
and what was chosen in its place. `check` works on results alone, so that wrong results can be
planted in a test.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jaxbyz import History
from paper_figs import figures
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace, digest

SCALES = ("quick", "default", "full")
Results = Mapping[str, Any]  # name -> History or array

FORMER = {"fig1": "rosdhb_fig1"}  # names that a figure had


class Figure(Protocol):
    """A module of `paper_figs.figures`."""

    __doc__: str
    TITLE: str
    SPECS: Mapping[str, Any]
    SECONDS: Mapping[str, str]

    def run(self, spec: Any, workspace: Workspace) -> Results:
        """All results, found in the workspace where they were made before."""

    def check(self, spec: Any, results: Results) -> Sequence[Finding]:
        """Every claim of the figure held against the results."""

    def plot(self, spec: Any, results: Results) -> Any:
        """A matplotlib figure."""


def names() -> list[str]:
    """All figures.

    >>> "rosdhb_fig1" in names()
    True
    """
    return sorted(module.name for module in pkgutil.iter_modules(figures.__path__))


def sharing(several: Sequence[str], scale: str) -> list[list[str]]:
    """The figures in groups whose runs are shared, because they have a setting in common.

    >>> [group for group in sharing(["rosdhb_fig1", "dm21_pl", "rosdhb_fig2"], "quick")]
    [['rosdhb_fig1', 'rosdhb_fig2'], ['dm21_pl']]
    """
    groups: dict[str, list[str]] = {}
    for name in several:
        spec = load(name).SPECS[scale]
        parts = [getattr(spec, field.name) for field in dataclasses.fields(spec)]
        settings = [part for part in parts if dataclasses.is_dataclass(part)]
        groups.setdefault(digest(settings[0]) if settings else name, []).append(name)
    return sorted(groups.values(), key=len, reverse=True)  # what takes long comes first


def load(name: str) -> Figure:
    """The module of a figure.

    Raises:
        ValueError: there is none of that name, or it lacks something that a figure has.
    """
    name = FORMER.get(name, name)
    if name not in names():
        raise ValueError(f"figure must be one of {', '.join(names())}, got {name!r}")
    module: Any = importlib.import_module(f"paper_figs.figures.{name}")
    wanted = ("TITLE", "SPECS", "SECONDS", "run", "check", "plot")
    if missing := [what for what in wanted if not hasattr(module, what)]:
        raise ValueError(f"paper_figs.figures.{name} lacks {', '.join(missing)}")
    for what in (module.SPECS, module.SECONDS):
        if tuple(what) != SCALES:
            raise ValueError(f"paper_figs.figures.{name}: scales must be {SCALES}, got {[*what]}")
    return module


def text_of(results: Results) -> str:
    """One line per run: names, final values as mean ± standard deviation over seeds."""
    lines = []
    for name, found in results.items():
        if not isinstance(found, History):
            continue
        shown = [
            f"{column} {_spread(found[column][:, -1])}"
            for column in ("test_accuracy", "loss", "gradient_norm")
            if column in found.columns
        ]
        if "uplink_bits" in found.columns:
            shown.append(f"{found.final('uplink_bits') / 1e6:.4g} Mbit up")
        if "step" in found.about:
            shown.append(f"step {found.about['step']:g}")
        lines.append(f"{name:<44}  " + ", ".join(shown))
    return "\n".join(lines)


def _spread(values: Any) -> str:
    return f"{values.mean():.4g}" + ("" if len(values) == 1 else f" ± {values.std(ddof=1):.2g}")


def plain(spec: Any) -> dict[str, Any]:
    """A specification for JSON."""
    return dataclasses.asdict(spec)
