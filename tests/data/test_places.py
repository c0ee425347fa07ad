"""Where files are found, what they may be called, and what is said when they are missing."""

import bz2
import gzip
import importlib
import lzma
import pickle
import re

import numpy as np
import pytest

import jaxbyz as jb
from jaxbyz.data import emnist, idx_images, load, load_binary, mnist

idx = importlib.import_module("jaxbyz.data.idx")
cifar = importlib.import_module("jaxbyz.data.cifar")
libsvm = importlib.import_module("jaxbyz.data.libsvm")

PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
STEMS = ("train-images", "train-labels", "t10k-images", "t10k-labels")
TRAIN, TEST = 12, 2


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    """Tiny files stand for the real ones; nothing is installed."""
    monkeypatch.setattr(idx, "_DEBIAN_FASHION", tmp_path / "not-installed")
    monkeypatch.setattr(idx, "_SHAPES", ((TRAIN, 28, 28), (TEST, 28, 28)))
    monkeypatch.setattr(cifar, "_RECORDS", 3)
    for name, known in libsvm.KNOWN.items():
        monkeypatch.setitem(libsvm.KNOWN, name, known._replace(samples=12))
    monkeypatch.delenv("JAXBYZ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def encode(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def arrays(labels=range(10)):
    rng = np.random.default_rng(0)
    labels = np.asarray(labels)
    return [
        rng.integers(0, 256, (TRAIN, 28, 28)),
        np.resize(labels, TRAIN),
        rng.integers(0, 256, (TEST, 28, 28)),
        np.resize(labels[::-1], TEST),
    ]


def write_idx(folder, spell=lambda name: name, pack=bytes, labels=range(10)):
    for stem, array in zip(STEMS, arrays(labels), strict=True):
        path = folder / spell(f"{stem}-idx{array.ndim}-ubyte")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(encode(array)))


def check_idx(data, first_label=0, labels=range(10)):
    images, train, test_images, test = arrays(labels)
    np.testing.assert_array_equal(data.train_labels, train - first_label)
    np.testing.assert_array_equal(data.test_labels, test - first_label)
    for found, pixels in ((data.train_images, images), (data.test_images, test_images)):
        flat, other = found.ravel(), pixels.ravel()
        assert (np.argsort(flat[:5]) == np.argsort(other[:5])).all()
        assert found.shape == (*pixels.shape, 1)


SPELLINGS = {
    "plain": lambda name: name,
    "gz": lambda name: f"{name}.gz",
    "GZ": lambda name: f"{name}.GZ",
    "bz2": lambda name: f"{name}.bz2",
    "xz": lambda name: f"{name}.xz",
    "upper": str.upper,
    "dots": lambda name: name.replace("-idx", ".idx"),
    "test": lambda name: name.replace("t10k", "test"),
    "a folder of its name": lambda name: f"{name}/{name}",
    "a folder of its name, dots outside": lambda name: f"{name.replace('-idx', '.idx')}/{name}",
    "a folder of its name, gz": lambda name: f"{name}/{name}.gz",
}


def packer(spelling):
    ends = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
    return next((pack for end, pack in ends.items() if end in spelling.lower()), bytes)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("loader", [mnist, lambda root: idx_images(root, "MNIST")])
def test_spellings(tmp_path, spelling, loader):
    write_idx(tmp_path / "root", SPELLINGS[spelling], packer(spelling))
    check_idx(loader(tmp_path / "root"))


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mnist", "MNIST/raw"),
        ("mnist", "MNIST"),
        ("mnist", "mnist"),
        ("mnist", "archive"),
        ("mnist", "."),
        ("fashion_mnist", "FashionMNIST/raw"),
        ("fashion_mnist", "fashion-mnist"),
        ("fashion_mnist", "Fashion_MNIST/raw"),
    ],
)
def test_folders(tmp_path, name, folder):
    write_idx(tmp_path / "root" / folder)
    check_idx(load(name, tmp_path / "root"))


