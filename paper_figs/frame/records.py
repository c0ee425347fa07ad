"""What a figure leaves on disk beside its picture: arrays, and one JSON file that says all else."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jaxlib
import numpy as np

import jaxbyz
from jaxbyz import History
from jaxbyz.storage import arrays
from paper_figs.frame.findings import Finding

ROOT = Path(__file__).resolve().parent.parent.parent


def revision() -> str:
    """The git revision of the code, marked where the tree has changes; "unknown" outside git.

    Changes of the gallery are none of the code: figures are written there one after another.
    """

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        code = git("describe", "--always", "--abbrev=12")
        changes = git("status", "--porcelain", "--", ".", ":(exclude)paper_figs/gallery")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{code}-dirty" if changes else code


def write_arrays(path: Path, results: Mapping[str, Any]) -> None:
    """All results in one .npz file: "name/column" for every column of a history."""
    parts: dict[str, np.ndarray] = {}
    for name, found in results.items():
        if isinstance(found, History):
            parts[f"{name}/round"] = found.rounds
            parts |= {f"{name}/{column}": values for column, values in found.columns.items()}
        else:
            parts[name] = np.asarray(found)
    arrays.write(path, parts, compressed=True)


def about(
    *,
    name: str,
    title: str,
    scale: str,
    spec: Any,
    findings: Sequence[Finding],
    tables: Mapping[str, Any],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Everything that is known of how a figure came about, for JSON."""
    return {
        "figure": name,
        "title": title,
        "scale": scale,
        "spec": dataclasses.asdict(spec),
        "findings": [dataclasses.asdict(finding) for finding in findings],
        "step sizes": dict(tables),
        "seconds": {what: round(value, 1) for what, value in seconds.items()},
        "revision": revision(),
        "versions": {
            "jaxbyz": jaxbyz.__version__,
            "jax": jax.__version__,
            "jaxlib": jaxlib.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "device": jax.devices()[0].device_kind,
    }


def write_json(path: Path, told: Mapping[str, Any]) -> None:
    """Whole or not at all; infinities and NaN, which JSON does not have, as text."""
    text = json.dumps(_for_json(told), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    arrays.write_whole(path, lambda file: file.write(text.encode()))


def _for_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _for_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_for_json(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value
