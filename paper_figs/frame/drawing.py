"""How figures look: one colour a method in all of them, median and range, titles with units."""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

import jaxbyz as jb
from jaxbyz.storage import arrays

# The colours of Okabe and Ito, which people with colour-blindness can tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE, GREY = "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999"

METHODS = {  # method -> colour, line style: the same in every figure
    "RoSDHB": (BLUE, "-"),
    "RoSDHB, local masks": (BLUE, ":"),
    "Byz-DASHA-PAGE": (VERMILION, "--"),
    "Byz-DM21": (GREEN, "-"),
    "Byz-VR-DM21": (GREEN, "--"),
    "Byz-EF21": (ORANGE, "-"),
    "Byz-EF21-SGDM": (ORANGE, "--"),
    "Byz-VR-MARINA": (PURPLE, "-"),
    "Byz-VR-MARINA, no sync": (PURPLE, ":"),
    "BR-DIANA": (SKY, "-"),
    "BR-CSGD": (SKY, "--"),
    "EF14": (ORANGE, ":"),
    "BROADCAST": (SKY, ":"),
    "robust D-SGD": (GREY, "-"),
    "D-SHB": (GREY, "--"),
    "no attack": (BLACK, ":"),
}
LARGEST = 120_000  # bytes of a picture that is committed
DOTS = (110, 95, 80)  # an inch: the first that is small enough


def style(method: str) -> dict[str, Any]:
    """Colour and line style of a method.

    Raises:
        ValueError: a method that has none; it belongs into `METHODS`.
    """
    if method not in METHODS:
        raise ValueError(f"method must have a colour in METHODS, got {method!r}")
    color, line = METHODS[method]
    return {"color": color, "linestyle": line}


def shades(count: int, name: str = "viridis") -> Any:
    """So many colours in order, for a parameter that grows; readable in grey too."""
    import matplotlib

    return matplotlib.colormaps[name](np.linspace(0.0, 0.85, count))


def axes(rows: int, columns: int, **options: Any) -> tuple[Any, Any]:
    """A figure and its axes [rows, columns], without a window and unknown to pyplot."""
    from matplotlib.figure import Figure

    figsize = options.pop("figsize", (4.2 * columns, 3.4 * rows))
    figure = Figure(figsize=figsize, layout="constrained")
    return figure, figure.subplots(rows, columns, **({"squeeze": False} | options))


def curve(
    ax: Any, history: jb.History, y: str, x: str = "round", *, label: str, **looks: Any
) -> None:
    """The median over seeds of a column against another, and the range over seeds as a band."""
    history.plot(y, x, ax=ax, label=label)
    ax.lines[-1].set(**({"linewidth": 1.4} | looks))
    if ax.collections and "color" in looks:
        ax.collections[-1].set_facecolor(looks["color"])
    ax.get_legend().remove()
    ax.grid(visible=True, alpha=0.25)


def legend(ax: Any, **options: Any) -> None:
    """Small, with every label once."""
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    ax.legend(once.values(), once.keys(), **({"fontsize": 7, "framealpha": 0.85} | options))


def legend_outside(figure: Any, ax: Any, place: str = "lower center", columns: int = 3) -> None:
    """The legend of one of the axes, outside of all of them."""
    handles, labels = ax.get_legend_handles_labels()
    columns = min(columns, len(labels))
    figure.legend(handles, labels, loc=f"outside {place}", ncols=columns, fontsize=7)


def title(figure: Any, text: str) -> None:
    """Above all axes, in lines that fit and do not end within "γ = 0.1"."""
    width = int(13 * figure.get_figwidth())
    text = text.replace(" = ", "\u00a0=\u00a0")
    figure.suptitle("\n".join(textwrap.wrap(text, width, break_on_hyphens=False)), fontsize=9)


def save(figure: Any, path: Path) -> Path:
    """Write a PNG of 256 colours, of at most `LARGEST` bytes, as fine as that allows.

    Raises:
        ValueError: it is larger; draw less, or in fewer colours.
    """
    from PIL import Image

    for dots in DOTS:
        raw, packed = io.BytesIO(), io.BytesIO()
        figure.savefig(raw, dpi=dots, format="png")
        image = Image.open(raw).convert("RGB").quantize(256, dither=Image.Dither.NONE)
        image.save(packed, format="png", optimize=True)
        if packed.tell() <= LARGEST:
            break
    if packed.tell() > LARGEST:
        raise ValueError(f"{path.name} must be at most {LARGEST} bytes, got {packed.tell()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays.write_whole(path, lambda file: file.write(packed.getvalue()))
    return path
