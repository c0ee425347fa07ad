"""Checkpoints of a training run, written with orbax.

A checkpoint is written whole or not at all: orbax writes beside and renames. It carries a
fingerprint of the computation (the traced program and the data), so that a run is never continued
by a different one.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

__all__ = ["Checkpoints", "fingerprint"]

KEPT = 2


class Checkpoints:
    """A folder of checkpoints, numbered by rounds done; the newest two are kept.

    Raises:
        ValueError: on `restore`, when the newest checkpoint belongs to another computation.
    """

    def __init__(self, folder: str | os.PathLike[str], mark: str):
        self.folder = Path(folder).resolve()
        self.mark = mark
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT, create=True, enable_async_checkpointing=False
        )
        self.manager = ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(self, *_: object) -> None:
        self.manager.close()

    def save(self, done: int, state: Any, record: dict[str, np.ndarray]) -> None:
        """Write the simulation's state and what was recorded, after `done` rounds."""
        leaves = {str(i): np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
        self.manager.save(
            done,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(leaves),
                record=ocp.args.StandardSave(record),
                about=ocp.args.JsonSave({"fingerprint": self.mark}),
            ),
        )
        self.manager.wait_until_finished()

    def restore(self, like: Any) -> tuple[int, Any, dict[str, np.ndarray]] | None:
        """Rounds done, state (shaped as `like`) and record of the newest checkpoint, or None."""
        done = self.manager.latest_step()
        if done is None:
            return None
        about = self.manager.restore(done, args=ocp.args.Composite(about=ocp.args.JsonRestore()))
        if about["about"]["fingerprint"] != self.mark:
            raise ValueError(
                f"checkpoint {self.folder} belongs to another computation (algorithm, attack, "
                "hyper-parameters, data, seeds or library version differ); give another folder"
            )
        stored = self.manager.restore(
            done,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(), record=ocp.args.StandardRestore()
            ),
        )
        shapes, structure = jax.tree.flatten(like)
        leaves = [
            jax.numpy.asarray(stored["state"][str(i)], shape.dtype)
            for i, shape in enumerate(shapes)
        ]
        record = {name: np.asarray(values) for name, values in stored["record"].items()}
        return done, jax.tree.unflatten(structure, leaves), record


def fingerprint(program: Any, *trees: Any) -> str:
    """A digest of a traced program (a closed jaxpr) and of the arrays it is run on.

    >>> import jax.numpy as jnp
    >>> double, triple = (jax.make_jaxpr(lambda x, c=c: c * x)(1.0) for c in (2, 3))
    >>> fingerprint(double) == fingerprint(double), fingerprint(double) == fingerprint(triple)
    (True, False)
    """
    digest = hashlib.blake2b(digest_size=16)
    # Addresses of Python objects in the text differ from process to process.
    digest.update(re.sub(r"0x[0-9a-f]+", "", str(program.jaxpr)).encode())
    for leaf in [*program.consts, *jax.tree.leaves(trees)]:
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
