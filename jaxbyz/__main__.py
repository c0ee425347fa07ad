"""`python -m jaxbyz`: commands.

    race GRID.toml   run a grid of methods × rules × attacks × settings; write table and pictures

`python -m jaxbyz.theory` audits the claims of the theory.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from jaxbyz.compiling import keep_programs
from jaxbyz.grids import GridError, grid_of, read, run_grid
from jaxbyz.grids.results import means, write_pictures, write_summary, write_table
from jaxbyz.grids.running import check, runs_of
from jaxbyz.grids.tables import at
from jaxbyz.storage.paths import made

RACE = """Run a grid of comparisons that a TOML file describes: methods × rules × attacks × settings
of the problem, each method at the step size that is best for it. Writes table.csv, summary.txt and
pictures. What was run is kept: a grid that was interrupted, or that got further methods or values,
continues when the same command is given again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 2: a mistake in the arguments or the file, said on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m jaxbyz",
        epilog="python -m jaxbyz.theory --help: the audit of the theory's claims.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    race = commands.add_parser("race", help="run a grid of comparisons", description=RACE)
    race.add_argument("grid", nargs="?", help="the TOML file; --example prints one with comments")
    race.add_argument("--folder", help="for results (default: the file's name without .toml)")
    race.add_argument("--dry-run", action="store_true", help="check the file, list the cells")
    race.add_argument("--example", action="store_true", help="print an example of a file")
    given = parser.parse_args(arguments)
    if given.example:
        text = resources.files("jaxbyz.grids").joinpath("example.toml").read_text("utf-8")
        sys.stdout.write(text)
        return 0
    if given.grid is None:
        race.error("give a TOML file, or --example for one to start from")
    keep_programs()
    try:
        return _race(Path(given.grid), given.folder, given.dry_run)
    except GridError as error:
        print(f"{given.grid}: {error}", file=sys.stderr)
        return 2


def _race(file: Path, folder: str | None, dry_run: bool) -> int:
    grid = grid_of(read(file))
    with warnings.catch_warnings():
        if not dry_run:  # they come again when it is run
            warnings.simplefilter("ignore", UserWarning)
        check(grid)
    print(
        f"{len(grid.problems)} problems × {len(grid.methods)} methods × {len(grid.rules)} rules × "
        f"{len(grid.attacks)} attacks; {runs_of(grid)} runs of {grid.race['rounds']} rounds"
    )
    if dry_run:
        for name in ("problems", "methods", "rules", "attacks"):
            print(f"{name}: {'; '.join(cell.label or '1' for cell in getattr(grid, name))}")
        return 0
    beside = file.with_suffix("") if file.suffix else file.with_name(f"{file.name}-results")
    with at("--folder"):
        place = made("folder", folder or beside)
    found = []
    for compared in run_grid(grid, place):
        found.append(compared)
        # After every problem, so that a grid that is interrupted leaves what it has.
        write_table(place / "table.csv", grid, found)
        write_summary(place / "summary.txt", found)
    print(means(found))
    print(f"{place / 'table.csv'}: all cells and seeds; {place / 'summary.txt'}: tables to read")
    try:
        pictures = write_pictures(place / "pictures", found)
    except ImportError as error:
        print(f"no pictures: {error}", file=sys.stderr)
    else:
        print(f"{place / 'pictures'}: {len(pictures)} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
