"""Make figures: `python -m paper_figs rosdhb_fig1 --quick`, `python -m paper_figs --list`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from paper_figs.frame import batch, figure, pages, records
from paper_figs.frame.making import Made


def listing() -> str:
    """Every figure, what it shows, and how long it takes at each scale."""
    lines = []
    for name in figure.names():
        module = figure.load(name)
        times = ", ".join(f"{scale} {module.SECONDS[scale]}" for scale in figure.SCALES)
        lines.append(f"{name:<20}{module.TITLE}\n{'':<20}{times}")
    return "\n".join(lines)


def parser() -> argparse.ArgumentParser:
    """The arguments of the command line."""
    made = argparse.ArgumentParser(prog="python -m paper_figs", description=__doc__)
    made.add_argument(
        "figures", nargs="*", metavar="FIGURE", help="names as --list says them, or all"
    )
    made.add_argument("--list", action="store_true", help="say which figures there are")
    scale = made.add_mutually_exclusive_group()
    scale.add_argument("--quick", action="store_true", help="data of the install, a minute each")
    scale.add_argument("--full", action="store_true", help="the paper's scale; an accelerator")
    made.add_argument("--root", help="folder of the real data; else $JAXBYZ_DATA, ./data")
    made.add_argument("--fresh", action="store_true", help="make all runs anew")
    made.add_argument("--gallery", action="store_true", help="copy into paper_figs/gallery")
    made.add_argument(
        "--processes", type=int, default=1, metavar="N", help="so many figures at the same time"
    )
    made.add_argument("--out", type=Path, default=records.ROOT / "paper_figs" / "results")
    return made


def show(made: Made) -> None:
    """Table, verdicts and the path of the picture."""
    print(figure.text_of(made.results))
    for f in made.findings:
        print(f"[{f.kind}] {f.verdict}: {f.claim} ({f.numbers}; {f.test})")
    seconds = ", ".join(f"{what} {value:g} s" for what, value in made.about["seconds"].items())
    print(f"{seconds}\npicture: {made.picture}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Make the figures that are asked for; 1 if one could not be made or a T claim fails."""
    reader = parser()
    chosen = reader.parse_args(arguments)
    if chosen.list or not chosen.figures:
        print(listing())
        return 0
    if chosen.processes < 1:
        reader.error(f"--processes must be >= 1, got {chosen.processes}")
    known = {*figure.names(), *figure.FORMER, "all"}
    if unknown := sorted(set(chosen.figures) - known):
        reader.error(f"no such figure: {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    several = figure.names() if "all" in chosen.figures else chosen.figures
    scale = "quick" if chosen.quick else "full" if chosen.full else "default"
    out = chosen.out.expanduser().resolve()
    done: list[Made] = []
    failures: dict[str, str] = {}
    for name, made in batch.every(several, scale, out, chosen.root, chosen.fresh, chosen.processes):
        if isinstance(made, str):
            failures[name] = made
            continue
        done.append(made)
        show(made)
        if chosen.gallery:
            pages.into_gallery(made)
        if len(several) > 1:
            pages.write_index(out, sorted(done, key=lambda one: one.name), failures)
    if len(several) > 1:
        print(f"{len(done)} figures, {len(failures)} not made: {out / 'index.html'}")
    return int(bool(failures) or any(made.failed for made in done))


if __name__ == "__main__":
    sys.exit(main())
