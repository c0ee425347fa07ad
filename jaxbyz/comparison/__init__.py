"""Comparison of algorithms: many runs, each method at its own best step size, one table.

    races       `compare`, `compare_aggregators`; `planned`: what they would run. Start here.
    plan        what is run, checked before hours of computing; `arguments`: its single checks
    programs    one compiled program for all step sizes and seeds of a method
    curves      of one method under one attack, and their file
    results     the choice of a step size, the lines of the table; `texts`: the table in words
    server_time what a round costs the server

Drives `jaxbyz.simulation.sessions`, as `train` does; imported by users and by paper figures.
"""

from jaxbyz.comparison.curves import Curves
from jaxbyz.comparison.races import compare, compare_aggregators, planned
from jaxbyz.comparison.results import Comparison, TableLine
from jaxbyz.deprecations import renamed

__all__ = ["Comparison", "Curves", "TableLine", "compare", "compare_aggregators", "planned"]

__getattr__ = renamed(__name__, {"Cell": "Curves", "Row": "TableLine"}, globals())
