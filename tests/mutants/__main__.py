"""`PYTHONPATH=tests python -m mutants`: every planted error × every engine, as a table."""

import sys
from concurrent.futures import ThreadPoolExecutor

import jax

from jaxbyz.theory import Budget, Claim, Report
from mutants.table import MUTANTS, flagged, reports, verdict

BUDGET = Budget(random=500, starts=8, steps=150)


def name_of(claim: Claim) -> str:
    """Two claims of this name are the same claim."""
    return f"{claim.key}, {[family.name for family in claim.families]}"


def main() -> int:
    """Print the table; 1 if an error is missed, or something right is flagged."""
    controls: dict[str, Claim] = {}  # many planted errors have the same control
    for mutant in MUTANTS:
        controls.setdefault(name_of(mutant.right()), mutant.right())

    def ask(claim: Claim) -> dict[str, Report]:
        with jax.enable_x64(True):  # a setting of the thread
            return reports(claim, BUDGET)

    with ThreadPoolExecutor(2) as pool:  # most of the time is compiling
        right = dict(zip(controls, pool.map(ask, controls.values()), strict=True))
        wrong = pool.map(ask, [mutant.wrong() for mutant in MUTANTS])
        found = []
        for mutant, said in zip(MUTANTS, wrong, strict=True):
            found.append((mutant, said, right[name_of(mutant.right())]))
            print(f"{mutant.paper}: {mutant.planted}", file=sys.stderr, flush=True)
    engines = sorted({engine for _, wrong, _ in found for engine in wrong})
    killed = sum(any(map(flagged, wrong.values())) for _, wrong, _ in found)
    clean = sum(not any(map(flagged, right.values())) for _, _, right in found)
    print("# Planted errors\n")
    print(
        "Written by `make mutants`. Every line is an error planted in a claim, a constant, the\n"
        "code, what users receive or the audit itself, and what each engine says: **refuted**\n"
        "(verified in rational arithmetic), **suspected** (a violation in floating-point\n"
        "numbers), **missed**, or nothing where the engine does not apply. The same engines are\n"
        "held against what is right: `flagged` there would be a false alarm.\n"
    )
    print(f"{killed} of {len(found)} planted errors are noticed; {clean} of {len(found)} controls "
          "are clean.\n")  # fmt: skip
    print("| paper | kind | planted error | " + " | ".join(engines) + " | control |")
    print("|---|---|---|" + "---|" * len(engines) + "---|")
    for mutant, wrong, right in found:
        cells = [verdict(wrong[engine]) if engine in wrong else "" for engine in engines]
        control = "flagged" if any(map(flagged, right.values())) else "clean"
        planted = mutant.planted.replace("|", "\\|")
        line = [mutant.paper, mutant.kind, planted, *cells, control]
        print("| " + " | ".join(line) + " |")
    return 0 if killed == clean == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
