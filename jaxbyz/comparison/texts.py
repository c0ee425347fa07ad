"""A comparison in words: one line, a table of text, a table of HTML."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from jaxbyz.tables import html_table, spread

if TYPE_CHECKING:
    from jaxbyz.comparison.results import Comparison


def amount(race: Comparison, budget: str) -> str:
    """A budget in words: "100 rounds"."""
    return f"{race.budgets[budget]:g} {budget}{'s' if budget == 'round' else ''}"


def title(race: Comparison, budget: str) -> str:
    """What the table of a budget shows."""
    after = amount(race, budget)
    return f"{race.problem}: {race.measure} after {after}; step sizes chosen on other seeds"


def summary(race: Comparison) -> str:
    """How much was compared, in one line."""
    counts = {
        "method": len(race.methods),
        "attack": len(race.attacks),
        "reported seed": race.reported,
    }
    told = ", ".join(f"{count} {it}{'' if count == 1 else 's'}" for it, count in counts.items())
    within = ", ".join(amount(race, budget) for budget in race.budgets)
    return f"{race.problem}: {told}; {race.measure} within {within}"


def table(race: Comparison, budget: str) -> str:
    """One budget as aligned text, methods from best to worst under every attack."""
    width = max(map(len, (*race.methods, "method")))
    wide = max(16, *map(len, race.attacks)) + 2
    timed = not all(math.isnan(seconds) for seconds in race.server_seconds.values())
    lines = [
        title(race, budget),
        f"{'attack':<{wide}}{'method':<{width}}  {'mean':>11} {'lowest':>11} {'highest':>11}"
        f"  {'step':<10}{'server ms' if timed else ''}".rstrip(),
    ]
    for row in race.rows(budget):
        step = f"{row.step:.4g}{' *' if row.at_end else ''}"
        server = f"{1e3 * row.server_seconds:>9.3f}" if timed else ""
        line = (
            f"{row.attack:<{wide}}{row.method:<{width}}  {row.values.mean():>11.4g}"
            f" {row.values.min():>11.4g} {row.values.max():>11.4g}  {step:<10}"
            f"{server}{'' if row.used_up else '  (not used up)'}"
        )
        lines.append(line.rstrip())
    lines.append("* the end of the grid of step sizes")
    return "\n".join(lines)


def html(race: Comparison, budget: str) -> str:
    """One budget as a table of HTML, with the same lines."""
    head = ["attack", "method", "mean", "lowest", "highest", "step", "server ms"]
    lines = [
        [
            row.attack,
            row.method,
            *spread(row.values, 4),
            f"{row.step:.4g}{' *' if row.at_end else ''}",
            f"{1e3 * row.server_seconds:.3f}",
        ]
        for row in race.rows(budget)
    ]
    return html_table(title(race, budget), head, lines)
