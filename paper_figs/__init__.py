"""Figures of the papers, one module each: a specification, `run`, `check`, `plot`.

`python -m paper_figs fig1 --quick` makes one; `python -m paper_figs --list` tells which there are.
"""
