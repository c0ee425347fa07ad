"""Figures from histories (needs matplotlib, the extra "plot")."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxbyz.history import History

__all__ = ["plot"]

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

    Returns:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "jaxbyz[plot]"') from error
    if ax is None:
        _, ax = plt.subplots()
    across = history[x]
    across = across if across.ndim == 1 else np.median(across, axis=0)
    values = history[y]  # [S, E]
    about = history.about
    label = f"{about.get('algorithm')}, {about.get('attack')}" if label is None else label
    (line,) = ax.plot(across, np.median(values, axis=0), label=label)
    if len(values) > 1:
        ax.fill_between(
            across, values.min(axis=0), values.max(axis=0), color=line.get_color(), alpha=0.2, lw=0
        )
    ax.set_xlabel(LABELS.get(x, x.replace("_", " ")))
    ax.set_ylabel(LABELS.get(y, y.replace("_", " ")))
    ax.legend()
    return ax
