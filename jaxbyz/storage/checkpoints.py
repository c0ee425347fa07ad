"""Checkpoints of a training run: arrays written with orbax, every file with its digest.

A checkpoint is a folder named by its rounds:

    25/arrays/        the state and what was recorded, by orbax
    25/about.json     which computation it belongs to, and that it is of round 25
    25/digests.json   SHA-256 of every other file

It is written under another name and then renamed, so it is there completely or not at all. All
digests are compared before anything else is read. `about.json` says which computation it belongs
to, so that no other run continues from it. A lock keeps other processes out.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jaxbyz.contracts.callers import warn
from jaxbyz.seeds import is_key
from jaxbyz.storage.arrays import set_aside
from jaxbyz.storage.locks import Lock
from jaxbyz.storage.paths import made

if TYPE_CHECKING:
    import orbax.checkpoint as ocp

KEPT = 2
LARGEST = 2**24  # bytes of a file of texts
ABOUT, ARRAYS, DIGESTS, PARTIAL = "about.json", "arrays", "digests.json", ".partial"


class Identity(NamedTuple):
    """Runs with equal `states` agree bit for bit; length and evaluations may differ."""

    states: str  # fingerprint of what decides the states
    measures: str  # fingerprint of what is measured at them
    columns: Sequence[str]  # names of what is measured


class Checkpoints:
    """A folder of checkpoints; the newest two are kept.

    Raises:
        ValueError: the folder cannot be made, another process works in it, or this process is
            one of several and not the first.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: Identity):
        if jax.process_index() != 0:  # orbax writes nothing there
            raise ValueError(
                "checkpoint needs process 0 of those that `jax.distributed` has connected, got "
                f"process {jax.process_index()}"
            )
        self.folder = made("checkpoint", folder)
        self.identity = identity
        self.lock = Lock(self.folder)
        try:
            for left in self.folder.iterdir():  # by a process that was killed
                if _number(left.name.removesuffix(PARTIAL)) is not None and left.suffix == PARTIAL:
                    _remove(left)
        except OSError as error:
            self.lock.release()
            raise ValueError(
                f"checkpoint must be a folder to read and write in, got {self.folder}: "
                f"{error.strerror} ({error.filename})"
            ) from error

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def _rounds(self) -> list[int]:
        """Numbers of all checkpoints, the newest last."""
        numbers = (_number(path.name) for path in self.folder.iterdir())
        return sorted(number for number in numbers if number is not None)

    def save(self, done: int, state: Any, record: dict[str, np.ndarray]) -> None:
        """Write the simulation's state and what was recorded, after `done` rounds."""
        partial = self.folder / f"{done}{PARTIAL}"
        partial.mkdir()
        leaves = {f"state {i}": _plain(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
        leaves |= {f"record {i}": _plain(values) for i, values in enumerate(record.values())}
        # What is empty is known by its shape; orbax does not write it.
        some = {name: leaf for name, leaf in leaves.items() if leaf.size}
        with _orbax() as writer:
            writer.save(partial / ARRAYS, some)
        about = self.identity._asdict() | {"record": list(record), "rounds": done}
        _write(partial / ABOUT, about)
        _write(partial / DIGESTS, _digests(partial, _files(partial)))
        final = self.folder / str(done)
        if os.path.lexists(final):  # no checkpoint that was restored: that one is older
            set_aside(final)
        partial.rename(final)
        numbers = [number for number in self._rounds() if (self.folder / str(number)).is_dir()]
        for old in numbers[:-KEPT]:
            gone = self.folder / f"{old}{PARTIAL}"
            (self.folder / str(old)).rename(gone)  # so that none is there in part
            shutil.rmtree(gone)

    def restore(self, like: Any, rounds: int) -> tuple[int, Any, dict[str, np.ndarray]] | None:
        """Rounds done, state (shaped as `like`) and record of the newest sound checkpoint, or None.

        Damaged ones that are newer are named in a warning, and renamed.

        Raises:
            ValueError: no whole one is left of those that are there; it belongs to another
                computation, measures something else, or is of more than so many rounds.
        """
        damaged: dict[int, str] = {}
        for done in reversed(self._rounds()):
            folder = self.folder / str(done)
            reason = _damage(folder, done)
            if reason is None:
                break
            damaged[done] = reason
        else:
            if not damaged:
                return None
            raise ValueError(
                f"no checkpoint in {self.folder} is whole: {_listed(damaged)}. To begin anew, "
                "remove that folder or give another one"
            )
        about = json.loads(_small(folder / ABOUT))
        self._require_same(about)
        if done > rounds:
            raise ValueError(
                f"rounds must be >= {done}, which checkpoint {self.folder} holds, got {rounds}; "
                "give another folder for a shorter run"
            )
        for number in damaged:
            set_aside(self.folder / str(number))
        if damaged:
            warn(
                f"damaged checkpoints in {self.folder}: {_listed(damaged)}. The run goes on from "
                f"round {done}; the damaged ones are kept under names that end in .damaged"
            )
        with _orbax() as reader:
            stored = reader.restore(folder / ARRAYS)
        shapes, structure = jax.tree.flatten(like)
        leaves = [_shaped(stored.get(f"state {i}"), shape) for i, shape in enumerate(shapes)]
        names = enumerate(about["record"])
        record = {name: np.asarray(stored[f"record {i}"]) for i, name in names}
        return done, jax.tree.unflatten(structure, leaves), record

    def _require_same(self, about: dict[str, Any]) -> None:
        if about["states"] != self.identity.states:
            raise ValueError(
                f"checkpoint {self.folder} belongs to another computation (algorithm, attack, "
                "hyper-parameters, data, seeds or library version differ); give another folder"
            )
        stored, wanted = sorted(about["columns"]), sorted(self.identity.columns)
        if stored != wanted:
            raise ValueError(
                f"checkpoint {self.folder} holds the columns {stored}, and evaluate and watch ask "
                f"for {wanted}: ask for the same, or give another folder"
            )
        if about["measures"] != self.identity.measures:
            raise ValueError(
                f"checkpoint {self.folder} holds columns {stored} that were measured in another "
                "way (evaluators, watch or test data differ); give another folder"
            )


def _orbax() -> ocp.Checkpointer:
    """Of this process alone: it does not wait for others."""
    import orbax.checkpoint as ocp  # takes long to import, and most runs write no checkpoint

    alone = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _number(name: str) -> int | None:
    return int(name) if name.isdecimal() and name == str(int(name)) else None


def _plain(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)


def _shaped(stored: Any, like: jax.ShapeDtypeStruct) -> jax.Array:
    if is_key(like):
        kind = jax.random.key_impl(jax.numpy.zeros((), like.dtype))
        return jax.random.wrap_key_data(jax.numpy.asarray(stored), impl=kind)
    if stored is None:
        return jax.numpy.zeros(like.shape, like.dtype)  # without entries
    return jax.numpy.asarray(stored, like.dtype)


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True)


def _write(path: Path, value: Any) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(_text(value))
        file.flush()
        os.fsync(file.fileno())


def _files(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _damage(folder: Path, done: int) -> str | None:
    """What is wrong with a checkpoint after `done` rounds, if anything."""
    if not folder.is_dir():
        return "is no folder"
    try:
        stored = _small(folder / DIGESTS)
        promised = dict(json.loads(stored))
        there = _files(folder)
        missing = [name for name in (ABOUT, *promised) if name not in there]
        if missing:  # what is not there is not opened, whatever its name
            return f"{missing[0]} is missing"
        found = _digests(folder, [ABOUT, *promised])
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError, TypeError, RecursionError) as error:
        return f"{DIGESTS} cannot be read ({error})"
    changed = [name for name, digest in promised.items() if found[name] != digest]
    # Then the text itself: a flipped bit may leave its meaning.
    if not changed and stored != _text(found).encode():
        changed = [DIGESTS]
    if changed:
        return f"{changed[0]} is not what was written"
    about = json.loads(_small(folder / ABOUT))
    # A folder that was copied, or renamed, is whole and of another round.
    return None if about["rounds"] == done else f"is of round {about['rounds']}"


def _small(path: Path) -> bytes:
    """The content of one of the small JSON files."""
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    return content


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _listed(damaged: dict[int, str]) -> str:
    return "; ".join(f"{number} ({reason})" for number, reason in damaged.items())
