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
from jaxbyz.storage.lifting import lifted_numbers, with_numbers
from jaxbyz.storage.remembered import of_programs

KEPT = 128  # programs; the one that was not used for longest is forgotten first
_programs: collections.OrderedDict[Any, Any] = collections.OrderedDict()
# Settings of JAX that decide what is compiled, or where, besides what was traced.
_SETTINGS = (
    "jax_default_device",
    "jax_disable_most_optimizations",
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

    Step sizes and other numbers of it are arguments of the compiled program, so that another one is
    the same program (see `jaxbyz.storage.lifting`).

    Args:
        traced: from `jax.jit(...).trace(*arguments)`.
        arguments: what it was traced with, without static ones.
        options: of that `jax.jit` besides static arguments; anything that can be hashed.
        compiler: options of the compiler.
        lift: whether numbers are made arguments. Not where `jax.jit` was told where results lie.

    >>> _programs.clear()
    >>> trace = lambda step: jax.jit(lambda x: x - step * x).trace(1.0)
    >>> for step in (0.1, 0.3):
    ...     print(round(Program(trace(step), (1.0,)).compile()(1.0).item(), 3), len(_programs))
    0.9 1
    0.7 1
    """

    def __init__(
        self,
        traced: jax.stages.Traced,
        arguments: Sequence[Any],
        options: Any = (),
        compiler: Mapping[str, Any] | None = None,
        lift: bool = True,
    ):
        self._traced, self._key, self._compiler = traced, None, dict(compiler or {})
        self._arguments, self._numbers = arguments, ()
        if not _calls_python(traced.jaxpr.jaxpr):
            if lift:
                self._numbers = lifted_numbers(traced.jaxpr.jaxpr)
            mark = fingerprint(traced.jaxpr, lifted=bool(self._numbers))
            found = mark, _places(traced.jaxpr.jaxpr), jax.tree.structure(traced.out_info)
            self._key = found, form_of(arguments), options, tuple(self._compiler.items())
        # Whoever compiles in another thread lowers first, in a thread with the caller's settings.
        self.lower = functools.cache(self._lower)
        self.compile = functools.cache(self._compile)

    def _lower(self) -> Any:
        if self._key in _programs:
            return None
        if not self._numbers:
            return self._traced.lower()
        run, results = with_numbers(self._traced.jaxpr), jax.tree.structure(self._traced.out_info)

        def lifted(numbers: Any, arguments: Any) -> Any:
            return jax.tree.unflatten(results, run(numbers, *jax.tree.leaves(arguments)))

        return jax.jit(lifted).trace(self._numbers, tuple(self._arguments)).lower()

    def _compile(self) -> Callable[..., Any]:
        program = self._compiled()
        self._arguments = ()  # they are not kept for as long as the program
        if not self._numbers:
            return program
        numbers = self._numbers
        return lambda *arguments: program(numbers, arguments)

    def _compiled(self) -> Any:
        program = _programs.get(self._key)
        if program is None:
            lowered = self.lower()
            if lowered is None:  # it has been forgotten since
                self.lower.cache_clear()
                lowered = self.lower()
            program = lowered.compile(self._compiler or None)
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
        lift: whether its numbers are arguments of the program (see `Program`). Without, the program
            is that of `jax.jit`, to the last bit.
        options: of `jax.jit`. Where it is told where results lie, no number is lifted.

    >>> import jax.numpy as jnp
    >>> _programs.clear()
    >>> [compiled_once(lambda x: 3 * x + 7)(jnp.arange(2)).tolist() for _ in range(2)]
    [[7, 10], [7, 10]]
    >>> len(_programs)
    1
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static_argnums: int | None = None,
        lift: bool = True,
        **options: Any,
    ):
        self._jitted = jax.jit(function, static_argnums=static_argnums, **options)
        self._static, self._lift = static_argnums, lift and not jax.tree.leaves(options)
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
            self._found[form] = Program(traced, arrays, self._kinds, lift=self._lift).compile()
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


def _parts(equation: core.JaxprEqn) -> list[Any]:
    """The parameters of an equation one by one, with the programs in it."""
    parts = jax.tree.leaves(
        list(equation.params.values()),
        is_leaf=lambda part: isinstance(part, core.Jaxpr | core.ClosedJaxpr),
    )
    return [part.jaxpr if isinstance(part, core.ClosedJaxpr) else part for part in parts]


@of_programs
def _calls_python(program: core.Jaxpr) -> bool:
    """Whether a program, or one inside it, calls back into Python."""
    return any(
        "callback" in equation.primitive.name
        or any(isinstance(part, core.Jaxpr) and _calls_python(part) for part in _parts(equation))
        for equation in program.eqns
    )


@of_programs
def _places(program: core.Jaxpr) -> tuple[Any, ...]:
    """Devices that a program itself names; the text of a mesh does not say which ones they are.

    They are named for every call of a program inside.
    """
    found: list[Any] = []
    for equation in program.eqns:
        for part in _parts(equation):
            if isinstance(part, core.Jaxpr):
                found += _places(part)
            elif isinstance(part, jax.sharding.Sharding | jax.sharding.Mesh):
                found.append(part)
    return tuple(found)
