"""What a compiled program holds and sends, read from its text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

HOW = "all-gather", "all-reduce", "all-to-all", "collective-permute", "reduce-scatter"
SENDS = re.compile(rf" = (\(?.*?\)?) ({'|'.join(HOW)})(?:-start)?\(")
ARRAY = re.compile(r"\b(pred|[a-z]+)(\d*)\[([\d,]*)\]")


class Held(NamedTuple):
    """An array of a program."""

    bytes: int
    shape: tuple[int, ...]


def held(text: str) -> Iterator[Held]:
    """All arrays that a text names."""
    for kind, bits, lengths in ARRAY.findall(text):
        if kind == "pred" or bits:  # what else has brackets is no array
            shape = tuple(int(part) for part in lengths.split(",") if part)
            yield Held(math.prod(shape) * (1 if kind == "pred" else int(bits) // 8), shape)


def sent(text: str) -> Iterator[tuple[str, Held]]:
    """How, and what, devices get from each other: the results of every collective."""
    for line in text.splitlines():
        if found := SENDS.search(line):
            for each in held(found[1]):
                yield found[2], each
