"""Figures of the papers, one module each, and what all of them need.

    figures/   a module a figure: what is claimed and chosen, `SPECS`, `run`, `check`, `plot`
    frame/     runs kept on disk, step sizes, verdicts, drawing, the index page, the gallery
    setups/    settings that several figures share, with the runs made once for all of them
    official   what published code does differently, as values and wrappers
    gallery/   pictures and verdicts on real data, committed
    race       all methods beside each other in one table

`python -m paper_figs --list` says which figures there are, and `python -m paper_figs rosdhb_fig1
--quick` makes one. Start reading at `frame/figure.py`, which says what a figure is, then at
`figures/rosdhb_fig1.py`.
"""
