import gzip
import importlib
from pathlib import Path

import numpy as np
import pytest

from jaxbyz.data import fashion_mnist, idx_images, mnist, read_idx
from jaxbyz.data._scaling import normalise

idx = importlib.import_module("jaxbyz.data.idx")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")


def encode(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return [
        rng.integers(0, 256, (5, 4, 3)),
        rng.integers(0, 10, 5),
        rng.integers(0, 256, (2, 4, 3)),
        rng.integers(0, 10, 2),
    ]


def write(folder, contents=None, mark="-", end=""):
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in zip(STEMS, arrays() if contents is None else contents, strict=True):
        data = encode(array)
        name = f"{stem}{mark}idx{np.ndim(array)}-ubyte{end}"
        (folder / name).write_bytes(gzip.compress(data) if end else data)
    return folder


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(idx, "_DEBIAN_FASHION", tmp_path / "not-installed")
    monkeypatch.delenv("JAXBYZ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


# One file.


@pytest.mark.parametrize("shape", [(3,), (0,), (2, 3), (2, 3, 4), (300, 1, 2)])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_what_was_written_is_read(tmp_path, shape, end):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    path = tmp_path / f"file{end}"
    path.write_bytes(gzip.compress(encode(array)) if end else encode(array))
    result = read_idx(str(path))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, array)
    assert result.shape == shape


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "found an empty file"),
        (b"\0\0\x08", "an IDX file .* found 00 00 08"),
        (b"\0\0\x09\x01\0\0\0\x01\x01", "unsigned bytes.*found 00 00 09 01"),
        (b"\0\0\x0d\x01\0\0\0\x01" + bytes(4), "unsigned bytes.*found 00 00 0d 01"),
        (b"\x01\0\x08\x01\0\0\0\x01\x01", "found 01 00 08 01"),
        (b"\0\0\x08\0\x01", r"a rank in 1\.\.32, found 00 00 08 00"),
        (b"\0\0\x08\x21" + bytes(200), r"a rank in 1\.\.32, found 00 00 08 21"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "found 1f 8b"),
        (b"\0\0\x08\x03\0\0\0\x01", "a header of 16 bytes, found 8"),
        (b"\0\0\x08\x01\0\0\0\x05abcd", r"13 bytes .*sizes \[5\].*, found 12"),
        (b"\0\0\x08\x01\0\0\0\x03abcd", r"11 bytes .*sizes \[3\].*, found 12"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "found 16"),
    ],
)
@pytest.mark.parametrize("end", ["", ".gz"])
def test_a_wrong_file_is_named_with_what_was_found(tmp_path, content, says, end):
    path = tmp_path / f"file{end}"
    path.write_bytes(gzip.compress(content) if end else content)
    with pytest.raises(ValueError, match=f"file{end}: expected.*{says}"):
        read_idx(path)


