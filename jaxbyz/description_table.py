"""`describe_table`: what several algorithms cost, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jaxbyz import checks, frames
from jaxbyz.contracts.parts import require, require_all
from jaxbyz.core import Algorithm
from jaxbyz.describe import Description, describe
from jaxbyz.tables import html_table, text_table

HEAD = (
    "algorithm", "message", "uplink bits", "downlink bits", "start bits", "worker memory",
    "server memory", "sampled gradients", "full gradients",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class DescriptionTable:
    """Costs of several algorithms in one dimension; `print` it for the table.

    Bits, memory and gradients are those of a `Description`: expected, of one worker in one round;
    start bits are those of the hello. The unit of memory is a vector of d numbers, and "1 + 2 n" is
    that of a server of n workers.
    """

    dimension: int  # d
    descriptions: Mapping[str, Description]  # name -> costs

    def __getitem__(self, name: str) -> Description:
        """The costs of one algorithm."""
        if name not in self.descriptions:
            raise KeyError(f"no algorithm {name!r}; there are {list(self.descriptions)}")
        return self.descriptions[name]

    def to_frame(self) -> Any:
        """A pandas data frame: one line an algorithm, one column a field of `Description`.

        The column "algorithm" has the names that were given; `name` is the algorithm's own.

        Raises:
            ImportError: pandas is not installed.
        """
        return frames.of_records(
            [
                {"algorithm": name, **dataclasses.asdict(costs)}
                for name, costs in self.descriptions.items()
            ]
        )

    def __str__(self) -> str:
        return f"{self._title()}\n{text_table(HEAD, self._lines())}"

    def __repr__(self) -> str:
        return f"DescriptionTable({', '.join(self.descriptions)}; d = {self.dimension})"

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        return html_table(self._title(), HEAD, self._lines())

    def _title(self) -> str:
        return f"expected costs of one worker in one round, d = {self.dimension}"

    def _lines(self) -> list[list[str]]:
        return [
            [
                name,
                costs.message,
                _written(costs.uplink_bits),
                _written(costs.downlink_bits),
                _written(costs.start_bits),
                _written(costs.worker_memory),
                _server(costs.server_memory, costs.server_memory_per_worker),
                _written(costs.sampled_gradients),
                _written(costs.full_gradients),
            ]
            for name, costs in self.descriptions.items()
        ]


def describe_table(
    algorithms: Sequence[Algorithm] | Mapping[str, Algorithm], d: int
) -> DescriptionTable:
    """What several algorithms cost in dimension d; each is described once, by `describe`.

    Args:
        algorithms: name -> algorithm, or a list of algorithms of different names.
        d: the dimension.

    Raises:
        ValueError: no algorithms, something else, or two of one name in a list; and as `describe`.

    >>> import jaxbyz as jb, optax
    >>> common = {"optimizer": optax.sgd(0.1), "aggregator": jb.trimmed_mean(f=2)}
    >>> table = describe_table({"dense": jb.robust_sgd(**common),
    ...                         "k = 4": jb.rosdhb(k=4, momentum=0.9, **common)}, 1000)
    >>> table["k = 4"].uplink_bits, table
    (128.0, DescriptionTable(dense, k = 4; d = 1000))
    """
    d = checks.count("d", d, minimum=1)
    if isinstance(algorithms, Mapping):
        named = dict(algorithms)
        for name, algorithm in named.items():
            if not isinstance(name, str):
                raise ValueError(f"algorithms must have texts as names, got {checks.said(name)}")
            require("Algorithm", f"algorithms[{name!r}]", algorithm)
    else:
        several = require_all("Algorithm", "algorithms", algorithms)
        names = [algorithm.name for algorithm in several]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(
                f"algorithms must have different names, got {twice[0]!r} twice: write a dictionary "
                "of names and algorithms"
            )
        named = dict(zip(names, several, strict=True))
    if not named:
        raise ValueError(f"algorithms must be at least one, got {checks.said(algorithms)}")
    return DescriptionTable(d, {name: describe(it, d) for name, it in named.items()})


def _written(number: float) -> str:
    """A number with at most two decimals, or three digits where it is small.

    >>> _written(3200.0), _written(1040.125), _written(0.25), _written(0.004)
    ('3,200', '1,040.12', '0.25', '0.004')
    """
    if 0 < abs(number) < 1:
        return f"{number:.3g}"
    text = f"{number:,.2f}"
    return text.rstrip("0").rstrip(".")


def _server(memory: float, for_each: float) -> str:
    """Memory of a server of n workers: "1 + 2 n"."""
    if for_each == 0:
        return _written(memory)
    return f"{_written(memory)} + {'' if for_each == 1 else _written(for_each) + ' '}n"