def test_an_exact_folder_comes_before_another_spelling(tmp_path):
    write_idx(tmp_path / "mnist", labels=[9])
    write_idx(tmp_path / "MNIST")
    check_idx(mnist(tmp_path))


def test_a_plain_file_comes_before_a_compressed_one(tmp_path):
    write_idx(tmp_path)
    for stem in STEMS:
        (tmp_path / f"{stem}-idx{3 if 'images' in stem else 1}-ubyte.gz").write_bytes(b"damaged")
    check_idx(mnist(tmp_path))


# EMNIST.


@pytest.mark.parametrize("folder", [".", "EMNIST/raw", "emnist", "gzip", "EMNIST/gzip", "archive"])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("mark", ["t10k", "test"])
def test_letters_become_0_to_25(tmp_path, folder, end, mark):
    def spell(name):
        return f"emnist-letters-{name.replace('t10k', mark)}{end}"

    write_idx(tmp_path / folder, spell, PACK[end], labels=range(26, 0, -1))
    for data in (emnist("letters", tmp_path), load("emnist_letters", tmp_path)):
        assert (data.name, data.classes) == ("emnist_letters", 26)
        check_idx(data, 1, labels=range(26, 0, -1))
    with pytest.raises(FileNotFoundError, match="EMNIST digits was not found"):
        emnist("digits", tmp_path)


@pytest.mark.parametrize(
    ("split", "classes"), [("byclass", 62), ("bymerge", 47), ("balanced", 47), ("digits", 10)]
)
def test_other_splits_count_from_0(tmp_path, split, classes):
    labels = [classes - 1, 0, 1]
    write_idx(tmp_path, lambda name: f"emnist-{split}-{name}", labels=labels)
    data = load(f"emnist_{split}", tmp_path)
    check_idx(data, labels=labels)
    assert data.classes == classes
    write_idx(tmp_path, lambda name: f"emnist-{split}-{name}", labels=[classes])
    with pytest.raises(ValueError, match=rf"emnist-{split}-train-labels.*0\.\.{classes - 1}, got"):
        load(f"emnist_{split}", tmp_path)


def test_a_letter_outside_the_alphabet_is_named(tmp_path):
    for wrong in (0, 27):
        write_idx(tmp_path, lambda name: f"emnist-letters-{name}", labels=[3, wrong])
        with pytest.raises(ValueError, match=r"train-labels.* first_label = 1 was subtracted"):
            emnist("letters", tmp_path)
    with pytest.raises(ValueError, match=r"split must be one of byclass, .*, got 'letter'"):
        emnist("letter", tmp_path)


def test_any_files_with_a_prefix_or_labels_from_1(tmp_path):
    labels = range(1, 27)
    write_idx(tmp_path / "a", lambda name: f"emnist-letters-{name}", labels=labels)
    for name in ("emnist-letters", "emnist_letters", "EMNIST-Letters"):
        check_idx(idx_images(tmp_path / "a", name, classes=26), 1, labels=labels)
    write_idx(tmp_path / "b", labels=range(1, 13))
    check_idx(idx_images(tmp_path / "b", "any", classes=12, first_label=1), 1, labels=range(1, 13))
    with pytest.raises(ValueError, match=r"got 12 at 11; give first_label=1 for labels 1\.\.12"):
        idx_images(tmp_path / "b", "any", classes=12)
    with pytest.raises(ValueError, match="first_label must be an integer >= 0, got -1"):
        idx_images(tmp_path / "b", "any", classes=12, first_label=-1)
    with pytest.raises(ValueError, match="name must be the name of the data set, got ''"):
        idx_images(tmp_path, "")


# The root.


@pytest.mark.parametrize("wrong", [3, b"folder", ["folder"], "~nobody-of-this-name/data"])
def test_a_root_that_is_no_path(wrong):
    for read in (mnist, cifar.cifar10, lambda root: load_binary("a9a", root)):
        with pytest.raises(ValueError, match=r"^root must be the path of a folder, got "):
            read(wrong)


