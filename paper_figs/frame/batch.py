"""Figures one after another, or several at the same time, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import jax

from jaxbyz.compiling import compile_quickly
from paper_figs.frame import figure, making, records
from paper_figs.frame.making import Made


def say(text: str) -> None:
    """A line about what begins."""
    print(f"  {text}", file=sys.stderr, flush=True)


def every(
    several: Sequence[str],
    scale: str,
    out: Path,
    root: str | None = None,
    fresh: bool = False,
    processes: int = 1,
) -> Iterator[tuple[str, Made | str]]:
    """Every figure by its name, or why it could not be made, as they are done.

    With several processes figures that share runs are made by the same one.
    """
    arguments = scale, out, root, fresh
    if processes == 1:
        prepare(scale)
        for name in several:
            yield from one_after_another([name], *arguments, alone=len(several) == 1)
        return
    start = multiprocessing.get_context("spawn")  # threads of JAX do not survive a fork
    with ProcessPoolExecutor(processes, start, prepare, (scale,)) as pool:
        groups = figure.sharing(several, scale)
        waiting = [pool.submit(list_of, group, *arguments) for group in groups]
        for future in as_completed(waiting):
            yield from future.result()


def prepare(scale: str) -> None:
    """Settings of JAX, once a process."""
    if scale != "full":  # compiling is most of the time there
        compile_quickly()
    # Programs compiled once are found again, also by the next figure.
    cache = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(records.ROOT / ".jax_cache")
    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


def list_of(group: Sequence[str], *arguments: Any) -> list[tuple[str, Made | str]]:
    """The figures of a group, made in another process."""
    return list(one_after_another(group, *arguments, alone=False))


def one_after_another(
    group: Sequence[str], scale: str, out: Path, root: str | None, fresh: bool, *, alone: bool
) -> Iterator[tuple[str, Made | str]]:
    """Figures of this process; the error of one that is not `alone` does not stop the others."""
    for name in group:
        say(f"== {name}, {scale}")
        try:
            yield name, making.make(name, scale, out, root=root, fresh=fresh, say=say)
        except Exception as error:
            if alone:
                raise
            traceback.print_exc()
            yield name, f"{type(error).__name__}: {error}"
        if not alone:
            jax.clear_caches()  # programs of one figure would fill the memory of the next
