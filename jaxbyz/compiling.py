"""How much XLA optimises the programs that it compiles."""

import os


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