@pytest.mark.parametrize("wrong", ["a\0b", "a" * 256, "\ud800", "a/" * 2500])
def test_a_path_that_no_file_system_holds(wrong):
    for read in (mnist, cifar.cifar10, lambda root: load_binary("a9a", root)):
        with pytest.raises(ValueError, match=r"^root must be a (shorter )?path.* got "):
            read(wrong)
    for read in (jb.data.read_idx, jb.data.read_libsvm):
        with pytest.raises(ValueError, match=r"^path must be a (shorter )?path.* got "):
            read(wrong)


def test_a_root_for_data_without_files():
    calls = (
        lambda: load("digits", "data"),
        lambda: load_binary("breast_cancer", "data"),
        lambda: load_binary("synthetic", "data"),
        lambda: jb.problems.classification("digits", root="data", honest=4),
        lambda: jb.problems.logistic("synthetic", root="data", honest=4),
    )
    for call in calls:
        with pytest.raises(ValueError, match=r"root must be None for .*, which reads no files, g"):
            call()


def test_a_root_that_is_a_file(tmp_path, monkeypatch):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"root must be a folder that .*, got the file {path}"):
        mnist(path)
    monkeypatch.setenv("JAXBYZ_DATA", str(path))
    with pytest.raises(ValueError, match="JAXBYZ_DATA must be a folder"):
        mnist()


def test_root_belongs_to_names_only(tmp_path):
    digits, rows = load("digits"), load_binary("synthetic")
    with pytest.raises(ValueError, match=r"root .* with data of type Dataset"):
        jb.problems.classification(digits, root=tmp_path, honest=2)
    with pytest.raises(ValueError, match=r"root .* with data of type BinaryDataset"):
        jb.problems.logistic(rows, root=tmp_path, honest=2)


def test_the_root_then_the_variable_then_data(tmp_path, monkeypatch):
    def write(folder, shift):
        folder.mkdir(exist_ok=True)
        (folder / "a9a").write_text(f"{1 + shift} 1:1\n{2 + 2 * shift} 2:1\n" * 6)

    write(tmp_path / "data", 0)
    assert jb.problems.logistic("a9a", honest=2).dimension == 123
    (tmp_path / "there").mkdir()
    monkeypatch.setenv("JAXBYZ_DATA", str(tmp_path / "there"))
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/there: lacks a9a"):
        jb.problems.logistic("a9a", honest=2)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert jb.problems.logistic("a9a", root="~/data", honest=2).dimension == 123
    monkeypatch.setenv("JAXBYZ_DATA", "~/data")
    assert jb.problems.logistic("a9a", honest=2).dimension == 123


# What is missing.


def write_cifar(folder, form):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in cifar._BATCHES:
        pixels, labels = rng.integers(0, 256, (3, 3072), dtype=np.uint8), [1, 2, 9]
        content = {"data": pixels, "labels": labels}
        if form == "bin":
            rows = np.column_stack([np.array(labels, np.uint8), pixels])
            (folder / f"{name}.bin").write_bytes(rows.tobytes())
        elif form == "GZ":
            (folder / f"{name}.GZ").write_bytes(gzip.compress(pickle.dumps(content, protocol=5)))
        else:
            (folder / name).write_bytes(pickle.dumps(content, protocol=form))


def write_lines(name):
    def write(folder):
        (folder / name).write_bytes(b"1 1:1\n2 2:1\n" * 6)

    return write


def emnist_files(split):
    return lambda folder: write_idx(
        folder, lambda name: f"emnist-{split}-{name}", labels=range(1, 10)
    )


