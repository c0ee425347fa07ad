"""The progress bar of `train` and `compare`."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from jaxbyz import checks


class Bar:
    """A bar on stderr or in a notebook, or nothing.

    Until the first units of work are done it says "compiling", which is what is waited for then.

    Args:
        wanted: True: a bar (needs tqdm); False: none; None: a bar if tqdm is installed and either
            stderr is a terminal or a notebook runs. A program without stderr gets none.
        total: units of work.
        done: of them, before the bar starts.
        unit: what they are called.

    Raises:
        ValueError: wanted is something else.
        ImportError: a bar is wanted, and tqdm is not installed.
    """

    def __init__(self, wanted: bool | None, total: int, done: int = 0, unit: str = "round"):
        if wanted not in (True, False, None):
            came = checks.said(wanted)
            raise ValueError(f"progress must be True, False or None, got {came}")
        self.bar: Any = None
        seen = in_notebook() or terminal()
        if wanted is False or (wanted is None and not seen):
            return
        try:
            with warnings.catch_warnings():
                # Without the widgets of Jupyter it draws in text, which is as good.
                warnings.simplefilter("ignore")
                from tqdm.auto import tqdm
        except ImportError as error:
            if wanted:
                raise ImportError(
                    'progress=True needs tqdm: pip install "jaxbyz[progress]"'
                ) from error
            return
        if sys.stderr is not None or in_notebook():
            self.bar = tqdm(total=total, initial=done, unit=unit, file=sys.stderr, desc="compiling")

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, units: int, beside: dict[str, str]) -> None:
        """Move on, and show some words beside the bar."""
        if self.bar is not None:
            self.bar.set_description_str("", refresh=False)
            self.bar.set_postfix(beside, refresh=False)
            self.bar.update(units)


def terminal() -> bool:
    """Whether stderr is a terminal; a program with a window has none, or one that cannot say."""
    asks = getattr(sys.stderr, "isatty", None)
    return bool(asks()) if callable(asks) else False


def in_notebook() -> bool:
    """Whether this is a cell of a Jupyter notebook."""
    python = sys.modules.get("IPython")  # whoever runs one has imported it
    shell = None if python is None else python.get_ipython()
    return hasattr(shell, "kernel")
