"""`python -m jaxbyz.theory.proofs`: find the certificates of this package anew (extra `sdp`).

Those named as arguments, or all; one line each. A file is written where one was found.
"""

import json
import sys
import time

from jaxbyz.theory.proofs.search import find
from jaxbyz.theory.proofs.wanted import FOLDER, WANTED


def main(names: list[str]) -> int:
    """1 if one was not found."""
    missing = 0
    for wanted in WANTED:
        if names and wanted.name not in names:
            continue
        began = time.perf_counter()
        found = find(
            wanted.method, wanted.constants, slack=wanted.slack, room=wanted.room, most=wanted.most
        )
        seconds = time.perf_counter() - began
        if found is None:
            missing += 1
            print(f"{wanted.name:32s} none found, {seconds:.0f} s", flush=True)
            continue
        text = json.dumps(found.record, indent=1) + "\n"
        (FOLDER / f"{wanted.name}.json").write_text(text, encoding="utf-8")
        floor = found.record["constants"]["C"]
        said = f"C = {floor}, {found.proof.boxes} boxes, {seconds:.0f} s"
        print(f"{wanted.name:32s} {said}", flush=True)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
