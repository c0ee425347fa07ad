"""How many seconds JAX spends on tracing, lowering and compiling."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax

EVENTS = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)


class Watch:
    """What was spent while it was on: seconds by the clock of every thread, and programs."""

    def __init__(self) -> None:
        self.seconds, self.programs = 0.0, 0

    def __call__(self, event: str, seconds: float, **_: object) -> None:
        """Count an event of JAX."""
        if event in EVENTS:
            self.seconds += seconds
            self.programs += event == EVENTS[-1]


_on: list[Watch] = []


def _listen(event: str, seconds: float, **given: object) -> None:
    for watch in _on:
        watch(event, seconds, **given)


jax.monitoring.register_event_duration_secs_listener(_listen)


@contextmanager
def compiling() -> Iterator[Watch]:
    """Count seconds and programs inside.

    >>> with compiling() as watch:
    ...     _ = jax.jit(lambda x: x + 41)(1)
    >>> watch.programs >= 1 and watch.seconds > 0
    True
    """
    watch = Watch()
    _on.append(watch)
    try:
        yield watch
    finally:
        _on.remove(watch)
