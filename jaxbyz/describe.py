"""What an algorithm costs: bits, memory and gradients, measured on the algorithm itself.

`describe(algorithm, d)` runs one worker's half of a round on an oracle that counts the calls, and
reads the shapes of states and messages. No cost is declared by hand. Some methods toss a common
coin in each round; the probability of its faces is declared (`Algorithm.coin`), both faces are
tried, and the costs are expectations.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz import checks
from jaxbyz.algorithms.participation import Invitation
from jaxbyz.contracts.parts import require
from jaxbyz.core import Algorithm, Key, Oracle, Tree
from jaxbyz.messages import Blocks, Either, SparseInPlace

DRAWS = 256  # of messages whose length is random


@dataclasses.dataclass(frozen=True)
class Description:
    """Expected costs of one worker in one round in which it takes part, and of round 0.

    Memory is what is kept from one round to the next. Its unit is a vector of d numbers, whatever
    their type. A worker's memory does not include the model and one gradient. The server's memory
    is `server_memory + n * server_memory_per_worker`, with the model, the optimiser and the rule.
    Bits of the downlink are those after round 1, in which a model may be sent once.
    "Sampled" gradients are on one draw of the oracle, "full" ones on all local data.
    """

    name: str
    dimension: int  # d
    message: str  # what crosses, for instance "Sparse", "Dense or Seeded"
    uplink_bits: float  # expected, one worker and round
    downlink_bits: float  # expected, to one worker in one round
    start_bits: float  # of the hello, one worker; 0: nothing is sent
    worker_memory: float
    server_memory: float
    server_memory_per_worker: float
    sampled_gradients: float  # expected, one worker and round
    full_gradients: float
    start_sampled_gradients: int
    start_full_gradients: int
    workers_in_a_round: int | None = None  # m, with partial participation; None: all of them
    # What the server's round costs, as its algorithm says: "n k + d", or "n d: " and why not less.
    # Empty: it has one server, and says nothing.
    server_work: str = ""


class _Counts(NamedTuple):
    """How often an oracle was asked."""

    sampled: int
    full: int


def describe(algorithm: Algorithm, d: int) -> Description:
    """What the algorithm costs in dimension d.

    All numbers are exact but the bits of messages of random length (`bernoulli`): those are the
    mean over 256 of them.

    Args:
        algorithm: from `jaxbyz.algorithms`, with concrete hyper-parameters.
        d: the dimension.

    Raises:
        ValueError: algorithm is not an Algorithm, d < 1, or what the parts say of this d (k > d).

    >>> import jaxbyz as jb, optax
    >>> mine = jb.algorithms.byz_vr_marina(probability=0.25, compressor=jb.seeded_rand_k(k=10),
    ...                                    optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(2))
    >>> seen = describe(mine, 100)
    >>> seen.message, seen.uplink_bits == 0.25 * 3200 + 0.75 * 320, seen.downlink_bits
    ('Dense or Seeded', True, 3201.0)
    >>> seen.worker_memory, seen.full_gradients, seen.sampled_gradients
    (1.0, 0.25, 1.5)
    """
    require("Algorithm", "algorithm", algorithm)
    d = checks.count("d", d, minimum=1)
    key = jax.random.key(0, impl="threefry2x32")
    x = jnp.zeros(d)
    server, worker = algorithm.server, algorithm.worker
    some = algorithm.participation
    n = 1 if some is None else some.workers
    broadcast = server.broadcast(key, server.start(x, n))
    begin = _Half(lambda oracle, key, sent: worker.init(key, sent, oracle))
    (state, first), at_start = begin.counted(key, broadcast)
    turn = _Half(lambda oracle, key, sent: worker.step(key, state, sent, oracle))
    uplink = downlink = sampled = full = 0.0
    message: Any = None
    for weight, sent in _faces(algorithm, _later(algorithm, broadcast)):
        (_, message), asked = turn.counted(key, sent)
        uplink += weight * turn.length(message, sent)
        downlink += weight * float(sent.bits())
        sampled += weight * asked.sampled
        full += weight * asked.full

    def kept(n: int) -> float:
        return _vectors(jax.eval_shape(lambda x: server.start(x, n), x), d)

    return Description(
        name=algorithm.name,
        dimension=d,
        message=_kind(message),
        uplink_bits=uplink,
        downlink_bits=downlink,
        start_bits=0.0 if algorithm.hello is None else begin.length(first, broadcast),
        worker_memory=_vectors(state, d),
        server_memory=(n + 1) * kept(n) - n * kept(n + 1),
        server_memory_per_worker=kept(n + 1) - kept(n),
        sampled_gradients=sampled,
        full_gradients=full,
        start_sampled_gradients=at_start.sampled,
        start_full_gradients=at_start.full,
        workers_in_a_round=None if some is None else some.workers,
        server_work="" if server.work is None else server.work(d),
    )


def _later(algorithm: Algorithm, broadcast: Any) -> Any:
    """The same broadcast as if it were not the first one, of which the length may be another."""
    if not algorithm.incremental:
        return broadcast
    return dataclasses.replace(broadcast, first=jnp.array(False))


def _faces(algorithm: Algorithm, broadcast: Any) -> list[tuple[float, Any]]:
    """The broadcasts there may be, with their probabilities."""
    if algorithm.coin is None:
        return [(1.0, broadcast)]
    p = float(algorithm.coin)

    def showing(broadcast: Any, face: bool) -> Any:
        if isinstance(broadcast, Invitation):
            return dataclasses.replace(broadcast, inner=showing(broadcast.inner, face))
        return dataclasses.replace(broadcast, coin=jnp.array(face))

    return [(q, showing(broadcast, face)) for q, face in ((p, True), (1 - p, False)) if q]


def _oracle(tell: Callable[[str], None]) -> Oracle:
    """An oracle whose gradients are 0, and which calls `tell` with the kind of each gradient.

    It calls while the program runs, so that of two branches only the one taken is counted.
    """

    def count(what: str, x: jax.Array) -> jax.Array:
        jax.debug.callback(lambda _: tell(what), x[0])
        return jnp.zeros_like(x)

    return Oracle(
        full=lambda x: count("full", x),
        draw=lambda key: jnp.zeros(1, jnp.int32),
        grad=lambda batch, x: count("sampled", x),
    )


class _Half:
    """One half-round of a worker, (oracle, key, broadcast) -> (state, message), compiled once."""

    def __init__(self, answer: Callable[[Oracle, Key, Any], tuple[Tree, Any]]):
        self.answer = answer
        self.asked: list[str] = []
        self.run = jax.jit(functools.partial(answer, _oracle(self.asked.append)))

    def counted(self, key: Key, broadcast: Any) -> tuple[tuple[Tree, Any], _Counts]:
        """What the worker answers, and how often it asked its oracle."""
        self.asked.clear()
        answer = self.run(key, broadcast)
        jax.effects_barrier()
        return answer, _Counts(self.asked.count("sampled"), self.asked.count("full"))

    def length(self, message: Any, broadcast: Any) -> float:
        """The bits of this message, or where they are random the mean over some keys."""
        sent = message
        if isinstance(message, Either):
            sent = message.first if message.is_first else message.second
        bits = sent.bits()
        if isinstance(bits, int):
            return float(bits)
        silent = _oracle(lambda what: None)
        keys = jax.random.split(jax.random.key(1, impl="threefry2x32"), DRAWS)
        lengths = jax.lax.map(lambda key: self.answer(silent, key, broadcast)[1].bits(), keys)
        return float(np.asarray(lengths, np.float64).mean())


def _vectors(state: Tree, d: int) -> float:
    """How many vectors of d numbers a state holds; counters, keys and short lists are none."""

    def counts(leaf: Any) -> bool:
        real = jnp.issubdtype(leaf.dtype, jnp.floating)
        return real or (jnp.issubdtype(leaf.dtype, jnp.integer) and leaf.size >= d)

    return sum(leaf.size for leaf in jax.tree.leaves(state) if counts(leaf)) / d


def _kind(message: Any) -> str:
    if isinstance(message, Either):
        return f"{_kind(message.first)} or {_kind(message.second)}"
    if isinstance(message, Blocks):
        return ", ".join(_kind(part) for part in message.parts)
    return "Sparse" if isinstance(message, SparseInPlace) else type(message).__name__