HOMES = {
    "mnist": "http://yann.lecun.com/exdb/mnist/",
    "fashion_mnist": "https://github.com/zalandoresearch/fashion-mnist",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar.html",
    "a9a": "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html",
    "mine": "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary.html",
    "emnist_letters": "https://www.nist.gov/itl/products-and-services/emnist-dataset",
    "emnist_mnist": "https://www.nist.gov/itl/products-and-services/emnist-dataset",
    "plain": "its home page",
}
READ = {
    "a9a": lambda root: load_binary("a9a", root),
    "mine": lambda root: jb.data.libsvm("mine", root, features=7),
    "plain": lambda root: idx_images(root, "plain", 0.25, (0.5,), classes=11, first_label=0),
}
WRITE = {
    "mnist": write_idx,
    "fashion_mnist": write_idx,
    "plain": write_idx,
    "cifar10": lambda folder: write_cifar(folder, "bin"),
    "a9a": write_lines("a9a"),
    "mine": write_lines("mine"),
    "emnist_letters": emnist_files("letters"),
    "emnist_mnist": emnist_files("mnist"),
}


@pytest.mark.parametrize("given", ["root", "variable", "data"])
@pytest.mark.parametrize("name", HOMES)
def test_the_message_names_the_home_page_and_a_call_that_reads(tmp_path, monkeypatch, name, given):
    """The call of the message is what reads the files, once they are there."""
    root = tmp_path / ("data" if given == "data" else "my 'data'")
    if given == "variable":
        monkeypatch.setenv("JAXBYZ_DATA", str(root))
    read = READ.get(name, lambda root: load(name, root))
    with pytest.raises(FileNotFoundError) as caught:
        read(root if given == "root" else None)
    message = str(caught.value)
    assert HOMES[name] in message
    call = message.splitlines()[-1].strip()
    assert call.startswith("jb.problems.")
    assert repr(str(root)) in call
    root.mkdir()
    WRITE[name](root)
    monkeypatch.chdir("/")
    problem = eval(call.replace("honest=10", "honest=2"), {"jb": jb})
    assert problem.honest == 2
    direct = read(root)
    assert direct.name == problem.name == name


@pytest.mark.parametrize("call", ["classification", "logistic"])
def test_the_problems_say_it_too(tmp_path, call):
    name = {"classification": "mnist", "logistic": "w8a"}[call]
    with pytest.raises(FileNotFoundError, match=re.escape(f"jb.problems.{call}({name!r}, root=")):
        getattr(jb.problems, call)(name, root=tmp_path, honest=3)


def test_archives_are_named(tmp_path):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(b"")
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "archive.zip").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"unpacked first:\n.*cifar-10-python.tar.gz"):
        load("cifar10", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"unpacked first:\n.*MNIST/archive.zip"):
        mnist(tmp_path)


# CIFAR-10.


@pytest.mark.parametrize("form", ["bin", "GZ", *range(6)])
@pytest.mark.parametrize("base", [".", "archive", "cifar-10-python"])
@pytest.mark.parametrize("inner", [".", "cifar-10-batches-{}"])
def test_cifar_in_every_form_and_place(tmp_path, form, base, inner):
    write_cifar(tmp_path / base / inner.format("bin" if form == "bin" else "py"), form)
    data = load("cifar10", tmp_path)
    assert data.train_images.shape == (15, 32, 32, 3)
    assert data.test_labels.tolist() == [1, 2, 9]


# LIBSVM.


@pytest.mark.parametrize(
    "path",
    ["a9a", "A9A", "a9a.TXT", "a9a.txt.BZ2", "a9a/a9a", "a9a.gz", "archive/a9a", "A9a/a9a.xz"],
)
def test_libsvm_spellings(tmp_path, path):
    path = tmp_path / path
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PACK.get(path.suffix.lower(), bytes)(b"1 1:1\n2 2:1\n" * 6))
    assert load_binary("a9a", tmp_path).features.shape == (12, 123)


@pytest.mark.parametrize("name", ["", ".", "..", 3, None])
def test_libsvm_needs_a_name(tmp_path, name):
    with pytest.raises(ValueError, match="name must be the name of a file, got"):
        jb.data.libsvm(name, tmp_path)
