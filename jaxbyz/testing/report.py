"""What the checks say: a `Report` when all properties hold, `PropertyFailed` when one does not.

A failure names the property, the input, what was measured, what was allowed and why, and carries a
reproducer: code that runs as it is once the checked part has its name there, and then fails.
"""

import contextlib
import dataclasses
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

IMPORTS = """\
import jax
import jax.numpy as jnp
import numpy as np
from numpy import inf, nan
"""


@dataclasses.dataclass(frozen=True)
class Report:
    """Which properties of a part were checked and hold, and which were skipped and why.

    >>> print(Report("aggregator", ("finite",), {"scale": "not claimed"}))
    aggregator: 1 property holds
      + finite
      - scale (skipped: not claimed)
    """

    part: str
    checked: tuple[str, ...]
    skipped: Mapping[str, str]  # property -> why

    def __str__(self) -> str:
        count = len(self.checked)
        says = "property holds" if count == 1 else "properties hold"
        lines = [f"{self.part}: {count} {says}", *(f"  + {name}" for name in self.checked)]
        lines += [f"  - {name} (skipped: {why})" for name, why in self.skipped.items()]
        return "\n".join(lines)


class PropertyFailed(AssertionError):
    """A part does not have a property of its kind.

    Fields: part, property, input (in words), measured, allowed, reason (of what is allowed), and
    reproducer, code that fails in a namespace where the part has the name that it says.
    """

    def __init__(
        self,
        part: str,
        property: str,
        input: str,
        measured: float | str,
        allowed: float | str,
        reason: str,
        reproducer: str,
    ) -> None:
        self.part, self.property, self.input = part, property, input
        self.measured, self.allowed, self.reason = measured, allowed, reason
        self.reproducer = reproducer
        super().__init__(
            f"{part}: {property}\n"
            f"  input     {input}\n"
            f"  measured  {measured}\n"
            f"  allowed   {allowed}: {reason}\n"
            f"  reproducer\n\n{textwrap.indent(reproducer, '    ')}"
        )


class Case(NamedTuple):
    """One input: in words, and the arrays by the names that they have in the reproducer."""

    name: str
    arrays: Mapping[str, Any] = {}


class Property(NamedTuple):
    """One property of a part, and whether the part claims to have it."""

    name: str
    claimed: bool
    check: Callable[[], None]  # raises PropertyFailed


def literal(value: Any) -> str:
    """A number or an array as code that gives it back exactly.

    >>> literal(np.array([0.1, np.nan], np.float32))
    "np.array([0.1, nan], 'float32')"
    """
    if isinstance(value, bool | int | float | str):
        return repr(value)
    value = np.asarray(value)
    entries = np.array2string(
        value, separator=", ", threshold=sys.maxsize, floatmode="unique", max_line_width=92
    )
    return f"np.array({entries}, {value.dtype.name!r})"


class Battery:
    """Checks properties one after another, and raises the first that does not hold.

    Args:
        part: what is checked, in words, for the report.
        setup: lines of every reproducer that follow the imports.
    """

    def __init__(self, part: str, setup: str) -> None:
        self.part, self.setup = part, setup
        self.checked: list[str] = []
        self.skipped: dict[str, str] = {}

    def report(self) -> Report:
        """What was done."""
        return Report(self.part, tuple(self.checked), dict(self.skipped))

    def skip(self, name: str, why: str) -> None:
        """A property that does not apply."""
        self.skipped[name] = why

    def check(self, properties: Iterable[Property]) -> None:
        """All of them in this order; those that are not claimed are skipped."""
        for property in properties:
            if property.claimed:
                property.check()
            else:
                self.skip(property.name, "not claimed")

    def judge(
        self, name: str, cases: Sequence[Case], measured: Any, allowed: Any, reason: str, code: str
    ) -> None:
        """measured ≤ allowed for every case, else the worst one is raised; NaN is the worst.

        `measured` and `allowed` have one number per case, or one for all. `code` follows the
        arrays of the case; ALLOWED in it stands for the number.
        """
        shape = (len(cases),)
        found = np.broadcast_to(np.asarray(measured, np.float64), shape)
        most = np.broadcast_to(np.asarray(allowed, np.float64), shape)
        failing = ~(found <= most)
        if failing.any():
            with np.errstate(all="ignore"):
                excess = np.where(np.isnan(found), np.inf, found) / np.maximum(most, 1e-300)
            worst = int(np.argmax(np.where(failing, excess, -1)))
            self.fail(name, cases[worst], float(found[worst]), float(most[worst]), reason, code)
        if name not in self.checked:
            self.checked.append(name)

    def demand(
        self, name: str, case: Case, holds: bool, measured: str, reason: str, code: str
    ) -> None:
        """A statement that is true or false, of one case."""
        if not holds:
            self.fail(name, case, measured, "only what the contract says", reason, code)
        if name not in self.checked:
            self.checked.append(name)

    @contextlib.contextmanager
    def attempt(self, name: str, case: Case, code: str) -> Iterator[None]:
        """What runs inside belongs to a property: an exception there is its failure."""
        try:
            yield
        except PropertyFailed:
            raise
        except Exception as error:
            said = str(error).splitlines() or [""]
            measured = f"raises {type(error).__name__}: {said[0]}"
            self.fail(name, case, measured, "no exception", "every legal input works", code, error)

    def fail(
        self,
        name: str,
        case: Case,
        measured: float | str,
        allowed: float | str,
        reason: str,
        code: str,
        cause: Exception | None = None,
    ) -> None:
        """Raise, with a reproducer."""
        given = [f"{key} = {literal(value)}" for key, value in case.arrays.items()]
        wide = jnp.zeros(()).dtype == jnp.float64
        mode = ['jax.config.update("jax_enable_x64", True)'] if wide else []
        body = textwrap.dedent(code).strip("\n").replace("ALLOWED", repr(allowed))
        text = "\n".join([IMPORTS, *mode, self.setup.strip("\n"), "", *given, body]) + "\n"
        raise PropertyFailed(self.part, name, case.name, measured, allowed, reason, text) from cause
