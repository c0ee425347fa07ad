"""`import jaxbyz` beside `import jax, optax, flax`, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.benchmarks.timing import race, table

STATEMENTS = ("import jax, optax, flax", "import jaxbyz")


def main() -> None:
    """Time both, and a Python that imports nothing."""
    # As installed packages are: with their bytecode beside them.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def process(statement: str) -> object:
        return subprocess.run([sys.executable, "-c", statement], env=env, check=True).returncode

    contestants = {
        statement: lambda statement=statement: process(statement)
        for statement in (*STATEMENTS, "pass")
    }
    print(table("one process each", race(contestants, repeats=11)))


if __name__ == "__main__":
    main()
