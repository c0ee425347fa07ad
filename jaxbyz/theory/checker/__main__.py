"""`python jaxbyz/theory/checker FILES` imports this folder alone; with -m, the whole package."""

import importlib
import sys
from pathlib import Path

if __name__ == "__main__":
    if not __package__:
        sys.path[0] = str(Path(__file__).resolve().parents[1])
    sys.exit(importlib.import_module(__package__ or "checker").main(sys.argv[1:]))
