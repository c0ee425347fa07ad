"""Python's own pickle machine, narrowed to plain values, containers and calls of known functions.

Python's machine calls whatever a file names, trusts the sizes that a file states, and hashes
whatever comes as a key. This one takes the opcodes below, protocols 0 to 5, and no others: classes
and instances, extension codes, persistent identifiers and buffers outside the file are refused. It
calls only the functions that it is given, copies at most a few times the size of the file, runs at
most a million opcodes, and hashes only plain values. Values may share parts and contain
themselves, as a list that is its own entry: who looks into them must not follow them without
bounds.

The machine is the one that `pickle` has in Python, whose table of opcodes can be replaced. The one
in C follows a file where nobody can look: it sets aside the memory that an index or a length asks
for, and hashes a nest of tuples without end.

Source: the comments of Python's `pickletools`, which define every opcode.
"""

import abc
import dataclasses
import io
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any

_OPCODES = 10**6
_COPIES = 4  # times the size of the file that calls may copy
_KEYS = 1000  # of a dictionary or set: their hashes may be chosen to be all equal
_KEY = 255  # bytes of one key: a long one takes long to hash and to compare
_PLAIN = (str, bytes, int, float, type(None))

_AS_PYTHON_DOES = (
    b"NIJKLMFGSTUVXBC\x80\x88\x89\x8a\x8c\x8d\x8e"  # plain values; integers of up to 255 bytes
    b"()]}tlae\x85\x86\x87\x8f012pqrghj\x94"  # containers, stack and memory
    b"c\x93."  # functions, and the end
)


@dataclasses.dataclass(frozen=True)
class Function:
    """A function that a pickle names and that it may call."""

    name: str
    call: Callable[..., Any]


class Stateful(abc.ABC):
    """What may be given a state after it was made."""

    @abc.abstractmethod
    def set_state(self, state: Any) -> None:
        """Takes the state; ValueError: what is wrong with it."""


class _Content(io.BytesIO):
    """A file of which nothing is read that is not there."""

    def read(self, count: Any = -1, /) -> bytes:
        content = super().read(min(count, sys.maxsize))
        if len(content) != count:
            raise ValueError(f"cut off: {count} bytes wanted, {len(content)} left")
        return content


class Machine(pickle._Unpickler):
    """Runs one pickle; `functions` by module and name."""

    stack: list[Any]  # what was pushed since the last mark
    append: Callable[[Any], None]  # to the stack
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self, content: bytes, functions: Mapping[tuple[str, str], Callable[..., Any]]
    ) -> None:
        self.file, self.functions = _Content(content), functions
        super().__init__(self.file, encoding="bytes")
        self.opcodes = self.start = 0
        self.size, self.credit = len(content), _COPIES * len(content)

    def run(self) -> Any:
        """Returns the value that the pickle makes; ValueError: what is wrong, and at which byte."""
        try:
            value = self.load()
            if left := self.size - self.file.tell():
                raise ValueError(f"{left} bytes after its end")
            return value
        except IndexError:
            says = "the stack is empty or has no mark"
        except (ValueError, TypeError, AttributeError, pickle.UnpicklingError) as error:
            says = str(error)
        raise ValueError(f"{says} (at byte {self.start})")

    def find_class(self, module: str, name: str) -> Function:
        """The function that a file names."""
        if (module, name) not in self.functions:
            raise ValueError(f"refused {module[:60]}.{name[:60]}")
        return Function(name, self.functions[module, name])

    def top(self, kind: type) -> Any:
        if not isinstance(self.stack[-1], kind):
            raise ValueError(f"{type(self.stack[-1]).__name__} instead of {kind.__name__}")
        return self.stack[-1]

    def enter(self, values: list[Any]) -> None:
        target = self.top(dict)
        if len(values) % 2:
            raise ValueError("a key without a value")
        keys = values[::2]
        _check_keys(len(target), keys)
        target.update(zip(keys, values[1::2], strict=True))

    def dictionary(self) -> None:
        entries = self.pop_mark()
        self.append({})
        self.enter(entries)

    def fixed_set(self) -> None:
        values = self.pop_mark()
        self.append(frozenset(plain_set(values)))

    def unite(self, values: list[Any]) -> None:
        target = self.top(set)
        _check_keys(len(target), values)
        target.update(values)

    def changing_bytes(self) -> None:
        count = int.from_bytes(self.file.read(8), "little")
        self.append(bytearray(self.file.read(count)))

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not (isinstance(function, Function) and isinstance(arguments, tuple)):
            raise ValueError("a call of what is no function")
        sizes = (str, bytes, bytearray, list, tuple, dict)
        self.credit -= sum(len(value) for value in arguments if isinstance(value, sizes))
        if self.credit < 0:
            raise ValueError(f"calls that copy more than {_COPIES} times the size of the file")
        try:
            self.append(function.call(*arguments))
        except TypeError as error:
            raise ValueError(f"wrong arguments of {function.name}: {error}") from None

    def build(self) -> None:
        state = self.stack.pop()
        self.top(Stateful).set_state(state)


def plain_set(values: Any = ()) -> set[Any]:
    """A set of plain values, as protocols below 4 write it."""
    if not isinstance(values, list | tuple):
        raise ValueError(f"a set of a {type(values).__name__}")
    _check_keys(0, values)
    return set(values)


def _check_keys(held: int, keys: list[Any] | tuple[Any, ...]) -> None:
    if held + len(keys) > _KEYS:
        raise ValueError(f"a dictionary or set of more than {_KEYS} entries")
    for key in keys:
        if not isinstance(key, _PLAIN):  # the hash of a tuple walks through all it contains
            raise ValueError(f"refused a key of type {type(key).__name__}")
        size = len(key) if isinstance(key, str | bytes) else 0
        if max(size, key.bit_length() // 8 if isinstance(key, int) else 0) > _KEY:
            raise ValueError(f"a key of more than {_KEY} bytes")


def _step(code: int, act: Callable[[Any], Any] | None) -> Callable[[Any], None]:
    def run(machine: Machine) -> None:
        machine.start = machine.file.tell() - 1
        machine.opcodes += 1
        if machine.opcodes > _OPCODES:
            raise ValueError(f"more than {_OPCODES} opcodes")
        if act is None:
            raise ValueError(f"refused the opcode {bytes([code])!r}")
        act(machine)

    return run


_STEPS: dict[int, Callable[[Any], Any]] = {
    **{code: pickle._Unpickler.dispatch[code] for code in _AS_PYTHON_DOES},
    pickle.FRAME[0]: lambda m: m.file.read(8),  # how much to read ahead, of no use here
    pickle.BYTEARRAY8[0]: Machine.changing_bytes,
    pickle.DICT[0]: Machine.dictionary,
    pickle.SETITEM[0]: lambda m: m.enter([m.stack.pop(-2), m.stack.pop()]),
    pickle.SETITEMS[0]: lambda m: m.enter(m.pop_mark()),
    pickle.ADDITEMS[0]: lambda m: m.unite(m.pop_mark()),
    pickle.FROZENSET[0]: Machine.fixed_set,
    pickle.REDUCE[0]: Machine.call,
    pickle.BUILD[0]: Machine.build,
}
Machine.dispatch = {code: _step(code, _STEPS.get(code)) for code in range(256)}
