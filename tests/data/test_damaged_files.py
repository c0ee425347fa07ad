"""Small files of every format, damaged at random: a data set, or a ValueError with the file."""

import bz2
import gzip
import importlib
import lzma
import pickle
import time
import tracemalloc

import numpy as np
import pytest

from jaxbyz.data import idx_images, libsvm, validate, validate_binary

cifar = importlib.import_module("jaxbyz.data.cifar")
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
RECORDS = 2


def encode(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def idx_files(end):
    rng = np.random.default_rng(0)
    files = {}
    for stem, count in (("train", 5), ("t10k", 2)):
        files[f"{stem}-images-idx3-ubyte{end}"] = encode(rng.integers(0, 256, (count, 4, 3)))
        files[f"{stem}-labels-idx1-ubyte{end}"] = encode(rng.integers(0, 10, count))
    return {name: PACK[end](content) for name, content in files.items()}


def cifar_files(form):
    rng = np.random.default_rng(1)
    files = {}
    for batch in cifar._BATCHES:
        pixels = rng.integers(0, 256, (RECORDS, 3072), dtype=np.uint8)
        labels = rng.integers(0, 10, RECORDS, dtype=np.uint8)
        if form == "bin":
            files[f"{batch}.bin"] = np.column_stack([labels, pixels]).tobytes()
        else:
            kinds = (labels.tolist(), list(labels.astype(np.int64)), labels.astype(np.int64))
            content = {"data": pixels, "labels": kinds[form % 3], "filenames": ["a.png"] * RECORDS}
            files[batch] = pickle.dumps(content, protocol=form)
    return files


def text_files(end, encoding):
    lines = [f"{1 - 2 * (i % 2)} {i + 1}:{0.5 * i} 17:1e-3 # {i}" for i in range(8)]
    return {f"mine{end}": PACK[end]("\n".join(lines).encode(encoding))}


def read_idx_files(root):
    return validate(idx_images(root, "any"))


def read_cifar(root):
    return validate(cifar._load(root, RECORDS))


def read_text(root):
    return validate_binary(libsvm("mine", root))


FORMATS = {
    **{f"idx{end}": (idx_files(end), read_idx_files) for end in PACK},
    "cifar binary": (cifar_files("bin"), read_cifar),
    **{f"cifar protocol {form}": (cifar_files(form), read_cifar) for form in range(6)},
    **{f"text{end}": (text_files(end, "utf-8"), read_text) for end in PACK},
    "text utf-16": (text_files("", "utf-16"), read_text),
}


def damage(rng, content):
    """One to three changes, half of them near an end, where what is not data stands."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        near = int(rng.integers(0, min(len(content), 160) + 1))
        place = (near, max(0, len(content) - near), int(rng.integers(0, len(content) + 1)))[
            rng.integers(0, 3)
        ]
        length = int(rng.integers(1, 9))
        match rng.integers(0, 7):
            case 0 | 1:
                for at in range(place, min(place + 1, len(content))):
                    content[at] ^= 1 << int(rng.integers(0, 8))
            case 2:
                content[place : place + 1] = bytes([rng.integers(0, 256)])
            case 3:
                content[place : place + length] = b"\xff" * length
            case 4:
                del content[place : place + length]
            case 5:
                content[place:place] = content[: int(rng.integers(0, len(content) + 1))][-length:]
            case 6:
                del content[place:]
        if not content:
            break
    return bytes(content)


def cases(tmp_path, name, seeds):
    files, read = FORMATS[name]
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    read(tmp_path)
    read_well = 0
    tracemalloc.start()
    try:
        for seed in seeds:
            rng = np.random.default_rng(seed)
            file = sorted(files)[rng.integers(0, len(files))]
            path = tmp_path / file
            path.write_bytes(damaged := damage(rng, files[file]))
            tracemalloc.reset_peak()
            start, before = time.perf_counter(), tracemalloc.get_traced_memory()[0]
            said = None
            try:
                read(tmp_path)
                read_well += 1
            except ValueError as error:
                said = str(error)
            except Exception as error:
                raise AssertionError(f"{file}, seed {seed}: {error!r}") from error
            if said is not None:
                assert any(str(tmp_path / part) in said for part in files), (seed, said)
                assert len(said) < 1500, (seed, said)
            # Buffers of the readers are a MiB; tables as wide as a damaged index are bounded by
            # `most_bytes`, of which a tiny file reaches little.
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 200_000_000, (seed, damaged, peak)
            assert time.perf_counter() - start < 10, (seed, damaged)
            path.write_bytes(files[file])
    finally:
        tracemalloc.stop()
    return read_well


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files(tmp_path, monkeypatch, name):
    monkeypatch.delenv("JAXBYZ_DATA", raising=False)
    # Some damage cannot be noticed, in a pixel for one; most is.
    assert cases(tmp_path, name, range(60)) < 60


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_many_damaged_files(tmp_path, monkeypatch, name):
    monkeypatch.delenv("JAXBYZ_DATA", raising=False)
    assert cases(tmp_path, name, range(60, 1000)) < 940
