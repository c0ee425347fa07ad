"""Compiled programs of this process, found by what they compute.

`jax.jit` remembers programs by the function object that they were traced from. A function that is
made anew for every call, as those of `train` are, would be compiled again each time. Here it is
traced again, which takes a small part of that time, and the program is looked up by what was
traced.
"""

import collections
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from jax.extend import core

from jaxbyz.storage.fingerprints import fingerprint

KEPT = 128  # programs; the one that was not used for longest is forgotten first
_programs: collections.OrderedDict[Any, Any] = collections.OrderedDict()
# Settings of JAX that decide what is compiled, or where, besides what was traced.
_SETTINGS = (
    "jax_default_device",
    "jax_enable_x64",
    "jax_exec_time_optimization_effort",
    "jax_memory_fitting_effort",
    "jax_threefry_partitionable",
    "jax_use_shardy_partitioner",
)
_DEBUGGING = ("jax_disable_jit", "jax_debug_nans", "jax_debug_infs")


class Program:
    """What was traced, as a program that this process compiles once, however often it is traced.

    A program with callbacks into Python is always compiled: whether two callbacks do the same
    cannot be seen.

    Args:
        traced: from `jax.jit(...).trace(*arguments)`.
        arguments: what it was traced with, without static ones.
        options: of that `jax.jit` besides static arguments; anything that can be hashed.
        compiler: options of the compiler.

    >>> trace = lambda: jax.jit(lambda x: 3 * x + 8).trace(1.0)
    >>> one, other = Program(trace(), (1.0,)), Program(trace(), (1.0,))
    >>> one.compile() is other.compile()
    True
    """

    def __init__(
        self,
        traced: jax.stages.Traced,
        arguments: Sequence[Any],
        options: Any = (),
        compiler: Mapping[str, Any] | None = None,
    ):
        self._traced, self._key, self._compiler = traced, None, dict(compiler or {})
        if not _calls_python(traced.jaxpr.jaxpr):
            found = fingerprint(traced.jaxpr), jax.tree.structure(traced.out_info)
            self._key = found, form_of(arguments), options, tuple(self._compiler.items())
        # Whoever compiles in another thread lowers first, in a thread with the caller's settings.
        self.lower = functools.cache(self._lower)
        self.compile = functools.cache(self._compile)

    def _lower(self) -> Any:
        return None if self._key in _programs else self._traced.lower()

    def _compile(self) -> Any:
        program = _programs.get(self._key)
        if program is None:
            program = (self.lower() or self._traced.lower()).compile(self._compiler or None)
        if self._key is not None:
            _programs[self._key] = program
            _programs.move_to_end(self._key)
            while len(_programs) > KEPT:
                _programs.popitem(last=False)
        return program


class compiled_once:
    """`jax.jit(function, ...)` that compiles no program which this process already has.

    Args:
        function: of arrays.
        static_argnums: the one argument that is no array, if there is one.
        options: of `jax.jit`.

    >>> import jax.numpy as jnp
    >>> _programs.clear()
    >>> [compiled_once(lambda x: 3 * x + 7)(jnp.arange(2)).tolist() for _ in range(2)]
    [[7, 10], [7, 10]]
    >>> len(_programs)
    1
    """

    def __init__(
        self, function: Callable[..., Any], static_argnums: int | None = None, **options: Any
    ):
        self._jitted = jax.jit(function, static_argnums=static_argnums, **options)
        self._static = static_argnums
        leaves, structure = jax.tree.flatten(options)
        self._kinds = tuple(leaves), str(structure)
        self._found: dict[Any, Any] = {}  # by the form of the arguments: looked up untraced

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        arrays = [each for i, each in enumerate(arguments) if i != self._static]
        inside = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(arrays))
        # Part of another program, or of none; or JAX itself has to find what made a NaN.
        if inside or any(getattr(jax.config, name, False) for name in _DEBUGGING):
            return self._jitted(*arguments)
        fixed = None if self._static is None else arguments[self._static]
        form = fixed, form_of(arrays)
        if form not in self._found:
            traced = self._jitted.trace(*arguments)
            self._found[form] = Program(traced, arrays, self._kinds).compile()
        return self._found[form](*arrays)

    def eval_shape(self, *arguments: Any) -> Any:
        """The shapes of what it returns; what is traced for this, a call does not trace again."""
        return self._jitted.eval_shape(*arguments)


def form_of(arguments: Any) -> Any:
    """What a compiled program asks of its arguments: structure, types, devices; and the settings.

    >>> form_of([1.0]) == form_of([2.0]), form_of([1.0]) == form_of([1])
    (True, False)
    """
    leaves, structure = jax.tree.flatten(arguments)
    kinds = tuple((jax.typeof(leaf), _place(leaf)) for leaf in leaves)
    return structure, kinds, tuple(getattr(jax.config, name, None) for name in _SETTINGS)


def _place(leaf: Any) -> Any:
    """Where an array is bound to be; None for one that JAX may move."""
    return leaf.sharding if getattr(leaf, "committed", False) else None


def _calls_python(program: core.Jaxpr) -> bool:
    """Whether a program, or one inside it, calls back into Python."""
    for equation in program.eqns:
        if "callback" in equation.primitive.name:
            return True
        inside = jax.tree.leaves(
            list(equation.params.values()),
            is_leaf=lambda part: isinstance(part, core.Jaxpr | core.ClosedJaxpr),
        )
        for part in inside:
            part = part.jaxpr if isinstance(part, core.ClosedJaxpr) else part
            if isinstance(part, core.Jaxpr) and _calls_python(part):
                return True
    return False
