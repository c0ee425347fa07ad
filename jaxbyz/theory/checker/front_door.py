"""What `python jaxbyz/theory/checker FILES` does with each file, and what it prints of it.

The file says what it is: a certificate has the key "format", a counterexample has "claim". Exit
code: 0 if every certificate is proved and every counterexample violates its claim; 1 if one does
not; 2 if one is unusable. A fault of one file does not stop the next one.
"""

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import certificates

SOUND, NOT, UNUSABLE = 0, 1, 2
MOST_CHARACTERS = 10_000_000  # read of a file


def examined(path: str, counterexample: Callable[[str, str], tuple[int, str]]) -> tuple[int, str]:
    """Exit code and text for one file; `counterexample` takes path and text of such a file."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS)
    except (OSError, ValueError) as error:
        return UNUSABLE, f"{path}: unusable: {error}"
    if _may_be_counterexample(text):
        return counterexample(path, text)
    began = time.perf_counter_ns()
    try:
        proof = certificates.prove(certificates.decoded(text))
    except certificates.Unusable as error:
        return UNUSABLE, f"{path}: unusable: {error}"
    # In thousandths of a second: whole numbers.
    spent = (time.perf_counter_ns() - began) // 1_000_000
    seconds = f"{spent // 1000}.{spent % 1000:03d} s"
    if not proof.proved:
        return NOT, f"{path}: REJECTED: {proof.sentence}; {proof.boxes} boxes, {seconds}"
    word = "box" if proof.boxes == 1 else "boxes"
    return SOUND, f"{path}: PROVED, {proof.boxes} {word}, {seconds}:\n{proof.sentence}"


def _may_be_counterexample(text: str) -> bool:
    """Whether it is an object with the key "claim"; certificates are read by their own rules."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and "claim" in record and "format" not in record


def main(
    paths: list[str],
    counterexample: Callable[[str, str], tuple[int, str]],
    write: Callable[[str], Any] | None = None,
) -> int:
    """Examine files one after the other; the largest exit code. `write` takes what is printed."""
    if write is None:
        if isinstance(sys.stdout, io.TextIOWrapper):  # what it cannot print is printed as \\u1234
            sys.stdout.reconfigure(errors="backslashreplace")
        write = sys.stdout.write
    if not paths:
        write("usage: python jaxbyz/theory/checker FILE.json ...\n")
        return UNUSABLE
    worst = SOUND
    for path in paths:
        code, text = examined(path, counterexample)
        write(text + "\n")
        worst = max(worst, code)
    return worst
