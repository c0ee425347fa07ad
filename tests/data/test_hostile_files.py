"""Text, IDX and compressed files that claim more than they hold, or are spelled unusually."""

import bz2
import codecs
import contextlib
import gzip
import lzma
import re
import time
import tracemalloc

import numpy as np
import pytest

from jaxbyz.data import _idx_format, _reading, read_idx, read_libsvm

PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@contextlib.contextmanager
def bounded():
    """Both limits are far above what is needed, and far below what the file claims."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds, (_, peak) = time.perf_counter() - start, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20_000_000
    assert seconds < 10


def written(path, content):
    path.write_bytes(content)
    return path


# LIBSVM text.


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"1 4000000000:1", "found 2 samples of 4000000000 features, which take 64000000000"),
        (b"1 268435457:1", "found 2 samples of 268435457 features"),
        (b"1 1" + b"0" * 30 + b":1", "expected indices below 10^18, found '1000000000000000000"),
        (b"1 " + b"9" * 100_000 + b":1", f"found '{'9' * 40}', of 100000 digits"),
        (b"1 999999999999999999:1", "found 2 samples of 999999999999999999 features"),
        (b"1 0:1", "expected indices from 1 that increase, found 0 after 0"),
        (b"1 000:1", "expected indices from 1 that increase, found 0 after 0"),
        (b"1 -1:1", "expected index:value, found '-1:1'"),
        (b"1 0x1:1", "expected index:value, found '0x1:1'"),
        ("1 ١:1".encode(), "expected index:value"),
        (b"1 1:1e400", "expected a value of index 1, a finite number, found '1e400'"),
        (b"1 1:0x1p3", "expected a value of index 1, a finite number, found '0x1p3'"),
        (b"1 1:-nan", "a finite number, found '-nan'"),
        (b"1 1:" + b"9" * 400, "expected a value of index 1, a finite number, found '999"),
        (b"1e400 1:1", "expected a label, a finite number, found '1e400'"),
        (b"-inf 1:1", "expected a label, a finite number, found '-inf'"),
        (b"0x1 1:1", "expected a label, a finite number, found '0x1'"),
        (b"1 2:1 1:1", "expected indices from 1 that increase, found 1 after 2"),
        (b"1 2:1 2:1", "expected indices from 1 that increase, found 2 after 2"),
        (b"1 qid:4 1:1", "expected index:value, found 'qid:4'"),
        (b"1 1 : 1", "expected index:value, found '1'"),
        (b"1 1:1\x00", "expected a value of index 1, a finite number, found '1\\x00'"),
    ],
)
@pytest.mark.parametrize("features", [None, 7])
def test_a_wrong_line_costs_nothing(tmp_path, line, says, features):
    path = written(tmp_path / "file", b"1 1:1\n\n" + line + b"\n1 1:1\n")
    with bounded(), pytest.raises(ValueError, match=re.escape(f"{path}, line 3: ")) as caught:
        read_libsvm(path, features)
    message = str(caught.value)
    assert len(message) < 300 + len(str(path))
    assert says in message or (features is not None and "up to 7 features, found" in message)


def test_the_table_has_a_stated_bound(tmp_path):
    path = written(tmp_path / "wide", b"1 1000000:2\n-1 1:3\n")
    rows, labels = read_libsvm(path)  # few rows of a million features are nothing unusual
    assert rows.shape == (2, 10**6)
    assert (rows[0, -1], rows[1, 0], rows.sum()) == (2, 3, 5)
    assert labels.tolist() == [1, -1]
    assert read_libsvm(path, most_bytes=16_000_000)[0].shape == (2, 10**6)
    with pytest.raises(ValueError, match=f"{path}, line 2: .* at most 15999992 bytes.*16000000"):
        read_libsvm(path, most_bytes=15_999_999)
    written(path, b"1 1:3\n-1 1000000:2\n")
    with pytest.raises(ValueError, match=f"{path}, line 2: .*2 samples of 1000000 features"):
        read_libsvm(path, most_bytes=15_999_999)
    written(path, b"1 1:3\n" * 300)
    with (
        bounded(),
        pytest.raises(ValueError, match=f"{path}, line 269: .*269 samples of 1000000 features"),
    ):
        read_libsvm(path, features=10**6)
    with pytest.raises(ValueError, match="most_bytes must be an integer >= 1, got 0"):
        read_libsvm(path, most_bytes=0)


def test_a_full_table_is_read_in_a_few_times_its_size(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.integers(1, 9, (1000, 50))
    text = "\n".join("1 " + " ".join(f"{j + 1}:{v}" for j, v in enumerate(row)) for row in table)
    path = written(tmp_path / "full", text.encode())
    tracemalloc.start()
    found, _ = read_libsvm(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(found, table)
    # The docstring: the table and three times as much; arrays that grow hold an eighth in reserve.
    assert peak < 4.5 * found.nbytes + 1_000_000


@pytest.mark.parametrize("end", PACK)
@pytest.mark.parametrize("mark", ["", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends(tmp_path, end, mark, newline):
    lines = ["# Zürich", "+1 1:0.5  3:2 \t", "", "   ", "-1 2:1e-3 # häh", "  1 1:.5"]

    def encoded(lines):
        content = newline.join(lines).encode(mark or "utf-8")
        return {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(
            mark, b""
        ) + content

    path = written(tmp_path / f"file{end.upper()}", PACK[end](encoded(lines)))
    rows, labels = read_libsvm(path)
    assert rows.tolist() == [[0.5, 0, 2], [0, 1e-3, 0], [0.5, 0, 0]]
    assert labels.tolist() == [1, -1, 1]
    written(path, PACK[end](encoded([*lines, "1 x:1"])))
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}, line 7: .*found 'x:1'"):
        read_libsvm(path)


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF16_LE + b"1 1:1\n1",
        codecs.BOM_UTF16_BE + b"\xd8\x00\x00\n",
        b"\xef\xbb\xbf\xff",
    ],
)
def test_text_that_is_not_what_its_mark_says(tmp_path, content):
    path = written(tmp_path / "file", content)
    with pytest.raises(ValueError, match=rf"^{path}, line \d"):
        read_libsvm(path)


def test_a_mark_alone_is_an_empty_file(tmp_path):
    for content in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\r\n\r\n", b"# only\n"):
        path = written(tmp_path / "file", content)
        with pytest.raises(ValueError, match=f"{path}: expected at least one line"):
            read_libsvm(path)


def test_a_line_without_end_is_refused(tmp_path, monkeypatch):
    assert _reading._LINE == 2**25
    monkeypatch.setattr(_reading, "_LINE", 1000)  # reading 32 MiB takes long
    for content in (b"1 1:1\n" + b" " * 1001, b"1 1:1\n" + b"1" * 2000 + b"\n"):
        path = written(tmp_path / "file", content)
        with pytest.raises(ValueError, match=f"{path}, line 2: expected a line of at most 1000"):
            read_libsvm(path)
    assert read_libsvm(written(path, b"1 1:1" + b" " * 995))[1] == 1
    monkeypatch.setattr(_reading, "_IDLE", 1000)
    path = written(tmp_path / "file", b"1 1:1\n" + b"\n" * 2000)
    with pytest.raises(ValueError, match=f"{path}, line 1002: found 1001 empty lines in a row"):
        read_libsvm(path)


# Compressed files.


def bomb(end, size, start=b""):
    """`start` and then zeros or empty lines; a few kilobytes."""
    fill = (b"\0" if start.startswith(b"\0") else b"\n") * 10**6
    packer = {
        ".gz": lambda: gzip.zlib.compressobj(wbits=31),
        ".bz2": bz2.BZ2Compressor,
        ".xz": lzma.LZMACompressor,
    }[end]()
    parts = [packer.compress(start)]
    parts += [packer.compress(fill) for _ in range(size // len(fill))]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize("end", [".gz", ".bz2", ".xz"])
def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch, end):
    header = bytes([0, 0, 8, 1]) + (5).to_bytes(4, "big")
    path = written(tmp_path / f"bytes{end}", bomb(end, 50_000_000, header))
    with bounded(), pytest.raises(ValueError, match=f"{path}: .* 13 bytes .*, found 14 or more"):
        read_idx(path)
    path = written(tmp_path / f"text{end}", bomb(end, 20_000_000, b"1 1:1\n"))
    assert _reading._IDLE == 10**6
    monkeypatch.setattr(_reading, "_IDLE", 10**4)  # measuring memory is slow
    with bounded(), pytest.raises(ValueError, match=f"{path}, line 10002: found 10001 empty"):
        read_libsvm(path)


@pytest.mark.parametrize("end", [".gz", ".bz2", ".xz"])
def test_text_that_grows_beyond_reason(tmp_path, monkeypatch, end):
    monkeypatch.setattr(_reading, "_SLACK", 1000)
    path = written(tmp_path / f"text{end}", PACK[end](b"1 1:1\n" * 200_000))
    limit = 1000 + 100 * path.stat().st_size
    with pytest.raises(ValueError, match=rf"{path}, line \d+: .* 100 times .* more than {limit} "):
        read_libsvm(path)


# IDX.


@pytest.mark.parametrize("end", PACK)
@pytest.mark.parametrize(
    "sizes", [[2**31], [2**31] * 3, [2**32 - 1] * 32, [60_000, 2**15, 2**15], [1, 2**20]]
)
def test_sizes_are_not_believed(tmp_path, end, sizes):
    header = bytes([0, 0, 8, len(sizes)]) + np.array(sizes, ">u4").tobytes()
    path = written(tmp_path / f"file{end}", PACK[end](header + b"abc"))
    with (
        bounded(),
        pytest.raises(ValueError, match=f"{path}: expected .*, found 1?[0-9]+") as caught,
    ):
        read_idx(path)
    assert len(str(caught.value)) < 700 + len(str(path))


def test_no_entries_of_any_size(tmp_path):
    def header(sizes):
        return bytes([0, 0, 8, len(sizes)]) + np.array(sizes, ">u4").tobytes()

    path = written(tmp_path / "file", header([0, 2**32 - 1]))
    assert read_idx(path).shape == (0, 2**32 - 1)
    written(path, header([2**32 - 1] * 20 + [0]))
    with pytest.raises(ValueError, match=f"^{path}: expected sizes of an array"):
        read_idx(path)


def test_a_compressed_file_of_more_than_two_gibibytes_is_not_begun(tmp_path):
    assert _idx_format._LARGEST == 2**31
    header = bytes([0, 0, 8, 1]) + (2**31 + 1).to_bytes(4, "big")
    path = written(tmp_path / "file.gz", bomb(".gz", 10**6, header))
    with (
        bounded(),
        pytest.raises(ValueError, match=r"at most 2147483648 entries.*2147483649.*unpack it first"),
    ):
        read_idx(path)


def test_bytes_left_over_are_counted(tmp_path):
    content = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 8])
    assert read_idx(written(tmp_path / "FILE.GZ", gzip.compress(content))).tolist() == [7, 8]
    path = written(tmp_path / "file", content + bytes(100))
    with pytest.raises(ValueError, match=r"expected 10 bytes .*, found 110$"):
        read_idx(path)
    path = written(tmp_path / "file", b"\xef\xbb\xbf" + content)
    with pytest.raises(ValueError, match=r"expected an IDX file.*found ef bb bf 00"):
        read_idx(path)


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "idx", bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 8]))
    written(tmp_path / "text", b"1 1:1\n")
    assert read_idx("~/idx").tolist() == [7, 8]
    assert read_libsvm("~/text")[0].tolist() == [[1]]
