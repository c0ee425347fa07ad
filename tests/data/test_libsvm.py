import bz2
import gzip
import importlib
import lzma
import re

import numpy as np
import pytest

from jaxbyz.data import (
    BinaryDataset,
    breast_cancer,
    libsvm,
    load_binary,
    read_libsvm,
    synthetic_binary,
    unit_rows,
    validate_binary,
)
from jaxbyz.data.binary import signs_of

module = importlib.import_module("jaxbyz.data.libsvm")  # the package has a function of this name
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
GOOD = b"+1 1:0.5 3:2\n-1 2:1e-3\n"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXBYZ_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def random_text(seed, samples=40, features=7):
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(samples):
        columns = np.flatnonzero(rng.random(features) < 0.4) + 1
        entries = " ".join(f"{j}:{rng.normal()!r}" for j in columns)
        lines.append(f"{rng.choice([-1, 1])} {entries}")
    return ("\n".join(lines) + "\n").replace("np.float64(", "").replace(")", "").encode()


# One file.


@pytest.mark.parametrize("end", PACK)
def test_rows_are_those_of_scikit_learn(tmp_path, end):
    from sklearn.datasets import load_svmlight_file

    text = random_text(len(end))
    path, plain = tmp_path / f"file{end}", tmp_path / "plain"
    path.write_bytes(PACK[end](text))
    plain.write_bytes(text)
    rows, labels = read_libsvm(str(path), 9)
    expected, answers = load_svmlight_file(str(plain), n_features=9, zero_based=False)
    # Both read decimals to the nearest double.
    np.testing.assert_array_equal(rows, expected.toarray())
    np.testing.assert_array_equal(labels, answers)
    assert rows.dtype == labels.dtype == np.float64


@pytest.mark.parametrize(
    ("content", "rows", "labels"),
    [
        (GOOD, [[0.5, 0, 2], [0, 1e-3, 0]], [1, -1]),
        (b"1 1:1", [[1]], [1]),  # no newline at the end
        (b"# all\n\n1 2:3 # one\r\n  \n0\t1:4\t2:5\n", [[0, 3], [4, 5]], [1, 0]),
        (b"0\n1 1:-2\n", [[0], [-2]], [0, 1]),  # a sample of zeros
        (b"2.0 1:1\n4.0 1:0\n", [[1], [0]], [2, 4]),
    ],
)
def test_what_a_line_may_be(tmp_path, content, rows, labels):
    path = tmp_path / "file"
    path.write_bytes(content)
    found, written = read_libsvm(path)
    assert found.tolist() == rows
    assert written.tolist() == labels
    wider, _ = read_libsvm(path, features=6)
    assert wider.shape == (len(rows), 6)
    assert not wider[:, found.shape[1] :].any()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"one 1:1", "expected a label, a finite number, found 'one'"),
        (b"nan 1:1", "expected a label, a finite number, found 'nan'"),
        (b"1:1 2:2", "expected a label, a finite number, found '1:1'"),
        (b"1,2 1:1", "expected a label, a finite number, found '1,2'"),
        (b"1 qid:3 1:1", "expected index:value, found 'qid:3'"),
        (b"1 1", "expected index:value, found '1'"),
        (b"1 :1", "expected index:value, found ':1'"),
        (b"1 -2:1", "expected index:value, found '-2:1'"),
        (b"1 1.5:1", "expected index:value, found '1.5:1'"),
        (b"1 1: 2:3", "expected a value of index 1, a finite number, found ''"),
        (b"1 1:inf", "expected a value of index 1, a finite number, found 'inf'"),
        (b"1 3:2:1", "expected a value of index 3, a finite number, found '2:1'"),
        (b"1 1:1_0", "expected a value of index 1, a finite number, found '1_0'"),
        (b"1 1:\xff", "expected a value of index 1, a finite number, found '\xff'"),
        (b"1 0:1", "expected indices from 1 that increase, found 0 after 0"),
        (b"1 3:1 2:1", "expected indices from 1 that increase, found 2 after 3"),
        (b"1 2:1 2:1", "expected indices from 1 that increase, found 2 after 2"),
        (b"1 5:1", "expected indices up to 4 features, found 5"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, says):
    path = tmp_path / "file"
    path.write_bytes(b"1 1:1\n# comment\n" + line + b"\n1 1:1\n")
    with pytest.raises(ValueError, match=re.escape(f"{path}, line 3: {says}")):
        read_libsvm(path, 4)