@pytest.mark.parametrize("damage", ["cut", "not gzip", "flipped", "trailing"])
def test_a_damaged_gzip_file_is_named(tmp_path, damage):
    whole = gzip.compress(encode(np.arange(200)))
    path = tmp_path / "file.gz"
    path.write_bytes(
        {
            "cut": whole[:-9],
            "not gzip": encode(np.arange(200)),
            "flipped": whole[:60] + bytes([whole[60] ^ 255]) + whole[61:],
            "trailing": whole + b"more",
        }[damage]
    )
    with pytest.raises(ValueError, match=r"file\.gz: expected a whole gzip file, found"):
        read_idx(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere")


# Four files.


def check(data, mean=0.0, std=1.0, contents=None):
    images, labels, test_images, test_labels = arrays() if contents is None else contents
    for got, pixels in ((data.train_images, images), (data.test_images, test_images)):
        assert got.dtype == np.float32
        assert got.flags.c_contiguous
        # Three float32 operations on values of a few units: a few units in the last place.
        np.testing.assert_allclose(got, (pixels[..., None] / 255 - mean) / std, atol=2e-6)
    for got, answers in ((data.train_labels, labels), (data.test_labels, test_labels)):
        assert got.dtype == np.int32
        np.testing.assert_array_equal(got, answers)


@pytest.mark.parametrize("place", [".", "Letters", "Letters/raw"])
@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_every_place_and_spelling_is_found(tmp_path, place, mark, end):
    write(tmp_path / place, mark=mark, end=end)
    data = idx_images(tmp_path, "Letters", 0.2, 0.5)
    assert (data.name, data.classes) == ("Letters", 10)
    check(data, 0.2, 0.5)


def test_spellings_may_be_mixed_in_one_folder(tmp_path):
    write(tmp_path, end=".gz")
    (tmp_path / "train-labels-idx1-ubyte.gz").rename(tmp_path / "spare")
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(encode(arrays()[1]))
    check(idx_images(tmp_path, "any"))


def test_the_folder_of_the_name_comes_before_the_flat_one(tmp_path):
    write(tmp_path, contents=arrays(seed=1))
    write(tmp_path / "one" / "raw")
    check(idx_images(tmp_path, "one"))
    check(idx_images(tmp_path, "other"), contents=arrays(seed=1))


def test_an_incomplete_folder_is_passed_over_as_a_whole(tmp_path):
    write(tmp_path, contents=arrays(seed=1))
    (write(tmp_path / "one") / "t10k-labels-idx1-ubyte").unlink()
    check(idx_images(tmp_path, "one"), contents=arrays(seed=1))


def test_without_root_the_variable_decides_then_the_folder_data(tmp_path, monkeypatch):
    write(tmp_path / "data", contents=arrays(seed=1))
    check(idx_images(None, "any"), contents=arrays(seed=1))
    monkeypatch.setenv("JAXBYZ_DATA", "")
    check(idx_images(None, "any"), contents=arrays(seed=1))
    monkeypatch.setenv("JAXBYZ_DATA", str(write(tmp_path / "elsewhere")))
    check(idx_images(None, "any"))
    check(idx_images(tmp_path / "data", "any"), contents=arrays(seed=1))


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "mine")
    check(idx_images("~/mine", "any"))


@pytest.mark.parametrize(
    ("loader", "folder", "mean", "std"),
    [(mnist, "MNIST", 0.1307, 0.3081), (fashion_mnist, "FashionMNIST", 0.2860, 0.3530)],
)
def test_the_mnists_normalise_and_insist_on_their_sizes(
    tmp_path, monkeypatch, loader, folder, mean, std
):
    write(tmp_path / folder / "raw")
    with pytest.raises(
        ValueError, match=r"train-images-idx3-ubyte: expected.*\(60000, 28, 28\), found \(5, 4, 3\)"
    ):
        loader(tmp_path)
    monkeypatch.setattr(idx, "_SHAPES", ((5, 4, 3), (9, 4, 3)))
    with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte: expected.*found \(2, 4, 3\)"):
        loader(tmp_path)
    monkeypatch.setattr(idx, "_SHAPES", ((5, 4, 3), (2, 4, 3)))
    check(loader(tmp_path), mean, std)
    write(tmp_path / "flat")
    check(loader(tmp_path / "flat"), mean, std)


def test_the_installed_fashion_mnist_is_found_last(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "_SHAPES", ((5, 4, 3), (2, 4, 3)))
    monkeypatch.setattr(idx, "_DEBIAN_FASHION", write(tmp_path / "installed", end=".gz"))
    check(fashion_mnist(tmp_path / "absent"), 0.2860, 0.3530)
    write(tmp_path / "root", contents=arrays(seed=1))
    check(fashion_mnist(tmp_path / "root"), 0.2860, 0.3530, contents=arrays(seed=1))
    with pytest.raises(FileNotFoundError):
        mnist(tmp_path / "absent")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="the package dataset-fashion-mnist is absent")
def test_the_real_fashion_mnist(monkeypatch, tmp_path):
    monkeypatch.setattr(idx, "_DEBIAN_FASHION", DEBIAN)
    data = fashion_mnist(tmp_path)
    assert data.train_images.shape == (60_000, 28, 28, 1)
    assert data.test_images.shape == (10_000, 28, 28, 1)
    assert set(np.bincount(data.train_labels)) == {6000}
    assert set(np.bincount(data.test_labels)) == {1000}
    # The published statistics are rounded to four digits.
    assert abs(data.train_images.mean(dtype=np.float64)) < 3e-4
    assert abs(data.train_images.std(dtype=np.float64) - 1) < 3e-4


