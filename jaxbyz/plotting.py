"""Figures from histories (needs matplotlib, the extra "plot")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxbyz import checks

if TYPE_CHECKING:
    from jaxbyz.history import History

FIGURE = "history "  # how labels of our figures begin
KEPT = 16  # pyplot warns at more than 20

LABELS = {
    "round": "round",
    "uplink_bits": "uplink bits per worker",
    "downlink_bits": "downlink bits per worker",
    "test_accuracy": "test accuracy",
    "gradient_norm": "‖∇f(x)‖ of the honest objective",
}


def plot(
    history: History, y: str, x: str = "round", *, ax: Any = None, label: str | None = None
) -> Any:
    """The median over seeds of column y against column x, and the range over seeds as a band.

    Args:
        history: from `train`.
        y: a column.
        x: "round" or a column; its median over seeds is used.
        ax: matplotlib axes to draw on; None: a new figure.
        label: of the curve; None: algorithm and attack.

    On a logarithmic x axis, made so before or after, points at x = 0 are left out: before the
    first message no bits have been sent.

    Returns:
        The axes. Of the figures that are made here, pyplot keeps the last 16 open; older ones can
        still be saved through their axes.

    Raises:
        KeyError: no such column.
        ValueError: history or ax is something else.
        ImportError: matplotlib is not installed.
    """
    if not hasattr(history, "columns"):
        raise ValueError(f"history must be a jaxbyz.History, got {checks.said(history)}")
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "jaxbyz[plot]"') from error
    across, values = history[x], history[y]  # [E] or [S, E], [S, E]
    if ax is None:
        _, ax = plt.subplots(num=_free_label(plt))
    elif not hasattr(ax, "fill_between"):
        raise ValueError(f"ax must be matplotlib axes, got {checks.said(ax)}")
    across = across if across.ndim == 1 else np.median(across, axis=0)
    about = history.about
    label = f"{about.get('algorithm')}, {about.get('attack')}" if label is None else label
    middle, low, high = np.median(values, axis=0), values.min(axis=0), values.max(axis=0)
    (line,) = ax.plot(across, middle, label=label)
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
    ax.set_xlabel(LABELS.get(x, x.replace("_", " ")))
    ax.set_ylabel(LABELS.get(y, y.replace("_", " ")))
    ax.legend()
    return ax


def _free_label(pyplot: Any) -> str:
    """A label for a new figure; pyplot forgets the oldest of ours, or it would keep all."""
    ours = [label for label in pyplot.get_figlabels() if label.startswith(FIGURE)]
    for label in ours[: max(0, len(ours) - KEPT + 1)]:
        pyplot.close(label)
    taken = [int(label.removeprefix(FIGURE)) for label in ours]
    return f"{FIGURE}{max(taken, default=0) + 1}"
