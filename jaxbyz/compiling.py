"""Time that compiling takes: programs kept from process to process, and less optimisation."""

import os
from pathlib import Path

import jax


def keep_programs(folder: str | os.PathLike[str] | None = None) -> Path:
    """Keep compiled programs in a folder, where later processes find them (JAX's own cache).

    The commands of this library call it. In your own scripts it is one line before the first
    computation; then only the first run of a script waits for the compiler. A folder that JAX
    already has (`jax_compilation_cache_dir`) stays. Nothing in it is ever deleted by JAX unless
    `jax_compilation_cache_max_size` is set.

    Args:
        folder: None: `jaxbyz` in $XDG_CACHE_HOME, or in ~/.cache.

    Returns:
        The folder that is used.

    >>> keep_programs() == Path(jax.config.jax_compilation_cache_dir)
    True
    """
    present = getattr(jax.config, "jax_compilation_cache_dir", None)
    if present is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        present = str(home / "jaxbyz" if folder is None else Path(folder).expanduser().absolute())
        jax.config.update("jax_compilation_cache_dir", present)
        # Small programs are most of those of a small experiment.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return Path(present)


def compile_quickly() -> None:
    """Compile CPU programs at LLVM's first level, in less time.

    For commands that spend most of their time on compiling many programs of small arrays. Must be
    called before JAX starts its devices, and does nothing afterwards (importing the library starts
    none); an `xla_backend_optimization_level` in XLA_FLAGS stays.

    >>> compile_quickly()
    >>> "backend_optimization_level" in os.environ["XLA_FLAGS"]
    True
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "backend_optimization_level" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_backend_optimization_level=1".strip()