# Errors.


@pytest.mark.parametrize(
    ("load", "folders", "source"),
    [
        (mnist, ["MNIST/raw", ""], "home page of Yann LeCun"),
        (
            fashion_mnist,
            ["FashionMNIST/raw", "", "not-installed"],
            "Zalando Research.*Debian package dataset-fashion-mnist",
        ),
        (lambda root: idx_images(root, "X"), ["X/raw", "X", ""], "home page"),
    ],
)
def test_what_is_missing_is_told_with_every_folder_and_name(tmp_path, load, folders, source):
    (tmp_path / "t10k-labels.idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=rf"get it from .*{source}.*JAXBYZ_DATA") as caught:
        load(tmp_path)
    message = str(caught.value)
    for folder in folders:
        state = "no such folder"
        if folder == "":
            state = "lacks train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte"
        assert f"  {tmp_path / folder}: {state}\n" in message
    for stem, rank in zip(STEMS, (3, 1, 3, 1), strict=True):
        for mark in "-.":
            assert f"{stem}{mark}idx{rank}-ubyte" in message
            assert f"{stem}{mark}idx{rank}-ubyte.gz" in message


@pytest.mark.parametrize(
    ("position", "array", "says"),
    [
        (1, [0, 1, 2, 10, 3], r"train-labels-idx1-ubyte: expected labels in 0\.\.9, got 10 at 3"),
        (3, [255, 0], r"t10k-labels-idx1-ubyte: expected labels in 0\.\.9, got 255 at 0"),
        (1, [0, 1], r"train-labels-idx1-ubyte: expected 5 labels.*found sizes \(2,\)"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, position, array, says):
    contents = arrays()
    contents[position] = array
    write(tmp_path, contents)
    with pytest.raises(ValueError, match=says):
        idx_images(tmp_path, "any")


def test_images_and_labels_exchanged_are_named(tmp_path):
    write(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(encode(np.zeros(5)))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte: expected.*\[N, H, W\].*\(5,\)"):
        idx_images(tmp_path, "any")
    write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(encode(np.zeros((5, 1))))
    with pytest.raises(ValueError, match=r"train-labels-idx1-ubyte: expected 5 labels.*\(5, 1\)"):
        idx_images(tmp_path, "any")


def test_an_empty_data_set_and_sizes_that_differ_between_the_splits(tmp_path):
    contents = arrays()
    write(tmp_path, [*contents[:2], np.zeros((0, 4, 3)), np.zeros(0)])
    with pytest.raises(ValueError, match="test_images must not be empty"):
        idx_images(tmp_path, "any")
    write(tmp_path, [*contents[:2], np.zeros((2, 3, 4)), contents[3]])
    with pytest.raises(ValueError, match="test_images must have the"):
        idx_images(tmp_path, "any")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"std": 0.0}, "std must be above 0, got 0.0"),
        ({"std": -1.0}, "std must be above 0"),
        ({"std": float("nan")}, r"std must lie in \(-inf, inf\), got nan"),
        ({"mean": float("inf")}, r"mean must lie in \(-inf, inf\), got inf"),
        ({"mean": "0.5"}, r"mean must be"),
        ({"mean": True}, r"mean must be a number in \(-inf, inf\), got True"),
        ({"mean": (0.1, 0.2)}, "mean must be one number or 1, got"),
        ({"classes": 0}, "classes must be an integer >= 1, got 0"),
        ({"classes": 9.0}, "classes must be"),
    ],
)
def test_arguments_are_checked(tmp_path, arguments, says):
    write(tmp_path)
    with pytest.raises(ValueError, match=says):
        idx_images(tmp_path, "any", **arguments)


def test_the_number_of_classes_is_the_callers(tmp_path):
    contents = arrays()
    contents[1][0] = 46
    write(tmp_path, contents)
    assert idx_images(tmp_path, "any", classes=47).classes == 47


def test_scaling_makes_no_second_array_of_the_size_of_the_result():
    import tracemalloc

    pixels = np.zeros((1000, 32, 32, 3), np.uint8)
    tracemalloc.start()
    try:
        result = normalise(pixels, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.dtype == np.float32
    # The buffers of a ufunc are a fixed number of kilobytes.
    assert peak < result.nbytes + 500_000
