"""A grid of comparisons, described by a file: methods × rules × attacks × settings of the problem.

    example.toml   a commented file. Start here: `python -m jaxbyz race --example`
    tables         the file, its sections and their entries, as they were read
    parts          an entry such as {name = "top_k", ratio = 0.1} -> the part that it means
    cells          lists of values -> the cells of the grid
    running        one comparison for every setting of the problem, each resumable
    results        what is written: a table, a summary, pictures

Imported by the command line alone; it imports `comparison` and all kinds of parts by their public
names, so that it keeps no list of its own.
"""

from jaxbyz.grids.cells import Grid, grid_of
from jaxbyz.grids.running import run_grid
from jaxbyz.grids.tables import GridError, read

__all__ = ["Grid", "GridError", "grid_of", "read", "run_grid"]
