"""One figure, from its name to its files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from paper_figs.frame import drawing, records
from paper_figs.frame.compiling import compiling
from paper_figs.frame.figure import Figure, Results, load
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace, digest


def with_earlier(path: Path, seconds: dict[str, float]) -> dict[str, float]:
    """The seconds of this time and of all times before, whose runs are used again.

    >>> with_earlier(Path("nowhere/about.json"), {"run": 2.0})
    {'run': 2.0}
    """
    try:
        before = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    except (OSError, ValueError, KeyError):  # the first time, or a file that is no record
        return seconds
    return {what: value + before.get(what, 0.0) for what, value in seconds.items()}


class Made(NamedTuple):
    """A figure that was made."""

    name: str
    folder: Path
    picture: Path
    results: Results
    findings: list[Finding]
    about: dict[str, Any]

    @property
    def failed(self) -> bool:
        """A theorem that fails is an error of ours; an empirical claim that fails is a result."""
        return any(f.kind == "T" and f.verdict != "reproduced" for f in self.findings)


def folder_of(out: Path, name: str, scale: str, spec: Any) -> Path:
    """Where the files of a figure lie; another specification has another folder."""
    return out / f"{name}-{scale}-{digest(spec)}"


def make(
    name: str,
    scale: str,
    out: Path,
    *,
    root: str | None = None,
    fresh: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Made:
    """Run, check, draw and store; runs that are there already are not made again.

    Args:
        name: of the figure.
        scale: "quick", "default" or "full".
        out: the folder of all results.
        root: the folder of real data.
        fresh: throw away what is there.
        say: called with a line whenever something begins.

    Returns:
        What was made. In `folder`: figure.png, results.npz, about.json, and the runs.

    Raises:
        ValueError: no such figure or scale; kept runs are of another computation.
        FileNotFoundError: a data set is missing; the message says where it belongs.
    """
    module = load(name)
    if scale not in module.SPECS:
        raise ValueError(f"scale must be one of {', '.join(module.SPECS)}, got {scale!r}")
    name = module.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
    return make_of(module, name, scale, out, root=root, fresh=fresh, say=say)


def make_of(
    module: Figure,
    name: str,
    scale: str,
    out: Path,
    *,
    root: str | None = None,
    fresh: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Made:
    """The same for a module that is at hand."""
    spec = module.SPECS[scale]
    folder = folder_of(out, name, scale, spec)
    workspace = Workspace(folder, root, say, fresh)
    began = time.perf_counter()
    with compiling() as watch:
        results = module.run(spec, workspace)
        ran = time.perf_counter()
        findings = list(module.check(spec, results))
        picture = drawing.save(module.plot(spec, results), folder / "figure.png")
    told = records.about(
        name=name,
        title=module.TITLE,
        scale=scale,
        spec=spec,
        findings=findings,
        tables=workspace.tables,
        seconds=with_earlier(
            folder / "about.json",
            {
                "run": ran - began,
                "check and draw": time.perf_counter() - ran,
                "compiling, in all threads": watch.seconds,
            },
        ),
    )
    records.write_arrays(folder / "results.npz", results)
    records.write_json(folder / "about.json", told)
    return Made(name, folder, picture, results, findings, told)
