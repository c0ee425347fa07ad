"""The types: an algorithm is two halves that meet only through typed messages.

A worker sees its own data, through an oracle. A server sees what it was sent. One convention
holds everywhere: `(key, state, inputs...) -> (state, output)`, the order of `lax.scan`. Models,
gradients and estimates are flat vectors [d]; n is the number of workers, of which the first h are
honest and the last f Byzantine (every part but the simulation and the attacks is blind to that).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.deprecations import renamed_field

__all__ = [
    "Aggregated",
    "Aggregator",
    "Algorithm",
    "Attack",
    "Cell",
    "Codec",
    "Compressor",
    "Oracle",
    "Recipe",
    "Robustness",
    "Server",
    "ServerInfo",
    "View",
    "Worker",
]

Array = jax.Array
Key = jax.Array  # a typed threefry key
Tree = Any  # a pytree of arrays


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """What made a part: its constructor and all arguments, in what JSON can hold.

    Nothing computes with it; `History.about` tells it. Written by `jaxbyz.contracts.parts.part`.
    """

    maker: str
    arguments: Mapping[str, Any]


class Oracle(NamedTuple):
    """What a worker may ask of its own data.

    `draw` gives one sample *as a value*, so that it can be used at two points (STORM, PAGE,
    MARINA). Where a problem works with full local gradients, `draw` returns all local data.
    """

    full: Callable[[Array], Array]  # x [d] -> ∇f_i(x) [d], over all local data
    draw: Callable[[Key], Tree]  # key -> batch
    grad: Callable[[Tree, Array], Array]  # (batch, x [d]) -> [d], unbiased for full(x)


class Codec(NamedTuple):
    """The protocol of one algorithm, as a liar or an eavesdropper meets it.

    `encode` gives the legal message whose decoding is nearest to the wanted vector: what a
    Byzantine worker sends when it wants the server to read that vector. No scale factor is
    applied twice: `decode(encode(v))` equals v on the coordinates that the message may carry.
    """

    encode: Callable[[Key, Tree, Array], Tree]  # (key, broadcast, wanted [d]) -> message
    decode: Callable[[Tree, Tree], Array]  # (broadcast, message) -> [d], as the server reads it


class Compressor(NamedTuple):
    """A map from vectors to short messages.

    Unbiased: E C(x) = x and E‖C(x) - x‖² ≤ omega(d) ‖x‖².
    Contractive: E‖C(x) - x‖² ≤ (1 - alpha(d)) ‖x‖².
    A constant that a compressor does not have is None; an algorithm that needs it refuses.
    """

    compress: Callable[[Key, Array], Tree]  # (key, x [d]) -> message
    decompress: Callable[[Tree], Array]  # message -> [d]
    encode: Callable[[Key, Array], Tree]  # (key, wanted [d]) -> nearest legal message
    omega: Callable[[int], float] | None
    alpha: Callable[[int], float] | None
    recipe: Recipe | None = None


class Aggregated(NamedTuple):
    """What an aggregation rule returns."""

    value: Array  # [d]
    rejected: Array  # [n] bool: rows that were not finite and were replaced
    details: dict[str, Array]  # what the rule wants to say: iterations, residual, ...

    @property
    def bad(self) -> Array:
        """The former name of `rejected`."""
        return renamed_field(self, "bad", "rejected")


class ApplyRule(Protocol):
    """`apply` of an aggregator."""

    def __call__(self, key: Key | None, state: Tree, rows: Array) -> tuple[Tree, Aggregated]:
        """(key, state, rows [n, d]) -> (state, aggregated)."""
        ...


class Cell(NamedTuple):
    """A cone of sorted columns on which a coordinate-wise rule is linear."""

    weights: np.ndarray  # [n], R(y) = weights · y for y_1 ≤ … ≤ y_n; their sum is 1
    inequalities: np.ndarray  # [m, n], inequalities · y ≤ 0 besides the order; rows sum to 0


class Robustness(NamedTuple):
    """What is known of a rule's κ:  ‖R(X) - x̄_S‖² ≤ κ Var_S  for all X and all |S| = n-f.

    `exact` and `published` are functions (n, f) -> κ, or None where nothing is known (also where
    it is known that no finite κ exists); they never guess.
    """

    exact: Callable[[int, int], float | None]  # attained, and never exceeded
    published: Callable[[int, int], float | None]  # an upper bound that somebody has proved
    source: str  # who proved the upper bound
    cells: Callable[[int], list[Cell]] | None = None  # n -> the whole rule, if coordinate-wise
    # (n, f) -> c:  ‖R(X) - x̄_S‖ ≤ c diameter(S)  for all X and all |S| = n-f; for rules without κ
    reach: Callable[[int, int], float | None] | None = None


@dataclasses.dataclass(frozen=True)
class Aggregator:
    """A rule R^{n×d} -> R^d, finite whenever at most f rows are rejected.

    `init(d)` makes the state (None for nearly all rules). A rule can be called directly on
    rows [n, d] when it needs neither key nor state, and then returns the vector alone; so it can
    be given to `jax.jit`, `vmap` or `grad` as any function. `robustness` is for
    `jaxbyz.aggregators.kappa`; None: nothing is known.

    A rule that was made with f = None, or of such a rule, waits for a number of Byzantine rows:
    `bind(f)` is the same rule for that many, and whoever knows a problem calls it.
    """

    init: Callable[[int], Tree]
    apply: ApplyRule
    robustness: Robustness | None = None
    _: dataclasses.KW_ONLY
    f: int | None = None  # for how many Byzantine rows it says that it was made
    bind: Callable[[int], Aggregator] | None = None  # f -> the rule; None: it waits for nothing
    recipe: Recipe | None = None

    def __call__(self, rows: Array) -> Array:
        """Aggregate rows [n, d] to [d], for rules without state and randomness.

        Raises:
            ValueError: no rows, empty ones, or ones of anything but real numbers.
        """
        rows = checks.rows(rows)
        _, aggregated = self.apply(None, self.init(rows.shape[1]), rows)
        value: Array = returned.vector("aggregator", aggregated.value, rows.shape[1])
        return value


class ServerInfo(NamedTuple):
    """What there is to look at in one server round; no state, nothing here feeds the next round."""

    rows: Array  # [n, d] what the aggregator was given: momenta, estimates, gradients
    aggregate: Array  # [d] what it returned
    rejected: Array  # [n] bool: at the entrance, or not finite in the aggregator
    details: dict[str, Array]

    @property
    def bad(self) -> Array:
        """The former name of `rejected`."""
        return renamed_field(self, "bad", "rejected")


class Worker(NamedTuple):
    """The half of an algorithm that sees data.

    `init` answers the round-0 broadcast; its message is None for algorithms without a hello.
    `unchanged(state, broadcast, silent)` is what a worker says whose gradient is no number: given
    its memory and the message of this round with all numbers 0, the legal message that changes the
    server least. None: that of zeros. (What else happens in such a round: `jaxbyz.faulty_rounds`.)
    """

    init: Callable[[Key, Tree, Oracle], tuple[Tree, Tree]]  # (key, broadcast, oracle)
    step: Callable[[Key, Tree, Tree, Oracle], tuple[Tree, Tree]]
    # step(key, state, broadcast, oracle) -> (state, message)
    unchanged: Callable[[Tree, Tree, Tree], Tree] | None = None


class Server(NamedTuple):
    """The half of an algorithm that sees messages.

    Every server state has a field `x` [d], the model. `start` makes the state from x alone;
    `hello` takes in the round-0 messages, for algorithms that have them (else None).
    """

    start: Callable[[Array, int], Tree]  # (x [d], n) -> state
    hello: Callable[[Key, Tree, Tree, Tree], tuple[Tree, ServerInfo]] | None
    broadcast: Callable[[Key, Tree], Tree]  # (key, state) -> broadcast
    step: Callable[[Key, Tree, Tree, Tree], tuple[Tree, ServerInfo]]
    # step(key, state, broadcast, messages [n, ...]) -> (state, info)


class Algorithm(NamedTuple):
    """Two halves and the protocol between them."""

    name: str
    worker: Worker
    server: Server
    codec: Codec
    hello: Codec | None  # the protocol of round 0; None: nothing is sent
    # Probability that `coin`, a field of its broadcast, is 1, for methods that toss one; None: no
    # coin. Read by `describe` alone.
    coin: Any = None
    # Read by whoever puts it on a problem: its rule, which must suit the number of workers, and the
    # same algorithm with a rule for f Byzantine workers, where that waits for a problem's f.
    aggregator: Aggregator | None = None
    bind: Callable[[int], Algorithm] | None = None
    recipe: Recipe | None = None


class View(NamedTuple):
    """Everything an omniscient adversary sees before it speaks."""

    round: Array  # [] int32; 0 is the hello
    honest: Array  # [h, d] decoded honest messages of this round
    own: Array | None  # [f, d] what the Byzantine workers would say if they followed the protocol
    broadcast: Tree
    server: Tree  # the server's state before this round
    read: Callable[[Array], Array]  # wanted rows [f, d] -> what is left of them on the wire, [f, d]
    respond: Callable[[Array], ServerInfo]  # wanted rows [f, d] -> what the server would make of it
    byzantine: int  # f, the real number


class Attack(NamedTuple):
    """What Byzantine workers do: poison their data, forge their messages, or both.

    `forge` returns the vectors that the server shall read from the Byzantine workers; they are
    encoded as legal messages and charged. None: they send what the protocol makes of their data.
    `poison` maps the honest worker data whose copy they hold (every leaf [f, ...]) to their own.
    None: they hold no data and compute nothing, and `View.own` is None.
    `abstain(state, view)`, with the state that `forge` returned, says in which rounds what was
    forged is dropped, and they send what the protocol makes of their data; None: in no round.
    """

    name: str
    init: Callable[[Key, int], Tree]  # (key, d) -> state
    forge: Callable[[Key, Tree, View], tuple[Tree, Array]] | None  # -> (state, rows [f, d])
    poison: Callable[[Tree], Tree] | None
    abstain: Callable[[Tree, View], Array] | None = None  # -> [] bool
    recipe: Recipe | None = None
