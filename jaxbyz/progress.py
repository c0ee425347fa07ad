"""A progress bar for humans."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Bar"]


class Bar:
    """A bar on stderr, or nothing.

    Args:
        wanted: True: a bar (needs tqdm); False: none; None: one where stderr is a terminal and
            tqdm is installed.
        total: units of work.
        done: of them, before the bar starts.
        unit: what they are called.

    Raises:
        ImportError: a bar is wanted, and tqdm is not installed.
    """

    def __init__(self, wanted: bool | None, total: int, done: int = 0, unit: str = "round"):
        self.bar: Any = None
        if wanted is False or (wanted is None and not sys.stderr.isatty()):
            return
        try:
            from tqdm import tqdm
        except ImportError as error:
            if wanted:
                raise ImportError(
                    'progress=True needs tqdm: pip install "jaxbyz[progress]"'
                ) from error
            return
        self.bar = tqdm(total=total, initial=done, unit=unit, file=sys.stderr)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, units: int, beside: dict[str, str]) -> None:
        """Move on, and show some words beside the bar."""
        if self.bar is not None:
            self.bar.set_postfix(beside, refresh=False)
            self.bar.update(units)
