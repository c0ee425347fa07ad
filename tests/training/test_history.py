"""Histories: access, storing, plotting; the books never overflow."""

import numpy as np
import pytest

from jaxbyz import History
from jaxbyz.ledger import Ledger


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


def test_save_and_load(history, tmp_path):
    again = History.load(history.save(tmp_path / "deep" / "run.npz"))
    np.testing.assert_equal(again.to_dict(), history.to_dict())
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["run.npz"]


def test_loading_something_else(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match=r"other.npz is not a saved history: it lacks"):
        History.load(tmp_path / "other.npz")


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
    ledger = Ledger(seeds=2, honest=2)
    words = np.zeros((2, 3, 3, 2), np.uint32)
    words[..., 1] = 2**32 - 1  # the largest low word
    words[:, :, 1, 0] = 5  # the second worker sends 5 · 2^32 more
    down = np.full((2, 3, 2), [1, 7], np.uint32)
    bad = np.zeros((2, 3, 3), bool)
    bad[1, :, 2] = True
    ledger.count(words, down, bad)
    ledger.note(3, {"loss": np.zeros(2)})
    columns = ledger.columns()
    # Two honest workers over 3 rounds, their mean; the third is Byzantine and not in it.
    assert columns["uplink_bits"][0, 0] == 3 * (2 * (2**32 - 1) + 5 * 2**32) / 2
    assert columns["downlink_bits"][0, 0] == 3 * (2**32 + 7)
    assert columns["rejected_rows"].ravel().tolist() == [0, 3]
    copy = Ledger(seeds=2, honest=2)
    copy.unpack(ledger.pack())
    np.testing.assert_equal(copy.pack(), ledger.pack())
