"""The user's function that `train` calls after every evaluation, and how it ends a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec

from jaxbyz import checks
from jaxbyz.history import History
from jaxbyz.simulation.devices import processes

# (rounds done, column -> values of all seeds [S]) -> whether the run ends here
OnEvaluate = Callable[[int, Mapping[str, np.ndarray]], bool | None]

GO_ON, STOP, FAILED = range(3)  # what the processes agree on
NOBODY, ANOTHER, FIRST = range(3)  # which process was given a function


class StopTraining(Exception):
    """Raised by `on_evaluate`, it ends the run there, as returning True does.

    The run returns its history so far. Its `about["stopped_at"]` is the number of rounds done, and
    `about["stop_reason"]` the text of the exception.

    >>> import jaxbyz as jb, optax
    >>> def enough(round, metrics):
    ...     if round >= 20:
    ...         raise StopTraining("that is enough")
    >>> algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
    >>> problem = jb.problems.quadratics(honest=3, dimension=4)
    >>> history = jb.train(algorithm, problem, rounds=100, on_evaluate=enough)
    >>> history.rounds.tolist(), history.about["stopped_at"], history.about["stop_reason"]
    ([0, 10, 20], 20, 'that is enough')
    """


def wants_stop(answer: Any) -> bool:
    """Whether an answer of `on_evaluate` ends the run.

    Raises:
        ValueError: it is not True, False or None.

    >>> wants_stop(None), wants_stop(np.array([0.5]).max() < 1)
    (False, True)
    >>> wants_stop(np.array([True, False]))
    Traceback (most recent call last):
    ValueError: on_evaluate must return True, False or None, got an array bool[2]
    """
    if answer is None:
        return False
    single = isinstance(answer, np.ndarray | jax.Array) and answer.shape == ()
    if isinstance(answer, bool | np.bool_) or (single and answer.dtype == bool):
        return bool(answer)
    raise ValueError(f"on_evaluate must return True, False or None, got {checks.said(answer)}")


class Listener:
    """Calls a function after evaluations; all processes of the run learn whether it ends.

    Args:
        call: (round, metrics) -> None, or whether the run ends. If it has a method `begin`, that is
            called first, with the history so far. None: nothing is called.
        mesh: the devices of the run; the function is called in the first process of them.

    Raises:
        ValueError: call is no such function, or was given in other processes, not in the first.
    """

    def __init__(self, call: OnEvaluate | None, mesh: Mesh | None):
        if call is not None:
            checks.function("on_evaluate", call, "round, metrics")
        self.call = call
        self.first = jax.process_index() == processes(mesh)[0]
        self.mesh = mesh if len(processes(mesh)) > 1 else None
        self.reason: str | None = None  # of the first process alone
        given = NOBODY if call is None else FIRST if self.first else ANOTHER
        self.given = self._largest(given)
        if self.given == ANOTHER:
            raise ValueError("on_evaluate must be given in the first process, which calls it")

    def begin(self, history: Callable[[], History]) -> bool:
        """Before the first call: hand over the history so far, and learn whether the run is over.

        In a run that begins it has no evaluations, in one that continues those of the checkpoint.
        """
        begin = getattr(self.call, "begin", None)
        return self._agreed(lambda: begin(history()) if callable(begin) else None)

    def evaluated(self, done: int, metrics: Mapping[str, np.ndarray]) -> bool:
        """After an evaluation: whether the run ends here."""
        return self._agreed(lambda: None if self.call is None else self.call(done, metrics))

    def _agreed(self, ask: Callable[[], Any]) -> bool:
        """The first process asks; the others learn the answer, and whether there was none."""
        if self.given == NOBODY:
            return False
        answer, failure = GO_ON, None
        if self.first:
            try:
                answer = STOP if wants_stop(ask()) else GO_ON
            except StopTraining as stop:
                answer, self.reason = STOP, str(stop) or None
            except BaseException as error:
                answer, failure = FAILED, error
        answer = self._largest(answer)
        if failure is not None:
            raise failure
        if answer == FAILED:
            raise RuntimeError("on_evaluate raised an exception in the first process")
        return answer == STOP

    def _largest(self, number: int) -> int:
        """The largest number of any process; all of them must ask."""
        if self.mesh is None:
            return number
        each = NamedSharding(self.mesh, Spec(self.mesh.axis_names))
        mine = [jax.device_put(np.array([number]), at) for at in self.mesh.local_devices]
        numbers = jax.make_array_from_single_device_arrays((self.mesh.size,), each, mine)
        everywhere = NamedSharding(self.mesh, Spec())
        return int(jax.jit(jnp.max, out_shardings=everywhere)(numbers))