@pytest.mark.parametrize("content", [b"", b"\n", b"# nothing\n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="file: expected at least one line"):
        read_libsvm(path)


def test_no_feature_at_all_needs_a_dimension(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"1\n-1\n")
    with pytest.raises(ValueError, match="at least one index:value, found none; give features"):
        read_libsvm(path)
    assert read_libsvm(path, 2)[0].tolist() == [[0, 0], [0, 0]]
    for wrong in (0, -1, 1.0):
        with pytest.raises(ValueError, match="features must be an integer >= 1"):
            read_libsvm(path, wrong)


@pytest.mark.parametrize(("end", "kind"), [(".gz", "gzip"), (".bz2", "bzip2"), (".xz", "xz")])
def test_a_damaged_compressed_file_is_refused(tmp_path, end, kind):
    path = tmp_path / f"file{end}"
    whole = PACK[end](random_text(0))
    for content in (GOOD, whole[: len(whole) // 2], whole[:-3]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path}: expected a whole {kind} file, found"):
            read_libsvm(path)


# A data set.


@pytest.mark.parametrize("end", ["", ".txt", ".gz", ".txt.bz2", ".xz"])
@pytest.mark.parametrize("folder", [".", "mine"])
def test_a_data_set_is_found_by_its_name(tmp_path, monkeypatch, end, folder):
    root = tmp_path / "root"
    (root / folder).mkdir(parents=True)
    (root / folder / f"mine{end}").write_bytes(PACK[end.removeprefix(".txt")](GOOD))
    data = libsvm("mine", root)
    assert data.name == "mine"
    assert data.features.tolist() == [[0.5, 0, 2], [0, 1e-3, 0]]
    assert data.labels.tolist() == [1, -1]
    assert libsvm("mine", root, features=5).features.shape == (2, 5)
    monkeypatch.setenv("JAXBYZ_DATA", str(root))
    assert libsvm("mine").features.shape == (2, 3)


@pytest.mark.parametrize("name", ["a9a", "w8a", "phishing", "mushrooms", "ijcnn1"])
def test_a_missing_data_set_says_where_to_get_it(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f"^{name} was not found") as caught:
        load_binary(name, tmp_path)
    for part in (str(tmp_path / name), f"{name}.bz2", "LIBSVM Data", "JAXBYZ_DATA"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("name", "features", "samples"),
    [("a9a", 123, 32561), ("w8a", 300, 49749), ("phishing", 68, 11055), ("mushrooms", 112, 8124)],
)
def test_sizes_of_known_data_sets(tmp_path, name, features, samples):
    path = tmp_path / name
    path.write_bytes(b"1 1:1\n2 2:1\n" * (samples // 2) + b"1 1:1\n" * (samples % 2))
    data = load_binary(name, tmp_path)
    assert data.features.shape == (samples, features)
    path.write_bytes(path.read_bytes()[: -len(b"1 1:1\n")])  # cut off between two lines
    with pytest.raises(ValueError, match=f"{samples} samples, found {samples - 1}.*LIBSVM Data"):
        load_binary(name, tmp_path)
    path.write_bytes(f"1 {features + 1}:1\n".encode())
    with pytest.raises(ValueError, match=f"line 1: .* up to {features} features.*LIBSVM Data"):
        load_binary(name, tmp_path)


def test_ijcnn1_has_a_dimension_only(tmp_path):
    (tmp_path / "ijcnn1").write_bytes(GOOD)
    assert load_binary("ijcnn1", tmp_path).features.shape == (2, 22)


@pytest.mark.parametrize("pair", [(-1, 1), (0, 1), (1, 2), (2, 4)])
def test_the_larger_label_is_positive(pair):
    low, high = pair
    assert signs_of("labels", [high, low, low]).tolist() == [1, -1, -1]


@pytest.mark.parametrize("labels", [[0, 1, 2], [1], [0, 2], [-1, 0], [0.5, 1], [3, 4], range(9)])
def test_other_labels_are_refused(tmp_path, labels):
    with pytest.raises(ValueError, match=r"labels of two classes, \{-1, 1\}, .* found \{"):
        signs_of("labels", labels)
    path = tmp_path / "mine"
    path.write_text("".join(f"{label} 1:1\n" for label in labels))
    with pytest.raises(ValueError, match=f"{path}: expected labels of two classes"):
        libsvm("mine", tmp_path)


# The type.


ROWS, SIGNS = np.eye(3), np.array([1, -1, 1])


@pytest.mark.parametrize(
    ("features", "labels", "says"),
    [
        (np.ones(3), SIGNS, r"features must have shape \[N >= 1, d >= 1\], got \(3,\)"),
        (np.ones((3, 0)), SIGNS, r"got \(3, 0\)"),
        (np.ones((0, 3)), SIGNS[:0], r"got \(0, 3\)"),
        (np.ones((3, 3), int), SIGNS, "features must be floats, got dtype int"),
        (np.where(ROWS, np.inf, 0), SIGNS, r"features must be finite, got inf at \(0, 0\)"),
        (np.where(ROWS, 0, np.nan), SIGNS, r"features must be finite, got nan at \(0, 1\)"),
        (ROWS, SIGNS[:2], r"one label per row of features, 3, got shape \(2,\)"),
        (ROWS, SIGNS[:, None], r"got shape \(3, 1\)"),
        (ROWS, SIGNS * 1.0, "labels must be integers, got dtype float64"),
        (ROWS, SIGNS * 2, r"labels must be -1 or \+1, got 2 at 0"),
        (ROWS, (SIGNS + 1) // 2, r"labels must be -1 or \+1, got 0 at 1"),
    ],
)
def test_a_broken_contract_names_the_field(features, labels, says):
    with pytest.raises(ValueError, match=says):
        validate_binary(BinaryDataset("broken", features, labels))


def test_unit_rows_at_every_scale():
    base = np.random.default_rng(0).normal(size=(4, 5))
    for scale in (1e-300, 1.0, 1e300):
        data = unit_rows(BinaryDataset("rows", base * scale, np.ones(4, int)))
        expected = base / np.linalg.norm(base, axis=1, keepdims=True)
        np.testing.assert_allclose(data.features, expected, rtol=1e-14)  # a few roundings
    zeros = BinaryDataset("zeros", np.zeros((2, 3)), np.ones(2, int))
    assert not unit_rows(zeros).features.any()


# Without files.


def test_breast_cancer_is_standardised():
    data = breast_cancer()
    assert data.features.shape == (569, 30)
    np.testing.assert_allclose(data.features.mean(axis=0), 0, atol=1e-14)  # of rounding
    np.testing.assert_allclose(data.features.std(axis=0), 1, rtol=1e-14)
    assert ((data.labels == 1).sum(), (data.labels == -1).sum()) == (357, 212)
    # Benign tumours are smaller: the first feature is the radius.
    assert data.features[data.labels == 1, 0].mean() < data.features[data.labels == -1, 0].mean()
    np.testing.assert_array_equal(load_binary("breast_cancer").features, data.features)


def test_synthetic_rows_have_the_statistics_that_are_asked_for():
    for density, positive in ((0.11, 0.24), (0.8, 0.5), (1.0, 0.1)):
        data = synthetic_binary(4000, 50, 3, density=density, positive=positive)
        assert set(np.unique(data.features)) <= {0.0, 1.0}
        assert (data.labels == 1).sum() == round(4000 * positive)
        shares = data.features.mean(axis=0)
        # The mean of 50 uniform shares of half-width min(density, 1 - density): four deviations.
        half = min(density, 1 - density)
        assert abs(shares.mean() - density) <= 4 * half / (3 * 50) ** 0.5 + 1e-12
    again, other = (synthetic_binary(30, 4, seed) for seed in (0, 1))
    assert (again.features == synthetic_binary(30, 4, 0).features).all()
    assert (again.features != other.features).any()
    # A linear rule finds most labels, and not because of the larger class alone.
    data = synthetic_binary(2000, 20, 0)
    design = np.column_stack([np.ones(2000), data.features])
    scores = design @ np.linalg.lstsq(design, data.labels, rcond=None)[0]
    assert (np.sign(scores) == data.labels).mean() > 0.85 > 1 - 0.24


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"samples": 1}, "samples must be an integer >= 2, got 1"),
        ({"features": 0}, "features must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
        ({"density": 0.0}, r"density must lie in \(0, 1\], got 0.0"),
        ({"density": 1.1}, r"density must lie in \(0, 1\], got 1.1"),
        ({"positive": 1.0}, r"positive must lie in \(0, 1\), got 1.0"),
        ({"positive": 0.01}, "positive must give both classes a sample, got 0.01 of 10 samples"),
    ],
)
def test_wrong_arguments_of_the_synthetic_set(options, says):
    with pytest.raises(ValueError, match=says):
        synthetic_binary(**{"samples": 10, "features": 3, "seed": 0} | options)


def test_an_unknown_name_lists_the_known_ones():
    names = "synthetic, breast_cancer, a9a, w8a, phishing, mushrooms, ijcnn1"
    with pytest.raises(ValueError, match=f"name must be one of {names}, got 'A9A'"):
        load_binary("A9A")
