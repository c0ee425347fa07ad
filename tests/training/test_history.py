"""Histories: access, storing, plotting; the books never overflow."""

import dataclasses
import io
import os
import pickle
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from jaxbyz import History
from jaxbyz.metrics import RunMetrics
from jaxbyz.simulation.sessions import Counted


@pytest.fixture
def history():
    rounds = np.array([0, 10, 20])
    columns = {
        "loss": np.array([[3.0, 2.0, 1.0], [3.0, 2.5, 2.0]]),
        "uplink_bits": np.array([[0.0, 320.0, 640.0]] * 2),
    }
    about = {"algorithm": "RoSDHB", "attack": "none", "versions": {"jax": "x"}}
    return History(rounds, columns, np.ones((2, 4)), np.array([0, 1]), about)


def test_access(history):
    assert history["round"].tolist() == [0, 10, 20]
    assert history.final("loss") == 1.5
    with pytest.raises(KeyError, match="no column 'nothing'; there are"):
        history["nothing"]
    assert set(history.to_dict()) == {
        "rounds", "loss", "uplink_bits", "parameters", "seeds", "about",
    }  # fmt: skip


def test_links_stay_and_pipes_are_not_replaced(history, tmp_path):
    target, link, pipe = tmp_path / "there.npz", tmp_path / "link.npz", tmp_path / "pipe.npz"
    target.write_bytes(b"")
    link.symlink_to(target)
    history.save(link)
    assert link.is_symlink()
    assert np.array_equal(History.load(target).parameters, history.parameters)
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=r"pipe.npz is no ordinary file"):
        history.save(pipe)
    assert pipe.is_fifo()


def test_save_and_load(history, tmp_path):
    again = History.load(history.save(tmp_path / "deep" / "run.npz"))
    np.testing.assert_equal(again.to_dict(), history.to_dict())
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["run.npz"]


def test_loading_something_else(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match=r"other.npz is not a saved history: it lacks"):
        History.load(tmp_path / "other.npz")


FOREIGN = {
    "text": lambda path: path.write_text("round,loss\n0,1.0\n"),
    "nothing": lambda path: path.write_bytes(b""),
    "one array": lambda path: path.write_bytes(npy(np.zeros(3))),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"loss": [1.0]})),
    "zip of text": lambda path: zipped(path, "a.txt", b"hello"),
    "zip of no array": lambda path: zipped(path, "rounds.npy", b"hello"),
    "objects": lambda path: saved(path, rounds=np.array([{}], object)),
    "other arrays": lambda path: saved(path, a=np.zeros(3)),
    "no JSON": lambda path: saved(path, **PARTS, about=np.array("{")),
    "no dictionary": lambda path: saved(path, **PARTS, about=np.array("3")),
    "other lengths": lambda path: saved(path, **PARTS | {"column/loss": np.zeros((1, 3))},
                                        about=np.array("{}")),
    "other seeds": lambda path: saved(path, **PARTS | {"seeds": np.zeros(3)}, about=np.array("{}")),
    "a number for rounds": lambda path: saved(path, **PARTS | {"rounds": np.array(2)},
                                              about=np.array("{}")),
    "deep JSON": lambda path: saved(path, **PARTS, about=np.array("[" * 100_000)),
    "a column of text": lambda path: saved(path, **PARTS | {"column/loss": np.array([["a", "b"]])},
                                           about=np.array("{}")),
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
}  # fmt: skip
PARTS = {
    "rounds": np.arange(2), "seeds": np.arange(1), "parameters": np.zeros((1, 4)),
    "column/loss": np.zeros((1, 2)),
}  # fmt: skip


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def zipped(path, name, contents):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, contents)


def saved(path, **arrays):
    with path.open("wb") as file:
        np.savez(file, **arrays)


@pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
def test_foreign_files_are_refused_by_name(tmp_path, make):
    path = tmp_path / "it.npz"
    make(path)
    with pytest.raises(ValueError, match=rf"{path} is (not|.*, not) a saved history"):
        History.load(path)


def test_files_of_numpy_alone_and_missing_ones(tmp_path):
    saved(tmp_path / "old.npz", **PARTS, about=np.array("{}"))  # written before there were digests
    assert History.load(tmp_path / "old.npz")["loss"].shape == (1, 2)
    for missing in (tmp_path / "no" / "it.npz", str(tmp_path / "it.npz")):
        with pytest.raises(FileNotFoundError, match=re.escape(str(missing))):
            History.load(missing)


def test_any_bit_of_a_file(history, tmp_path):
    path = history.save(tmp_path / "run.npz")
    data, refused, meaningless = path.read_bytes(), 0, 0
    places = range(0, 8 * len(data), 29)  # every bit of a byte in turn
    for place in places:
        wrong = bytearray(data)
        wrong[place // 8] ^= 1 << place % 8
        path.write_bytes(wrong)
        try:
            again = History.load(path)
        except ValueError as error:
            refused += str(path) in str(error)
        else:  # a bit of no meaning, a time for instance
            np.testing.assert_equal(again.to_dict(), history.to_dict())
            meaningless += 1
    assert refused + meaningless == len(places)
    assert refused > meaningless
    for length in range(0, len(data), 37):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match=rf"{path} is not a saved history, or damaged"):
            History.load(path)


