"""`make bench`: every benchmark in a process of its own; names as arguments choose some."""

from __future__ import annotations

import os
import subprocess
import sys

BENCHMARKS = (
    "rules",
    "server_rounds",
    "divided_server",
    "many_seeds",
    "top_k",
    "conv_round",
    "compile_time",
    "import_time",
)


def environment(name: str) -> dict[str, str]:
    """Its environment: what runs many seeds gets a device for every core, and wide registers."""
    if name == "divided_server":
        return _with_flags("--xla_force_host_platform_device_count=8")
    if name != "many_seeds":
        return dict(os.environ)
    cores = f"--xla_force_host_platform_device_count={len(os.sched_getaffinity(0))}"
    wide = "--xla_cpu_prefer_vector_width=512"
    return _with_flags(f"{cores} {wide}")


def _with_flags(flags: str) -> dict[str, str]:
    return {**os.environ, "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}"}


def main() -> int:
    """Run the chosen benchmarks one after another."""
    chosen = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark {sorted(unknown)}; there are {list(BENCHMARKS)}")
        return 2
    failed = 0
    for name in chosen:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"tests.benchmarks.{name}"]
        failed |= subprocess.run(command, env=environment(name)).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
