r"""The opcodes of pickles that write plain values, containers and calls, protocols 0 to 5.

Absent, and so refused: classes and instances (i, o, \x81, \x92), extension codes (\x82 to
\x84), persistent identifiers (P, Q) and buffers outside the file (\x97, \x98).
"""

import re
from collections.abc import Callable
from typing import Any

from jaxbyz.data._pickle_machine import Machine, plain_set

_DIGITS = 255  # bytes of an integer

_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[\\'\"nrt])")  # as Python 2 writes text
_ESCAPED = {b"\\": b"\\", b"'": b"'", b'"': b'"', b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def _text(written: bytes) -> bytes:
    if len(written) < 2 or written[:1] != written[-1:] or written[:1] not in (b"'", b'"'):
        raise ValueError(f"{written[:20]!r} instead of quoted text")
    return _ESCAPE.sub(
        lambda match: _ESCAPED.get(match[1]) or bytes([int(match[1][1:], 16)]), written[1:-1]
    )


def _boolean_or_integer(machine: Machine) -> int:
    text = machine.content[machine.position : machine.position + 3]
    if text in (b"00\n", b"01\n"):
        return machine.line() == b"01"
    return machine.integer()


def _little(machine: Machine, count: int) -> int:
    if not 0 <= count <= _DIGITS:
        raise ValueError(f"an integer of {count} bytes")
    return int.from_bytes(machine.take(count), "little", signed=True)


def _dictionary(machine: Machine) -> None:
    entries = machine.to_mark()
    machine.stack.append({})
    machine.enter(entries)


def _protocol(machine: Machine) -> None:
    if (version := machine.number("B")) > 5:
        raise ValueError(f"protocol {version}, of which 0 to 5 are known")


def _real(machine: Machine) -> float:
    text = machine.line()
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:20]!r} instead of a number") from None


def _push(value: Callable[[Machine], Any]) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(value(machine))


def _sized(form: str, made: Callable[[bytes], Any]) -> Callable[[Machine], None]:
    return _push(lambda machine: made(machine.take(machine.number(form))))


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _one(value: Any) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(value)


STEPS: dict[bytes, Callable[[Machine], Any]] = {
    b"\x80": _protocol,
    b"\x95": lambda m: m.number("<Q"),  # a frame: how much to read ahead
    # Plain values.
    b"N": _one(None),
    b"\x88": _one(True),
    b"\x89": _one(False),
    b"I": _push(_boolean_or_integer),
    b"L": _push(Machine.integer),
    b"J": _push(lambda m: m.number("<i")),
    b"K": _push(lambda m: m.number("B")),
    b"M": _push(lambda m: m.number("<H")),
    b"\x8a": _push(lambda m: _little(m, m.number("B"))),
    b"\x8b": _push(lambda m: _little(m, m.number("<i"))),
    b"F": _push(_real),
    b"G": _push(lambda m: m.number(">d")),
    b"S": _push(lambda m: _text(m.line())),
    b"T": _sized("<i", bytes),
    b"U": _sized("B", bytes),
    b"V": _push(lambda m: m.line().decode("raw-unicode-escape")),
    b"X": _sized("<I", _decoded),
    b"\x8c": _sized("B", _decoded),
    b"\x8d": _sized("<Q", _decoded),
    b"B": _sized("<I", bytes),
    b"C": _sized("B", bytes),
    b"\x8e": _sized("<Q", bytes),
    b"\x96": _sized("<Q", bytearray),
    # Containers.
    b"(": lambda m: m.marks.append(len(m.stack)),
    b")": _one(()),
    b"]": _push(lambda m: []),
    b"}": _push(lambda m: {}),
    b"\x8f": _push(lambda m: set()),
    b"\x85": _push(lambda m: m.last(1)),
    b"\x86": _push(lambda m: m.last(2)),
    b"\x87": _push(lambda m: m.last(3)),
    b"t": _push(lambda m: tuple(m.to_mark())),
    b"l": _push(Machine.to_mark),
    b"d": _dictionary,
    b"\x91": _push(lambda m: frozenset(plain_set(m.to_mark()))),
    b"a": lambda m: m.extend([m.pop()]),
    b"e": lambda m: m.extend(m.to_mark()),
    b"s": lambda m: m.enter(list(m.last(2))),
    b"u": lambda m: m.enter(m.to_mark()),
    b"\x90": lambda m: m.unite(m.to_mark()),
    # Stack and memory.
    b"0": Machine.pop,
    b"1": Machine.to_mark,
    b"2": _push(lambda m: m.top(object)),
    b"p": lambda m: m.remember(m.integer()),
    b"q": lambda m: m.remember(m.number("B")),
    b"r": lambda m: m.remember(m.number("<I")),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"g": lambda m: m.recall(m.integer()),
    b"h": lambda m: m.recall(m.number("B")),
    b"j": lambda m: m.recall(m.number("<I")),
    # Functions.
    b"c": lambda m: m.find(m.line().decode("utf-8"), m.line().decode("utf-8")),
    b"\x93": lambda m: m.find(*m.last(2)),
    b"R": Machine.call,
    b"b": Machine.build,
}
