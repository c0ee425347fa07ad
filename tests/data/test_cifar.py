import importlib
import pickle
import struct

import numpy as np
import pytest

from jaxbyz.data import cifar10

cifar = importlib.import_module("jaxbyz.data.cifar")
BATCHES = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
RECORDS = 3
MEAN = np.array([0.4914, 0.4822, 0.4465])
STD = np.array([0.2470, 0.2435, 0.2616])


@pytest.fixture(autouse=True)
def no_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXBYZ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def batch(seed):
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 256, (RECORDS, 3072), dtype=np.uint8),
        rng.integers(0, 10, RECORDS, dtype=np.uint8),
    )


# Four ways in which a batch may have been written.


def binary(pixels, labels):
    return b"".join(
        bytes([label]) + row.tobytes() for row, label in zip(pixels, labels, strict=True)
    )


def numpy_2(pixels, labels, protocol=2):
    content = {"data": pixels, "labels": labels.tolist(), "filenames": ["a.png"] * len(labels)}
    data = pickle.dumps(content, protocol=protocol)
    return data.replace(b"numpy.core.multiarray", b"numpy._core.multiarray")


def numpy_1(pixels, labels):
    return numpy_2(pixels, labels).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def python_2(pixels, labels):
    """The opcodes of the original files: byte strings for text, 0 and 1 for booleans."""

    def text(value):
        return b"T" + struct.pack("<i", len(value)) + value

    code = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    code += b"(K\x03" + text(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += b"\x87R(K\x01" + b"K" + bytes([len(pixels)]) + b"M\x00\x0c\x86"
    array += code + b"\x89" + text(pixels.tobytes()) + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def numpy_scalars(pixels, labels):
    content = {b"data": pixels, b"labels": [np.int64(label) for label in labels]}
    return pickle.dumps(content, protocol=2)


def label_array(pixels, labels):
    return pickle.dumps({b"data": pixels, b"labels": labels.astype(np.int64)}, protocol=4)


PICKLED = [numpy_1, numpy_2, python_2, numpy_scalars, label_array]


def write(folder, form, shift=0):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(BATCHES):
        path = folder / (f"{name}.bin" if form is binary else name)
        path.write_bytes(form(*batch(seed + shift)))
    return folder


def check(data, shift=0):
    """Pixel by pixel from the format: byte 1024 c + 32 h + w of a record is pixel (h, w, c)."""
    pixels, labels = zip(*(batch(seed + shift) for seed in range(6)), strict=True)
    assert (data.name, data.classes) == ("cifar10", 10)
    for images, answers, part in (
        (data.train_images, data.train_labels, slice(0, 5)),
        (data.test_images, data.test_labels, slice(5, 6)),
    ):
        rows = np.concatenate(pixels[part])
        assert images.shape == (len(rows), 32, 32, 3)
        assert (images.dtype, answers.dtype) == (np.float32, np.int32)
        assert images.flags.c_contiguous
        np.testing.assert_array_equal(answers, np.concatenate(labels[part]))
        for i, h, w, c in [(0, 0, 0, 0), (1, 0, 31, 1), (2, 31, 0, 2), (2, 17, 5, 1)]:
            wanted = (rows[i, 1024 * c + 32 * h + w] / 255 - MEAN[c]) / STD[c]
            # Three float32 operations on values of a few units.
            assert images[i, h, w, c] == pytest.approx(wanted, abs=2e-6)


@pytest.mark.parametrize("place", ["", "cifar-10-batches-bin"])
def test_binary(tmp_path, place):
    write(tmp_path / place, binary)
    check(cifar._load(tmp_path, RECORDS))


@pytest.mark.parametrize("place", ["", "cifar-10-batches-py"])
@pytest.mark.parametrize("form", PICKLED)
def test_pickled(tmp_path, place, form):
    write(tmp_path / place, form)
    check(cifar._load(tmp_path, RECORDS))


def test_binary_comes_before_pickled_and_the_folder_before_the_flat_files(tmp_path):
    write(tmp_path, numpy_2, shift=10)
    check(cifar._load(tmp_path, RECORDS), shift=10)
    write(tmp_path / "cifar-10-batches-py", numpy_2, shift=20)
    check(cifar._load(tmp_path, RECORDS), shift=20)
    write(tmp_path, binary, shift=30)
    check(cifar._load(tmp_path, RECORDS), shift=30)
    write(tmp_path / "cifar-10-batches-bin", binary, shift=40)
    check(cifar._load(tmp_path, RECORDS), shift=40)


def test_an_incomplete_version_is_passed_over(tmp_path):
    (write(tmp_path, binary) / "data_batch_3.bin").unlink()
    write(tmp_path / "cifar-10-batches-py", numpy_2, shift=5)
    check(cifar._load(tmp_path, RECORDS), shift=5)


def test_the_variable_names_the_root(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXBYZ_DATA", str(write(tmp_path / "there", binary)))
    check(cifar._load(None, RECORDS))


# Errors.


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"page of Alex Krizhevsky.*JAXBYZ_DATA") as caught:
        cifar10(tmp_path)
    message = str(caught.value)
    for folder in ("cifar-10-batches-bin", "cifar-10-batches-py"):
        assert f"{tmp_path / folder}: no such folder" in message
    assert f"{tmp_path}: lacks data_batch_1.bin" in message
    assert f"{tmp_path}: lacks data_batch_1," in message
    assert all(f"{name}.bin" in message and f" {name}" in message for name in BATCHES)


def test_the_public_loader_insists_on_whole_files(tmp_path):
    write(tmp_path / "b", binary)
    with pytest.raises(ValueError, match=r"data_batch_1\.bin: expected 30730000 bytes.*found 9219"):
        cifar10(tmp_path / "b")
    write(tmp_path / "p", numpy_2)
    with pytest.raises(ValueError, match=r"data_batch_1: expected data of uint8 \[10000, 3072\]"):
        cifar10(tmp_path / "p")


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0"])
def test_a_binary_file_of_another_length(tmp_path, change):
    path = write(tmp_path, binary) / "test_batch.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match=r"test_batch\.bin: expected 9219 bytes.*found 92(18|20)"):
        cifar._load(tmp_path, RECORDS)


@pytest.mark.parametrize("form", [binary, *PICKLED])
def test_a_label_out_of_range(tmp_path, form):
    write(tmp_path, form)
    path = tmp_path / ("data_batch_2.bin" if form is binary else "data_batch_2")
    path.write_bytes(form(batch(0)[0], np.array([1, 10, 2], np.uint8)))
    with pytest.raises(ValueError, match=r"data_batch_2.*expected labels in 0\.\.9, got 10 at 1"):
        cifar._load(tmp_path, RECORDS)


PIXELS, LABELS = batch(0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([PIXELS, LABELS], "expected a pickled dictionary.*found: a list"),
        ({"data": PIXELS}, "array under 'labels', found NoneType"),
        ({"labels": [1, 2, 3]}, "array under 'data', found NoneType"),
        ({"data": PIXELS, "labels": "123"}, "array under 'labels', found str"),
        ({"data": PIXELS[:2], "labels": [1, 2, 3]}, r"uint8 \[3, 3072\], found uint8 \[2, 3072\]"),
        ({"data": PIXELS / 255, "labels": [1, 2, 3]}, r"found float64 \[3, 3072\]"),
        ({"data": PIXELS.reshape(3, 3, 32, 32), "labels": [1, 2, 3]}, r"found uint8 \[3, 3, 32"),
        ({"data": PIXELS, "labels": [1, 2]}, r"integers \[3\], found int64 \[2\]"),
        ({"data": PIXELS, "labels": [1.0, 2.0, 3.0]}, r"integers \[3\], found float64"),
        ({"data": PIXELS, "labels": [1, [2], 3]}, "expected an array under 'labels'"),
        ({"data": PIXELS, "labels": [1, -2, 3]}, r"labels in 0\.\.9, got -2 at 1"),
        ({"data": PIXELS, "labels": [1, 300, 3]}, r"labels in 0\.\.9, got 300 at 1"),
    ],
)
def test_a_pickle_of_something_else(tmp_path, content, says):
    write(tmp_path, numpy_2)
    (tmp_path / "data_batch_4").write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(ValueError, match=f"data_batch_4: .*{says}"):
        cifar._load(tmp_path, RECORDS)


