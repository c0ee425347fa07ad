"""The types. An algorithm has two halves, worker and server, which exchange only messages.

A worker sees only its own data, through an oracle. The server sees only the messages that it is
sent. A *row* is a vector [d] that the server reads from, or keeps for, one worker; *rows* are those
of all n workers, [n, d]. Models, gradients and estimates are flat vectors [d]. The first h of the n
workers are honest and the last f Byzantine; only the simulation and the attacks know that.

All functions have the order of `lax.scan`: `(key, state, inputs...) -> (state, output)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from jaxbyz import checks
from jaxbyz.contracts import returned
from jaxbyz.contracts.shown import shown
from jaxbyz.deprecations import renamed, renamed_field

Array = jax.Array
Key = jax.Array  # a typed threefry key
Tree = Any  # a pytree of arrays


@dataclasses.dataclass(frozen=True, eq=False)
class Recipe:
    """What made a part: the name of its constructor, and all arguments as JSON can hold them.

    It is stored in `History.about`, and nothing computes with it. The decorator `part` of
    `jaxbyz.contracts.constructors` writes it.
    """

    maker: str
    arguments: Mapping[str, Any]


class Oracle(NamedTuple):
    """What a worker may ask of its own data.

    `draw` returns a batch as a value, so that its gradient can be computed at two points, as
    STORM, PAGE and MARINA do. A problem with full local gradients draws all local data.

    Where batches are positions of samples [b], `owned` says which of the positions 0..m-1 are
    samples of this worker; m is the largest number of samples that a worker has.
    """

    full: Callable[[Array], Array]  # x [d] -> ∇f_i(x) [d], over all local data
    draw: Callable[[Key], Tree]  # key -> batch
    grad: Callable[[Tree, Array], Array]  # (batch, x [d]) -> [d], unbiased for full(x)
    owned: Any = None  # [m] bool; None: batches are no positions


class Codec(NamedTuple):
    """How messages of an algorithm are encoded and decoded, as an attacker or observer sees it.

    `encode` returns the legal message whose decoding is nearest to the wanted vector. A Byzantine
    worker sends it to make the server read that vector. On the coordinates that the message can
    carry, `decode(encode(v))` is v: what the protocol multiplies by, `encode` divides by.
    """

    encode: Callable[[Key, Tree, Array], Tree]  # (key, broadcast, wanted [d]) -> message
    decode: Callable[[Tree, Tree], Array]  # (broadcast, message) -> [d], as the server reads it


class Compressor(NamedTuple):
    """A map C from vectors [d] to short messages.

    Unbiased: E C(x) = x and E‖C(x) - x‖² ≤ omega(d) ‖x‖².
    Contractive: E‖C(x) - x‖² ≤ (1 - alpha(d)) ‖x‖².
    `omega` or `alpha` is None for a compressor without that property; the constructor of an
    algorithm that needs it then raises ValueError.
    """

    compress: Callable[[Key, Array], Tree]  # (key, x [d]) -> message
    decompress: Callable[[Tree], Array]  # message -> [d]
    encode: Callable[[Key, Array], Tree]  # (key, wanted [d]) -> nearest legal message
    omega: Callable[[int], float] | None
    alpha: Callable[[int], float] | None
    recipe: Recipe | None = None

    def __repr__(self) -> str:
        return shown(self)


class Aggregated(NamedTuple):
    """What an aggregation rule returns."""

    value: Array  # [d]
    rejected: Array  # [n] bool: rows that were not finite and were replaced
    details: dict[str, Array]  # further results of the rule: iterations, residual, ...

    @property
    def bad(self) -> Array:
        """The former name of `rejected`."""
        return renamed_field(self, "bad", "rejected")


class ApplyRule(Protocol):
    """`apply` of an aggregator."""

    def __call__(self, key: Key | None, state: Tree, rows: Array) -> tuple[Tree, Aggregated]:
        """(key, state, rows [n, d]) -> (state, aggregated)."""
        ...


class LinearPiece(NamedTuple):
    """A cone of sorted columns on which a coordinate-wise rule is linear."""

    weights: np.ndarray  # [n], R(y) = weights · y for y_1 ≤ … ≤ y_n; their sum is 1
    inequalities: np.ndarray  # [m, n], inequalities · y ≤ 0 besides the order; rows sum to 0


class Robustness(NamedTuple):
    """What is known of a rule's κ:  ‖R(X) - x̄_S‖² ≤ κ Var_S  for all X and all |S| = n-f.

    X are rows [n, d], x̄_S the mean of the rows in S, Var_S the mean of ‖x_i - x̄_S‖² over S.
    `exact` and `published` are functions (n, f) -> κ. They return None where nothing is known, or
    where no finite κ exists.
    """

    exact: Callable[[int, int], float | None]  # attained, and never exceeded
    published: Callable[[int, int], float | None]  # an upper bound that somebody has proved
    source: str  # who proved the upper bound
    pieces: Callable[[int], list[LinearPiece]] | None = (
        None  # n -> the whole rule, if coordinate-wise
    )
    # (n, f) -> c:  ‖R(X) - x̄_S‖ ≤ c diameter(S)  for all X and all |S| = n-f; for rules without κ
    reach: Callable[[int, int], float | None] | None = None

    @property
    def cells(self) -> Callable[[int], list[LinearPiece]] | None:
        """The former name of `pieces`."""
        return renamed_field(self, "cells", "pieces")


@dataclasses.dataclass(frozen=True, repr=False)
class Aggregator:
    """A rule R^{n×d} -> R^d. Its result is finite whenever at most f rows are rejected.

    `init(d)` makes the state, which is None for nearly all rules. A rule that needs neither key nor
    state can be called on rows [n, d] like any function, also under `jax.jit`, `vmap` or `grad`,
    and then returns the vector alone. Only `geometric_median` and `caf`, which iterate until they
    are done, can be differentiated in one direction alone, by `jax.jvp`. `robustness` is read by
    `jaxbyz.aggregators.kappa`; None means that nothing is known.

    A rule that was made with f = None, or from such a rule, does not know its number of Byzantine
    rows yet. `bind(f)` is the same rule for f of them. `build`, `train` and `compare` call it with
    the f of the problem.

    `by_coordinate` declares of the rule, on finite rows, that every coordinate of its result is one
    and the same function of that coordinate of the rows, without state, key and details, and that
    it is positively homogeneous: R(c X) = c R(X) for c > 0. Then an algorithm may ask it for some
    coordinates alone, and fade what it said instead of asking anew, as `rosdhb` does.
    `testing.check_aggregator` holds a rule to it.
    """

    init: Callable[[int], Tree]
    apply: ApplyRule
    robustness: Robustness | None = None
    _: dataclasses.KW_ONLY
    f: int | None = None  # the number of Byzantine rows that it was made for
    bind: Callable[[int], Aggregator] | None = None  # f -> the rule; None: the rule knows its f
    by_coordinate: bool = False
    recipe: Recipe | None = None

    def __repr__(self) -> str:
        return shown(self)

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
    """Results of one server round, to be looked at. The next round does not depend on them."""

    rows: Array  # [n, d] input of the aggregator: momenta, estimates, gradients
    aggregate: Array  # [d] what it returned
    rejected: Array  # [n] bool: by the server when it read messages, or by the rule
    details: dict[str, Array]

    @property
    def bad(self) -> Array:
        """The former name of `rejected`."""
        return renamed_field(self, "bad", "rejected")


class Worker(NamedTuple):
    """The half of an algorithm that sees data.

    The *hello* is the message of round 0. `init` makes the worker's state and its hello (None for
    algorithms without one) from the broadcast of round 0.

    `unchanged(state, broadcast, silent)` is for rounds in which the worker's gradient is not finite
    (see `jaxbyz.faulty_rounds`). It returns the legal message that changes the server's state
    least. `silent` is the message of this round with all its numbers set to 0; it is what is sent
    if `unchanged` is None.

    `received(state, broadcast)` is for workers that learn the model from what changed since the
    last broadcast: the state with what the broadcast says. It is what is kept in a round in which
    the gradient is not finite. None: the state as it was. `step` does by itself what `received`
    does.
    """

    init: Callable[[Key, Tree, Oracle], tuple[Tree, Tree]]  # (key, broadcast, oracle)
    step: Callable[[Key, Tree, Tree, Oracle], tuple[Tree, Tree]]
    # step(key, state, broadcast, oracle) -> (state, message)
    unchanged: Callable[[Tree, Tree, Tree], Tree] | None = None
    received: Callable[[Tree, Tree], Tree] | None = None


class Server(NamedTuple):
    """The half of an algorithm that sees messages.

    Every server state has a field `x` [d], the model. `start` makes the state from x alone.
    `hello` updates it by the messages of round 0; it is None for algorithms that send none.

    `by_rows` is for partial participation, where momenta of some workers fade and those of others
    do not: the same server, in whose state all that it keeps of workers has a leading axis of
    workers. None: this one is such a server.
    """

    start: Callable[[Array, int], Tree]  # (x [d], n) -> state
    hello: Callable[[Key, Tree, Tree, Tree], tuple[Tree, ServerInfo]] | None
    broadcast: Callable[[Key, Tree], Tree]  # (key, state) -> broadcast
    step: Callable[[Key, Tree, Tree, Tree], tuple[Tree, ServerInfo]]
    # step(key, state, broadcast, messages [n, ...]) -> (state, info)
    by_rows: Server | None = None
    work: Callable[[int], str] | None = None  # d -> what a round costs, in words, for `describe`


class Participation(NamedTuple):
    """Which workers take part in a round. Those that do not neither compute nor send anything."""

    workers: int  # m, in every round but round 0
    asked: Callable[[Tree], Array]  # broadcast -> [n] bool, m of them True


class Algorithm(NamedTuple):
    """Two halves and the protocol between them."""

    name: str
    worker: Worker
    server: Server
    codec: Codec
    hello: Codec | None  # the protocol of round 0; None: nothing is sent
    # For methods whose broadcast has a field `coin`: the probability that it is 1. Otherwise None.
    # Read by `describe` alone.
    coin: Any = None
    participation: Participation | None = None  # None: all workers take part in every round
    # Whether a worker must receive every broadcast, because each says what changed since the last;
    # the broadcast then has a field `first` [] bool, whether it is of round 1.
    incremental: bool = False
    # Its rule, which must suit the problem's number of workers; f -> the same algorithm with the
    # rule for f Byzantine workers, where the rule was made with f = None. Read by `agreed`.
    aggregator: Aggregator | None = None
    bind: Callable[[int], Algorithm] | None = None
    recipe: Recipe | None = None

    def __repr__(self) -> str:
        return shown(self)


class View(NamedTuple):
    """All that the attacker knows when it chooses the Byzantine messages of a round."""

    round: Array  # [] int32; 0 is the hello
    honest: Array  # [h, d] decoded honest messages of this round
    own: Array | None  # [f, d] what the server would read of them if they followed the protocol
    broadcast: Tree
    server: Tree  # the server's state before this round
    read: Callable[
        [Array], Array
    ]  # wanted rows [f, d] -> as the server reads their messages, [f, d]
    respond: Callable[[Array], ServerInfo]  # wanted rows [f, d] -> the server's round with them
    byzantine: int  # f, of the problem, whatever the rule was made for


class Attack(NamedTuple):
    """What Byzantine workers do: poison their data, forge their messages, or both.

    `forge` returns the rows that the server shall read from the Byzantine workers. They are encoded
    as legal messages, and their bits are counted. None: Byzantine workers follow the protocol on
    their data.

    `poison` makes their data from copies of honest workers' data (every leaf [f, ...]). None: they
    have no data and compute nothing, and `View.own` is None.

    `abstain(state, view)`, with the state that `forge` returned, is True in rounds in which the
    forged rows are discarded and Byzantine workers follow the protocol on their data. None: never.
    """

    name: str
    init: Callable[[Key, int], Tree]  # (key, d) -> state
    forge: Callable[[Key, Tree, View], tuple[Tree, Array]] | None  # -> (state, rows [f, d])
    poison: Callable[[Tree], Tree] | None
    abstain: Callable[[Tree, View], Array] | None = None  # -> [] bool
    recipe: Recipe | None = None

    def __repr__(self) -> str:
        return shown(self)


__getattr__ = renamed(__name__, {"Cell": "LinearPiece"}, globals())
