"""What a figure leaves on disk: the runs, the arrays, and how they came about."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxbyz import History

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


def write(folder: Path, spec: Any, results: dict[str, History], findings: list[Finding]) -> None:
    """Store arrays (results.npz) and the specification, versions and findings (about.json)."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for name, history in results.items():
        arrays[f"{name}/round"] = history.rounds
        for column, values in history.columns.items():
            arrays[f"{name}/{column}"] = values
    np.savez_compressed(folder / "results.npz", **arrays)
    about = {
        "spec": dataclasses.asdict(spec),
        "revision": revision(),
        "runs": {name: dict(history.about) for name, history in results.items()},
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "jax": jax.__version__,
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n")
