"""Make a figure: `python -m paper_figs fig1 --quick`."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import paper_figs
from paper_figs import records


def names() -> list[str]:
    """Modules that hold a figure."""
    found = [module.name for module in pkgutil.iter_modules(paper_figs.__path__)]
    return sorted(name for name in found if name.startswith("fig"))


def spread(values: np.ndarray) -> str:
    """Mean ± standard deviation over seeds, or the only value."""
    if len(values) == 1:
        return f"{values[0]:.4f} (one seed)"
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def table(results: dict[str, Any]) -> str:
    """One line per run."""
    lines = [
        f"{'algorithm':<16}{'attack':<14}{'f':>3}{'k/d':>7}   {'test accuracy':<18}"
        f"{'uplink Mbit':>12}{'seconds':>9}"
    ]
    for name, history in results.items():
        ratio = name.rsplit("= ", 1)[1]
        final = history["test_accuracy"][:, -1]
        about = history.about
        lines.append(
            f"{about['algorithm']:<16}{about['attack']:<14}{about['byzantine']:>3}{ratio:>7}   "
            f"{spread(final):<18}"
            f"{history.final('uplink_bits') / 1e6:>12.2f}{about['seconds']:>9.1f}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run, check, store, plot."""
    parser = argparse.ArgumentParser(prog="python -m paper_figs", description=__doc__)
    parser.add_argument("figure", nargs="?", choices=names())
    parser.add_argument("--list", action="store_true", help="say which figures there are")
    parser.add_argument("--quick", action="store_true", help="small data, about two minutes")
    parser.add_argument("--one", action="store_true", help="one configuration, one seed")
    parser.add_argument("--tune", action="store_true", help="recompute the choice of step sizes")
    parser.add_argument("--data", help="another data set, e.g. fashion_mnist")
    parser.add_argument("--root", help="folder of the data files")
    parser.add_argument("--out", type=Path, default=records.ROOT / "paper_figs" / "results")
    chosen = parser.parse_args(arguments)
    if chosen.list or chosen.figure is None:
        print("\n".join(names()))
        return 0
    # Programs compiled once are found again, also by the next figure.
    jax.config.update("jax_compilation_cache_dir", str(records.ROOT / ".jax_cache"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    module = importlib.import_module(f"paper_figs.{chosen.figure}")
    spec = module.QUICK if chosen.quick else module.SPEC
    if chosen.one:
        spec = module.one(spec)
    if chosen.data:
        spec = dataclasses.replace(spec, data=chosen.data)
    folder = chosen.out.expanduser() / f"{chosen.figure}-{spec.data}-{records.digest(spec)}"

    def say(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    if chosen.tune:
        for name, losses in module.tune(spec, folder, chosen.root, say).items():
            best = min(losses, key=lambda step: losses[step])
            print(f"{name}: step {best:g} of", {s: round(v, 4) for s, v in losses.items()})
        return 0
    results = module.run(spec, folder, chosen.root, say)
    findings = module.check(spec, results)
    records.write(folder, spec, results, findings)
    picture = folder / f"{chosen.figure}.png"
    module.plot(spec, results, picture)
    print(table(results))
    for finding in findings:
        print(f"[{finding.kind}] {finding.verdict}: {finding.claim} ({finding.numbers})")
    print(f"picture: {picture}")
    # A theorem that fails is an error of ours; an empirical claim that fails is a result.
    failed = any(finding.kind == "T" and finding.verdict != "reproduced" for finding in findings)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
