"""The stack machine that a pickle is a program for, with bounded work and memory.

Python's own machine calls whatever a file names and trusts every size that a file states. This one
knows the opcodes of plain values, containers and calls, protocols 0 to 5. It calls only the
functions that it is given, copies at most a few times the size of the file, runs at most a million
opcodes, and hashes only plain values. Values may share parts and contain themselves, as a list
that is its own entry: who looks into them must not follow them without bounds.

Source: the comments of Python's `pickletools`, which define every opcode.
"""

import dataclasses
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

_OPCODES = 10**6
_COPIES = 4  # times the size of the file that calls may copy
_KEYS = 1000  # of a dictionary or set: their hashes may be chosen to be all equal
_PLAIN = (str, bytes, int, float, type(None))


@dataclasses.dataclass(frozen=True)
class Function:
    """A function that a pickle names and that it may call."""

    name: str
    call: Callable[..., Any]


class Stateful:
    """What may be given a state after it was made."""

    def set_state(self, state: Any) -> None:
        """Takes the state; ValueError: what is wrong with it."""
        raise NotImplementedError


class Machine:
    """Runs one pickle; `functions` by module and name, `steps` by opcode."""

    def __init__(
        self,
        content: bytes,
        functions: Mapping[tuple[str, str], Callable[..., Any]],
        steps: "Mapping[bytes, Callable[[Machine], Any]]",
    ) -> None:
        self.content, self.functions, self.steps = content, functions, steps
        self.position = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []  # lengths of the stack
        self.memo: dict[int, Any] = {}
        self.credit = _COPIES * len(content)

    def run(self) -> Any:
        """Returns the value that the pickle makes; ValueError: what is wrong, and at which byte."""
        for _ in range(_OPCODES):
            start = self.position
            try:
                code = self.take(1)
                if code == b".":
                    value = self.pop()
                    if self.position < len(self.content):
                        raise ValueError(f"{len(self.content) - self.position} bytes after its end")
                    return value
                if code not in self.steps:
                    raise ValueError(f"refused the opcode {code!r}")
                self.steps[code](self)
            except ValueError as error:
                raise ValueError(f"{error} (at byte {start})") from None
        raise ValueError(f"more than {_OPCODES} opcodes")

    # What is read.

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.content) - self.position:
            left = len(self.content) - self.position
            raise ValueError(f"cut off: {count} bytes wanted, {left} left")
        self.position += count
        return self.content[self.position - count : self.position]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        end = self.content.find(b"\n", self.position)
        if end < 0:
            raise ValueError("a line without end")
        self.position, start = end + 1, self.position
        return self.content[start:end]

    def integer(self) -> int:
        text = self.line().removesuffix(b"L")
        if not re.fullmatch(rb"[+-]?\d{1,620}", text):
            raise ValueError(f"{text[:20]!r} instead of an integer")
        return int(text)

    # The stack.

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("nothing on the stack")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        value = self.pop()
        self.stack.append(value)
        if not isinstance(value, kind):
            raise ValueError(f"{type(value).__name__} instead of {kind.__name__}")
        return value

    def to_mark(self) -> list[Any]:
        if not self.marks:
            raise ValueError("no mark on the stack")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def last(self, count: int) -> tuple[Any, ...]:
        return tuple(reversed([self.pop() for _ in range(count)]))

    def remember(self, place: int) -> None:
        self.memo[place] = self.top(object)

    def recall(self, place: int) -> None:
        if place not in self.memo:
            raise ValueError(f"nothing in memory {place}")
        self.stack.append(self.memo[place])

    # Containers, functions, states.

    def extend(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def enter(self, values: list[Any]) -> None:
        target = self.top(dict)
        if len(values) % 2:
            raise ValueError("a key without a value")
        keys = values[::2]
        _check_keys(len(target), keys)
        target.update(zip(keys, values[1::2], strict=True))

    def unite(self, values: list[Any]) -> None:
        target = self.top(set)
        _check_keys(len(target), values)
        target.update(values)

    def find(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise ValueError("a function whose name is not text")
        if (module, name) not in self.functions:
            raise ValueError(f"refused {module[:60]}.{name[:60]}")
        self.stack.append(Function(name, self.functions[module, name]))

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if not (isinstance(function, Function) and isinstance(arguments, tuple)):
            raise ValueError("a call of what is no function")
        sizes = (str, bytes, bytearray, list, tuple, dict)
        self.credit -= sum(len(value) for value in arguments if isinstance(value, sizes))
        if self.credit < 0:
            raise ValueError(f"calls that copy more than {_COPIES} times the size of the file")
        try:
            self.stack.append(function.call(*arguments))
        except TypeError as error:
            raise ValueError(f"wrong arguments of {function.name}: {error}") from None

    def build(self) -> None:
        state = self.pop()
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