def test_a_column_that_was_exchanged(history, tmp_path):
    """What a zip file's own sums do not notice."""
    path = history.save(tmp_path / "run.npz")
    with np.load(path) as stored:
        arrays = dict(stored)
    saved(path, **arrays | {"column/loss": arrays["column/loss"] + 1e-12})
    with pytest.raises(ValueError, match=r"run.npz is damaged: .* digest"):
        History.load(path)


def test_saving_where_no_file_can_be(history, tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path} is a folder: give the name of a file in it"):
        history.save(tmp_path)
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "run.npz", tmp_path / "file" / "deep" / "run.npz"):
        with pytest.raises(ValueError, match=rf"{path} cannot be written: .*file.* is not a fold"):
            history.save(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "path", ["a\0b", "b" * 256, "deep/" + "é" * 128, "a/" * 2500, "\ud800"],
    ids=["zero", "name", "folder", "whole", "half"],
)  # fmt: skip
def test_paths_that_no_file_system_holds(history, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    for ask in (history.save, History.load):
        with pytest.raises(ValueError, match=r"path must be a (shorter )?path.* got") as caught:
            ask(path)
        assert len(str(caught.value)) < 200
    assert list(tmp_path.iterdir()) == []


def test_files_that_may_not_be_read_or_written(history, tmp_path, monkeypatch):
    path = history.save(tmp_path / "run.npz")

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    for method in ("open", "stat"):  # a superuser may do everything
        with monkeypatch.context() as patch:
            patch.setattr(type(path), method, refuse)
            with pytest.raises(ValueError, match=rf"{path} cannot be read: Permission denied"):
                History.load(path)
            with pytest.raises(ValueError, match=rf"{path} cannot be written: Permission denied"):
                history.save(path)
    with pytest.raises(ValueError, match=r"run.npz/it cannot be read: Not a directory"):
        History.load(path / "it")


def test_an_interrupted_save_leaves_the_old_file(history, tmp_path, monkeypatch):
    path = history.save(tmp_path / "run.npz")

    def savez(file, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", savez)
        with pytest.raises(KeyboardInterrupt):
            history.save(path)
    np.testing.assert_equal(History.load(path).to_dict(), history.to_dict())
    assert list(tmp_path.iterdir()) == [path]


def test_many_writers_of_one_file(history, tmp_path):
    path = history.save(tmp_path / "run.npz")

    def write(_):
        history.save(path)
        return History.load(path).final("loss")

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(write, range(40))) == {1.5}
    assert list(tmp_path.iterdir()) == [path]


def test_what_about_may_hold(history, tmp_path):
    about = {"step": np.float32(0.5), "grid": np.arange(3)}
    again = History.load(dataclasses.replace(history, about=about).save(tmp_path / "run.npz"))
    assert dict(again.about) == {"step": 0.5, "grid": [0, 1, 2]}
    with pytest.raises(ValueError, match=r"about must hold what JSON can: .* is a function"):
        dataclasses.replace(history, about={"rule": npy}).save(tmp_path / "run.npz")
    wrong = dataclasses.replace(history, columns={"loss": np.array([[None] * 3] * 2)})
    with pytest.raises(ValueError, match=r"got objects in \['column/loss'\]"):
        wrong.save(tmp_path / "run.npz")


def test_parameters_of_sixteen_bits(history, tmp_path):
    parameters = np.asarray(jax.numpy.full((2, 4), 0.1, "bfloat16"))
    again = History.load(
        dataclasses.replace(history, parameters=parameters).save(tmp_path / "run.npz")
    )
    assert again.parameters.dtype == parameters.dtype
    assert (again.parameters == parameters).all()


def test_plot(history):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ax = history.plot("loss", x="uplink_bits")
    assert ax.lines[0].get_xdata().tolist() == [0.0, 320.0, 640.0]
    assert ax.lines[0].get_ydata().tolist() == [3.0, 2.25, 1.5]
    assert ax.get_xlabel() == "uplink bits per worker"
    assert history.plot("loss", ax=ax, label="again") is ax
    assert len(ax.lines) == 2
    plt.close("all")


def test_totals_beyond_32_bits_and_uneven_messages():
    ledger = RunMetrics(seeds=2, honest=2)
    words = np.zeros((2, 3, 3, 2), np.uint32)
    words[..., 1] = 2**32 - 1  # the largest low word
    words[:, :, 1, 0] = 5  # the second worker sends 5 · 2^32 more
    down = np.full((2, 3, 3, 2), [1, 7], np.uint32)
    down[1, 0, 1] = 0  # one that was not asked once, of the second seed
    bad = np.zeros((2, 3, 3), bool)
    bad[1, :, 2] = True
    faulty = np.zeros((2, 3, 3), bool)
    faulty[0, 1:, 0] = True
    ledger.count(Counted(words, down, bad, faulty))
    ledger.note(3, {"loss": np.zeros(2)})
    columns = ledger.columns()
    # Two honest workers over 3 rounds, their mean; the third is Byzantine and not in it.
    assert columns["uplink_bits"][0, 0] == 3 * (2 * (2**32 - 1) + 5 * 2**32) / 2
    assert columns["downlink_bits"][:, 0].tolist() == [3 * (2**32 + 7), 2.5 * (2**32 + 7)]
    assert columns["rejected_rows"].ravel().tolist() == [0, 3]
    assert columns["faulty_rows"].ravel().tolist() == [2, 0]
    assert ledger.streaks.tolist() == [[2, 0, 0], [0, 0, 0]]
    copy = RunMetrics(seeds=2, honest=2)
    copy.unpack(ledger.pack())
    np.testing.assert_equal(copy.pack(), ledger.pack())
