"""Pickles that ask for more than they hold: refused at once, in bounded memory."""

import itertools
import pickle
import struct
import time
import tracemalloc

import numpy as np
import pytest

from jaxbyz.data import _pickle_machine, _unpickle

ARRAYS = {
    "rows": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(12, dtype=np.int64).reshape(3, 4)),
    "exchanged": np.arange(24, dtype=">i4").reshape(2, 3, 4).transpose(1, 2, 0),
    "strided": np.arange(12.0).reshape(3, 4)[:, ::2],
    "half": np.arange(3, dtype=np.float16),
    "single": np.array(7, np.uint16),
    "none": np.zeros((0, 3), np.float32),
    "true": np.array([True, False]),
}
PLAIN = {
    "text": "Zürich\n'\\'",
    b"bytes": b"\x00\xff\n\\",
    3: [1, -1, 255, 65536, -(2**40), 2**1000, 0.1, float("inf"), True, False, None],
    None: {"nested": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)), "set": {1, 2}},
    "frozen": frozenset(["a"]),
    "changing": bytearray(b"abc"),
    "empty": [b"", "", [], {}, set(), bytearray()],
}


@pytest.fixture
def load(tmp_path):
    """Reads a pickle from a file, in time and memory bounded by the size of the file."""

    def run(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        tracemalloc.start()
        start = time.perf_counter()
        try:
            return _unpickle.load_dictionary(path)
        finally:
            seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
            tracemalloc.stop()
            # A Python object of 250 bytes for every byte, and two copies of text and bytes.
            assert peak < 2_000_000 + 250 * min(len(content), 10**6) + 2 * len(content)
            assert seconds < 10  # on a busy machine; alone it is below one, or without end

    return run


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_of_python_3_is_read(load, protocol):
    found = load(pickle.dumps({**PLAIN, **ARRAYS}, protocol=protocol))
    for key, array in ARRAYS.items():
        entry = found.pop(key)
        assert (entry.dtype, entry.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(entry, array)
    assert found == PLAIN
    assert type(found["changing"]) is bytearray


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_both_homes_of_numpy_are_known(load, protocol, core):
    def renamed(content):
        if protocol < 4:
            return content.replace(b"numpy._core", core)
        for module in (b"multiarray", b"numeric"):  # text after the opcode 8c and its length
            old, new = b"numpy._core." + module, core + b"." + module
            content = content.replace(bytes([0x8C, len(old)]) + old, bytes([0x8C, len(new)]) + new)
        return content

    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    content = renamed(pickle.dumps({"a": array, "b": array[:, ::2], "c": np.int64(5)}, protocol))
    assert core in content
    found = load(content)
    np.testing.assert_array_equal(found["a"], array)
    np.testing.assert_array_equal(found["b"], array[:, ::2])
    assert found["c"] == 5


def test_pickled_by_python_2_at_protocol_0(load):
    assert load(b"(dp0\nS'it\\'s\\n\\xff'\np1\n(lp2\nI01\naL12L\naF0.5\nas.") == {
        b"it's\n\xff": [True, 12, 0.5]
    }


def test_a_container_may_hold_itself_and_share_parts(load):
    circle = []
    circle.append(circle)
    doubled = []
    for _ in range(40):
        doubled = [doubled, doubled]
    chain = []
    for _ in range(200):
        chain = [chain]
    found = load(pickle.dumps({"circle": circle, "doubled": doubled, "chain": chain}))
    assert found["circle"][0] is found["circle"]
    assert found["doubled"][0] is found["doubled"][1]


@pytest.mark.parametrize("key", ["data", "labels"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_list_that_holds_itself_is_no_array(tmp_path, key, protocol):
    from jaxbyz.data.cifar import _read_pickled

    circle = []
    circle.append(circle)
    wide = []
    for value in (circle, [circle] * 3, wide):
        for _ in range(40):
            wide = [wide, wide]
        value = wide if value == [] else value
        content = {"data": np.zeros((3, 3072), np.uint8), "labels": [1, 2, 3]} | {key: value}
        path = tmp_path / "batch"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(ValueError, match=f"batch: expected an array under '{key}', .* list at"):
            _read_pickled(path, 3)


def named(module, name):
    return f"c{module}\n{name}\n".encode()


DOUBLED = b"]" + b"q\x000](h\x00h\x00e" * 40  # a list, 40 times made twice itself
TUPLES = b")" + b"2\x86" * 40
DTYPE = named("numpy", "dtype") + b"X\x02\x00\x00\x00u1\x85R"
RECONSTRUCT = named("numpy.core.multiarray", "_reconstruct") + named("numpy", "ndarray")
RECONSTRUCT += b"K\x00\x85C\x01b\x87R"
SCALAR = named("numpy.core.multiarray", "scalar")
BUFFER = named("numpy.core.numeric", "_frombuffer")
ENCODE = named("_codecs", "encode")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        # What is shown or hashed must not be walked through.
        (TUPLES + b"Ns", "refused a key of type tuple"),
        (b"I0x" + b"f" * 10**5 + b"\nNs", "a key of more than 255 bytes"),
        (b"X\x00\x01\x00\x00" + b"a" * 256 + b"Ns", "a key of more than 255 bytes"),
        (named("numpy", "dtype") + DOUBLED + b"\x85R", "refused the dtype, a list"),
        (DTYPE + b"(K\x03" + DOUBLED + b"tb", "refused the byte order, a list"),
        (ENCODE + DOUBLED + DOUBLED + b"\x86R", "refused the encoding, a list"),
        (ENCODE + DOUBLED + b"X\x06\x00\x00\x00latin1\x86R", "refused the encoding 'latin1' of a"),
        (SCALAR + DTYPE + DOUBLED + b"\x86R", "refused the content of an array"),
        (BUFFER + b"(C\x01a" + DTYPE + TUPLES + b"X\x01\x00\x00\x00CtR", "the sizes of an array"),
        (BUFFER + b"(C\x01a" + DTYPE + b"K\x01\x85" + TUPLES + b"tR", "refused the order, a tuple"),
        (named("builtins", "set") + TUPLES + b"\x85R", "refused a key of type tuple"),
        (named("builtins", "bytes") + DOUBLED + b"\x85R", "bytes of a list"),
        # A number must not be copied because someone says so.
        (named("builtins", "bytes") + b"J\x00\x00\x00\x7f\x85R", "bytes of a int"),
        (b"\x96" + struct.pack("<Q", 2**40), f"{2**40} bytes wanted"),
        (b"\x96" + struct.pack("<Q", 2**63), f"{2**63} bytes wanted"),
        (b"\x8e" + struct.pack("<Q", 2**62), f"{2**62} bytes wanted"),
        (b"\x8e" + struct.pack("<Q", 2**63), "exceeds system's maximum size"),
        (b"\x8d" + struct.pack("<Q", 2**62), f"{2**62} bytes wanted"),
        (b"\x8d" + struct.pack("<Q", 2**63), "exceeds system's maximum size"),
        (b"T" + struct.pack("<i", -5), "negative byte count"),
        (b"\x8b" + struct.pack("<i", 2**30), "refused the opcode"),
        (b"L" + b"9" * 5000 + b"L\n", r"Exceeds the limit \(4300 digits\)"),
        # Arrays are what their bytes are.
        (BUFFER + b"(C\x04abcd" + DTYPE + b"K\x05\x85U\x01CtR", r"4 bytes for an array \[5\] of 1"),
        (
            BUFFER + b"(C\x04abcd" + DTYPE + b"J\xff\xff\xff\xff\x85U\x01CtR",
            "the sizes of an array",
        ),
        (BUFFER + b"(C\x04abcd" + DTYPE + b"K\x04\x85U\x01KK\x03\x85tR", "the axes of an array"),
        (BUFFER + b"(C\x04abcd" + DTYPE + b"K\x04\x85U\x01XtR", "refused the order 'X'"),
        (BUFFER + b"(C\x04abcdK\x01K\x04\x85U\x01CtR", "which must be bytes and a dtype"),
        (BUFFER + b"C\x04abcd\x85R", "wrong arguments of _frombuffer"),
        (
            RECONSTRUCT + b"(K\x01K\x02\x85" + DTYPE + b"\x89C\x03abctb",
            r"3 bytes for an array \[2\]",
        ),
        (RECONSTRUCT + b"K\x01b", "refused the state of an array"),
        # The machine.
        (b"\x97", "refused the opcode"),  # a buffer outside the file
        (b"\x81", "refused the opcode"),
        (b"Px\n", "refused the opcode"),
        (b"0", "the stack is empty"),
        (b"R", "the stack is empty"),
        (b"NNR", "a call of what is no function"),
        (b"]Nb", "list instead of Stateful"),
        (b"Na", "'dict' object has no attribute 'append'"),
        (b"t", "the stack .* has no mark"),
        (b"h\x05", "not found at index 5"),
        (b"ggg\n", r"invalid literal for int\(\) .* b'gg'"),
        (b"Sab\n", "argument must be quoted"),
        (b"Fab\n", "could not convert string to float: b'ab'"),
        (b"c\xff\nx\n", "utf-8"),
        (b"\x80\x06", "unsupported pickle protocol: 6"),
    ],
)
def test_what_it_asks_for_is_refused_with_the_place(load, body, says):
    with pytest.raises(
        ValueError, match=rf"file: expected a pickled dictionary.*({says}).*at byte"
    ):
        load(b"\x80\x04}" + body + b"NNs.")


def test_memory_places_cost_nothing(load):
    assert load(b"\x80\x04}K\x01Nr\xff\xff\xff\xffs.") == {1: None}


def test_equal_hashes_of_keys_are_few(load):
    number = 2**61 - 1  # all multiples have the hash 0
    keys = b"".join(pickle.dumps(number * (i + 1), 2)[2:-1] + b"N" for i in range(20_000))
    with pytest.raises(ValueError, match="a dictionary or set of more than 1000 entries"):
        load(b"\x80\x04}(" + keys + b"u.")
    one_by_one = b"".join(pickle.dumps(number * (i + 1), 2)[2:-1] + b"Ns" for i in range(20_000))
    with pytest.raises(ValueError, match="a dictionary or set of more than 1000 entries"):
        load(b"\x80\x04}" + one_by_one + b".")


@pytest.mark.parametrize("function", [ENCODE, named("builtins", "bytearray")])
def test_calls_copy_no_more_than_the_file_holds(load, function):
    large = b"a" * 300_000
    start = b"X" if function is ENCODE else b"B"
    value = start + struct.pack("<I", len(large)) + large + b"q\x00"
    last = b"X\x06\x00\x00\x00latin1\x86" if function is ENCODE else b"\x85"
    copy = function + b"h\x00" + last + b"R"
    with pytest.raises(ValueError, match="calls that copy more than 4 times the size of the file"):
        load(b"\x80\x04](" + value + copy * 3000 + b"e.")


def test_a_million_opcodes_are_enough_for_anybody(load, monkeypatch):
    assert _pickle_machine._OPCODES == 10**6
    monkeypatch.setattr(_pickle_machine, "_OPCODES", 10**4)  # measuring memory is slow
    with pytest.raises(ValueError, match="more than 10000 opcodes"):
        load(b"\x80\x04](" + b"\x8f" * 10**4 + b"e.")


def test_a_file_that_is_too_large_is_not_run(load, monkeypatch):
    monkeypatch.setattr(_unpickle, "_LARGEST", 1000)
    with pytest.raises(ValueError, match="found: 1007 bytes, of which at most 1000 are read"):
        load(pickle.dumps({"a": 0}, 2) + bytes(1007 - len(pickle.dumps({"a": 0}, 2))))


def test_bytes_after_the_end_are_refused(load):
    with pytest.raises(ValueError, match=r"3 bytes after its end \(at byte 3\)"):
        load(b"\x80\x04}.abc")


def test_deep_nesting_is_no_recursion(load):
    with pytest.raises(ValueError, match="a list"):
        load(b"\x80\x04" + b"]" * 50_000 + b"a" * 49_999 + b".")


def test_buffers_outside_the_file_are_refused(load):
    buffers = []
    array = np.arange(10)
    content = pickle.dumps({"data": array}, protocol=5, buffer_callback=buffers.append)
    with pytest.raises(ValueError, match=r"refused the opcode b'\\x97'"):
        load(content)


def test_every_call_of_another_function_is_refused(load, tmp_path):
    class Runs:
        def __reduce__(self):
            return open, (str(tmp_path / "trace"), "w")

    for protocol, kind in itertools.product(range(6), (Runs(), print, ValueError())):
        with pytest.raises(ValueError, match="refused"):
            load(pickle.dumps({"data": kind}, protocol=protocol))
    assert not (tmp_path / "trace").exists()
