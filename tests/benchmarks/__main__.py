"""`make bench`: every benchmark in a process of its own; names as arguments choose some."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("rules", "server_rounds", "many_seeds", "conv_round", "compile_time")


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
        failed |= subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"]).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
