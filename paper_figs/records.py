"""What a figure leaves on disk: the runs, the arrays, and how they came about."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxbyz import History
from jaxbyz.storage import arrays

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Finding:
    """One claim held against the results."""

    claim: str
    kind: str  # "T": a theorem or identity, must hold; "E": an empirical claim of the paper
    verdict: str  # "reproduced", "not reproduced", "inconclusive"
    numbers: str


def digest(spec: Any) -> str:
    """A short name for a specification; another specification never shares its results."""
    text = json.dumps(spec, sort_keys=True, default=dataclasses.asdict)
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def revision() -> str:
    """The git revision of the code, marked where the tree has changes; "unknown" outside git."""
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def found(path: Path) -> History | None:
    """A run that was stored, if it is there and whole; a damaged one is kept beside."""
    try:
        return History.load(path)
    except FileNotFoundError:
        return None
    except arrays.Damaged as error:
        aside = arrays.set_aside(path)
        warnings.warn(f"{error}; it is kept as {aside.name}, and the run made again", stacklevel=2)
        return None


def write(folder: Path, spec: Any, results: dict[str, History], findings: list[Finding]) -> None:
    """Store arrays (results.npz) and the specification, versions and findings (about.json)."""
    curves: dict[str, np.ndarray] = {}
    for name, history in results.items():
        curves[f"{name}/round"] = history.rounds
        for column, values in history.columns.items():
            curves[f"{name}/{column}"] = values
    arrays.write(folder / "results.npz", curves, compressed=True)
    about = {
        "spec": dataclasses.asdict(spec),
        "revision": revision(),
        "runs": {name: dict(history.about) for name, history in results.items()},
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "jax": jax.__version__,
    }
    text = json.dumps(about, indent=2) + "\n"
    arrays.write_whole(folder / "about.json", lambda file: file.write(text.encode()))
