"""Figures from histories (needs matplotlib, the extra "plot"); `heatmaps` has those of comparisons.

Colours are those of Okabe and Ito, which people with any colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxbyz import checks

if TYPE_CHECKING:
    from jaxbyz.history import History

FIGURE = "history "  # how labels of our figures begin
KEPT = 16  # pyplot warns at more than 20
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", ":", "-.")  # one for every seven curves

LABELS = {
    "round": "round",
    "uplink_bits": "uplink bits per worker",
    "downlink_bits": "downlink bits per worker",
    "gradients": "gradients of single samples per worker",
    "server_seconds": "time of the server (s)",
    "test_accuracy": "test accuracy",
    "gradient_norm": "‖∇f(x)‖ of the honest objective",
}


def plot(
    history: History,
    y: str,
    x: str = "round",
    *,
    ax: Any = None,
    label: str | None = None,
    **options: Any,
) -> Any:
    """The median over seeds of column y against column x, and the range over seeds as a band.

    Args:
        history: from `train`.
        y: a column.
        x: "round" or a column; its median over seeds is used.
        ax: matplotlib axes to draw on; None: a new figure.
        label: of the curve; None: algorithm and attack.
        options: of the line, as matplotlib calls them (`color="black"`, `lw=2`, `marker="o"`).

    On a logarithmic x axis, made so before or after, points at x = 0 are left out: before the
    first message no bits have been sent.

    Returns:
        The axes. Of the figures that are made here, pyplot keeps the last 16 open; older ones can
        still be saved through their axes.

    Raises:
        KeyError: no such column.
        ValueError: history or ax is something else; an option that lines of matplotlib do not have,
            or a value that they do not take.
        ImportError: matplotlib is not installed.
    """
    if not hasattr(history, "columns"):
        raise ValueError(f"history must be a jaxbyz.History, got {checks.said(history)}")
    pyplot_library()
    options = _line_options(options)
    across, values = history[x], history[y]  # [E] or [S, E], [S, E]
    if values.ndim != 2:
        raise ValueError(f"y must be a column with a value for every seed, got {y!r}")
    ax = axes_for(ax)
    across = across if across.ndim == 1 else np.median(across, axis=0)
    about = history.about
    label = f"{about.get('algorithm')}, {about.get('attack')}" if label is None else label
    middle, low, high = np.median(values, axis=0), values.min(axis=0), values.max(axis=0)
    (line,) = ax.plot(across, middle, label=label, **options)
    bands: list[Any] = []

    def draw_band(shown: np.ndarray) -> None:
        if len(values) > 1:
            area = across[shown], low[shown], high[shown]
            bands.append(ax.fill_between(*area, color=line.get_color(), alpha=0.2, lw=0))

    def fit(_: Any = None) -> None:
        """On a logarithmic axis a curve begins after 0, which has no place there."""
        shown = across > 0 if ax.get_xscale() == "log" else np.ones(len(across), bool)
        if len(line.get_xdata()) != shown.sum():
            line.set_data(across[shown], middle[shown])
            while bands:
                bands.pop().remove()
            draw_band(shown)

    draw_band(np.ones(len(across), bool))
    fit()
    ax.callbacks.connect("xlim_changed", fit)
    ax.set_xlabel(axis_label(x))
    ax.set_ylabel(axis_label(y))
    ax.legend()
    return ax


def plot_histories(
    histories: Mapping[str, History],
    column: str,
    x: str = "round",
    *,
    ax: Any = None,
    **options: Any,
) -> Any:
    """One column of several histories in one figure: for each its median and range, as in `plot`.

    Args:
        histories: name -> history; the names are those of the legend.
        column: of all histories.
        x: "round" or a column of all histories.
        ax: matplotlib axes to draw on; None: a new figure.
        options: of all lines, as matplotlib calls them. Colours and styles differ unless given.

    Returns:
        The axes.

    Raises:
        KeyError: a history without such a column; nothing is drawn then.
        ValueError: histories is no dictionary of names and histories, or has none; ax or an option
            is not what it must be.
        ImportError: matplotlib is not installed.
    """
    if not isinstance(histories, Mapping) or not histories:
        came = checks.said(histories)
        raise ValueError(f"histories must be a dictionary of names and histories, got {came}")
    for name, history in histories.items():
        if not isinstance(name, str):
            raise ValueError(f"histories must have texts as names, got {checks.said(name)}")
        if not hasattr(history, "columns"):
            came = checks.said(history)
            raise ValueError(f"histories[{name!r}] must be a jaxbyz.History, got {came}")
        for wanted in (column, x):
            try:
                history[wanted]
            except KeyError as error:
                raise KeyError(f"histories[{name!r}]: {error.args[0]}") from None
    pyplot_library()
    options = _line_options(options)
    for i, (name, history) in enumerate(histories.items()):
        turn, color = divmod(i, len(COLORS))
        look = {"color": COLORS[color], "linestyle": STYLES[turn % len(STYLES)]}
        ax = plot(history, column, x, ax=ax, label=name, **look | options)
    return ax


def pyplot_library() -> Any:
    """The module matplotlib.pyplot.

    Raises:
        ImportError: matplotlib is not installed; the error names the extra.
    """
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "jaxbyz[plot]"') from error
    return matplotlib.pyplot


def axes_for(ax: Any, **figure: Any) -> Any:
    """The axes that are given, or those of a new figure.

    Args:
        ax: axes or None.
        figure: options of a new figure.

    Raises:
        ValueError: ax is something else.
    """
    if ax is None:
        pyplot = pyplot_library()
        return pyplot.subplots(num=_free_label(pyplot), **figure)[1]
    if not hasattr(ax, "fill_between"):
        raise ValueError(f"ax must be matplotlib axes, got {checks.said(ax)}")
    return ax


def axis_label(column: str) -> str:
    """The title of an axis, with the unit where a column has one.

    >>> axis_label("uplink_bits"), axis_label("train_loss")
    ('uplink bits per worker', 'train loss')
    """
    return LABELS.get(column, column.replace("_", " "))


def _line_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a line under their long names, unless matplotlib knows them otherwise."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    for name, value in options.items():
        try:
            if name in ("data", "label"):
                raise AttributeError(f"{name} is not for a single line")
            Line2D([], [], **{name: value})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"options must be those of a line of matplotlib, got {name} = "
                f"{checks.said(value)} ({checks.first_line(error)})"
            ) from error
    try:
        return normalize_kwargs(options, Line2D)
    except TypeError as error:
        raise ValueError(f"options must be given once, got {checks.first_line(error)}") from error


def _free_label(pyplot: Any) -> str:
    """A label for a new figure; pyplot forgets the oldest of ours, or it would keep all."""
    ours = [label for label in pyplot.get_figlabels() if label.startswith(FIGURE)]
    for label in ours[: max(0, len(ours) - KEPT + 1)]:
        pyplot.close(label)
    taken = [int(label.removeprefix(FIGURE)) for label in ours]
    return f"{FIGURE}{max(taken, default=0) + 1}"