class Runs:
    """On unpickling, calls what it was made with."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(5))
def test_a_pickle_that_calls_functions_is_refused(tmp_path, protocol):
    write(tmp_path, numpy_2)
    trace = tmp_path / "trace"
    for call in (Runs(open, str(trace), "w"), Runs(eval, f"open({str(trace)!r}, 'w')")):
        data = pickle.dumps({"data": call, "labels": [1]}, protocol=protocol)
        (tmp_path / "data_batch_1").write_bytes(data)
        with pytest.raises(ValueError, match=r"data_batch_1: .*refused \w+\.(open|eval)"):
            cifar._load(tmp_path, RECORDS)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", r"refused os\.system"),
        (b"cbuiltins\ngetattr\n.", r"refused builtins\.getattr"),
        (b"c__builtin__\neval\n.", r"refused __builtin__\.eval"),
        (b"cnumpy\nload\n.", r"refused numpy\.load"),
        (b"cnumpy\nfromfile\n.", r"refused numpy\.fromfile"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", r"refused numpy\.ndarray\.tofile"),
        (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.", "rot13"),
        (b"\x80\x02cnumpy\ndtype\n]\x85R.", "refused the dtype"),
        (b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.", "refused the dtype 'O8'"),
        (pickle.dumps({"data": np.array(["text"])}, protocol=2), "refused the dtype 'U4'"),
        (pickle.dumps({"data": np.zeros(2, "u1,u1")}, protocol=2), "refused the dtype 'V2'"),
        (pickle.dumps({"data": np.array([{}])}, protocol=2), "refused the dtype 'O8'"),
        (b"", "found"),
        (b"\x80\x02}", "found"),
        (b"not a pickle", "found"),
        (b"P1\n.", "found"),
    ],
)
def test_a_damaged_or_hostile_pickle_is_a_clear_error(tmp_path, data, says):
    write(tmp_path, numpy_2)
    (tmp_path / "test_batch").write_bytes(data)
    with pytest.raises(ValueError, match=f"test_batch: expected a pickled dictionary.*{says}"):
        cifar._load(tmp_path, RECORDS)


def test_a_pickle_cannot_change_the_dtypes_of_numpy(tmp_path):
    write(tmp_path, numpy_2)
    swap = b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00i4\x89\x89\x87R"
    swap += b"(K\x03X\x01\x00\x00\x00>NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb."
    (tmp_path / "test_batch").write_bytes(swap)
    with pytest.raises(ValueError, match="found: a _Dtype"):
        cifar._load(tmp_path, RECORDS)
    assert np.dtype("i4").isnative


@pytest.mark.parametrize("kind", [">i4", "<u2", "<i8"])
@pytest.mark.parametrize("order", "CF")
def test_byte_and_memory_orders_are_kept(tmp_path, kind, order):
    def form(pixels, labels):
        content = {"data": np.asarray(pixels, order=order), "labels": labels.astype(kind)}
        return pickle.dumps(content, protocol=2)

    write(tmp_path, form)
    check(cifar._load(tmp_path, RECORDS))


@pytest.mark.parametrize("form", PICKLED)
def test_a_cut_pickle_is_a_clear_error(tmp_path, form):
    write(tmp_path, form)
    path = tmp_path / "data_batch_5"
    whole = path.read_bytes()
    for length in (1, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="data_batch_5: expected a pickled"):
            cifar._load(tmp_path, RECORDS)
