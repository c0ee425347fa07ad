"""Results as pandas data frames and as short texts: exact numbers, edge cases, missing pandas."""

import csv
import dataclasses
import sys

import jax
import numpy as np
import pytest

from jaxbyz import Comparison, History
from jaxbyz.comparison import Curves

pandas = pytest.importorskip("pandas")


def history(seeds=2, **columns):
    rounds = np.array([0, 10, 20])
    columns = {name: np.asarray(values) for name, values in columns.items()}
    columns = columns or {
        "uplink_bits": np.array([[0.0, 2.0**53 - 1, 2.0**53]] * seeds),
        "loss": np.random.default_rng(0).normal(size=(seeds, 3)),
    }
    about = {"algorithm": "RoSDHB", "attack": "ALIE", "problem": "a < b & c"}
    return History(rounds, columns, np.ones((seeds, 4)), np.arange(5, 5 + seeds), about)


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_number_of_a_history_is_in_its_frame(seeds):
    it = history(seeds)
    frame = it.to_frame()
    assert list(frame.columns) == ["seed", "round", "uplink_bits", "loss"]
    assert len(frame) == 3 * seeds
    for name, values in it.columns.items():
        again = frame[name].to_numpy().reshape(values.shape)
        assert again.dtype == values.dtype
        assert again.tobytes() == values.tobytes()
    for (seed, number), lines in frame.groupby(["seed", "round"]):
        i, e = seed - 5, number // 10
        assert lines["loss"].tolist() == [it["loss"][i, e]]


def test_numbers_of_any_type_are_kept():
    strange = [np.nan, -np.inf, -0.0, 5e-324]
    it = dataclasses.replace(
        history(),
        rounds=np.arange(4),
        columns={
            "float64": np.array([strange] * 2),
            "float32": np.array([[0.1, np.nan, np.inf, 1e-45]] * 2, np.float32),
            "integers": np.array([[2**62 + 1, 0, -1, 7]] * 2),
            "truth": np.array([[True, False, True, True]] * 2),
            "a column with, a comma": np.zeros((2, 4)),
        },
    )
    frame = it.to_frame()
    for name, values in it.columns.items():
        again = frame[name].to_numpy().reshape(values.shape)
        assert (again.dtype, again.tobytes()) == (values.dtype, values.tobytes())
    half = np.asarray(jax.numpy.array([[0.1, 1e30, jax.numpy.nan]] * 2, "bfloat16"))
    frame = history(half=half).to_frame()
    assert frame["half"].dtype == np.float32
    np.testing.assert_array_equal(frame["half"].to_numpy(), half.astype(np.float32).ravel())


def test_a_frame_survives_a_csv_file(tmp_path):
    frame = history().to_frame()
    frame.to_csv(tmp_path / "it.csv", index=False)
    with (tmp_path / "it.csv").open(newline="") as file:
        again = [
            {name: float(cell) for name, cell in line.items()} for line in csv.DictReader(file)
        ]
    assert again == frame.to_dict("records")


def test_a_history_without_evaluations():
    nothing = History(np.array([], int), {}, np.zeros((2, 3)), np.array([0, 1]), {})
    assert nothing.to_frame().shape == (0, 2)
    assert repr(nothing) == "History(?, attack ?, problem ?: 2 seeds, 0 evaluations)"
    assert "<td>" not in nothing._repr_html_()


def test_taken_names():
    with pytest.raises(ValueError, match=r"different names, got a column 'seed' beside"):
        history(seed=np.zeros((2, 3))).to_frame()
    with pytest.raises(ValueError, match=r"different names, got a column 'method' beside"):
        race(method=np.zeros((2, 3, 2))).to_frame("round")


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for it in (history(), race()):
        with pytest.raises(ImportError, match=r'to_frame needs pandas: pip install "jaxbyz\[pand'):
            it.to_frame()


def test_a_short_text_of_a_history():
    it = history(loss=[[3.0, 2.0, 1.0], [3.0, 2.0, np.nan]], accuracy=[[0, 0, 0.5]] * 2)
    assert repr(it) == (
        "History(RoSDHB, attack ALIE, problem a < b & c: 2 seeds, 3 evaluations of rounds 0 to 20; "
        "loss nan, accuracy 0.5)"
    )
    many = history(1, **{f"column {i}": [[0.0, 1.0, np.inf]] for i in range(50)})
    assert len(repr(many)) < 200


def test_html_is_a_small_escaped_table():
    html = history(**{"<script>x</script>": [[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]]})._repr_html_()
    assert "<script" not in html
    assert "<caption>RoSDHB, attack ALIE, problem a &lt; b &amp; c: 2 seeds" in html
    assert (
        "<tr><td>&lt;script&gt;x&lt;/script&gt;</td><td>3.5</td><td>3</td><td>4</td></tr>" in html
    )
    html = history(1, flags=[[True, False, True]], odd=[[0, 0, -np.inf]])._repr_html_()
    assert "<td>flags</td><td>1</td>" in html
    assert "<td>odd</td><td>-inf</td>" in html


METHODS, ATTACKS = ("D-SGD", "<b>"), ("ALIE", "IPM")


def race(budgets=None, **columns):
    """Two methods under two attacks: 2 step sizes, 3 seeds of which 2 are reported, 2 evaluations.

    The larger step size is the better one, and diverges for "<b>" under IPM.
    """
    cells = {}
    for i, method in enumerate(METHODS):
        for j, attack in enumerate(ATTACKS):
            loss = np.array([[[4.0, 3.0]] * 3, [[4.0, 1.0 + i + 10 * j]] * 3])
            if (i, j) == (1, 1):
                loss[1, :, 1] = np.nan
            bits = np.broadcast_to([0.0, 64.0], loss.shape)
            cells[method, attack] = Curves(
                np.array([0, 10]), {"uplink_bits": bits, "loss": loss, **columns}, 1.0
            )
    grids = dict.fromkeys(METHODS, np.array([0.1, 0.2]))
    seconds = dict.fromkeys(METHODS, 0.001)
    budgets = {"round": 10.0} if budgets is None else budgets
    return Comparison("p", METHODS, ATTACKS, grids, budgets, "loss", False, 2, cells, seconds)


def test_every_number_of_a_comparison_is_in_its_frame():
    it = race()
    frame = it.to_frame()
    assert list(frame.columns) == [
        "method", "attack", "step", "chosen", "reported", "seed", "round", "uplink_bits", "loss",
    ]  # fmt: skip
    assert len(frame) == 2 * 2 * 2 * 3 * 2
    for (method, attack), lines in frame.groupby(["method", "attack"]):
        curves = it.cells[method, attack]
        for name, values in curves.columns.items():
            again = lines[name].to_numpy().reshape(values.shape)
            assert again.tobytes() == np.ascontiguousarray(values).tobytes()
        assert lines["step"].to_numpy().reshape(2, 6).tolist() == [[0.1] * 6, [0.2] * 6]
        assert lines["seed"].to_numpy().reshape(2, 3, 2)[1].tolist() == [[0, 0], [1, 1], [2, 2]]
        assert (lines["reported"] == (lines["seed"] < 2)).all()
        chosen = lines[lines["chosen"]]["step"].unique().tolist()
        assert chosen == [it.steps[method][it.choice(method, attack, "round")]]
    assert frame[frame["chosen"] & (frame["attack"] == "IPM")]["step"].unique().tolist() == [0.1]


def test_reported_and_chosen_lines_are_those_of_the_history():
    it = race()
    frame = it.to_frame()
    lines = frame.query("chosen and reported and method == 'D-SGD' and attack == 'ALIE'")
    again = it.history("D-SGD", "ALIE", "round").to_frame()
    for name in ("seed", "round", "loss", "uplink_bits"):
        assert lines[name].tolist() == again[name].tolist()


def test_which_budget():
    it = race(budgets={"round": 10.0, "uplink_bits": 10.0})
    assert it.to_frame("uplink_bits")["chosen"].sum() == it.to_frame("round")["chosen"].sum()
    with pytest.raises(ValueError, match=r"budget must be one of \['round', 'uplink_.*got None"):
        it.to_frame()
    with pytest.raises(ValueError, match=r"budget must be one of .* got 'rounds'"):
        it.to_frame("rounds")


def test_texts_of_a_comparison():
    it = race()
    assert (
        repr(it) == "Comparison(p: 2 methods, 2 attacks, 2 reported seeds; loss within 10 rounds)"
    )
    html = it._repr_html_()
    assert "<b>" not in html
    assert "<td>IPM</td><td>&lt;b&gt;</td><td>3</td><td>3</td><td>3</td><td>0.1 *</td>" in html
    assert race(budgets={"round": 10.0, "uplink_bits": 1.0})._repr_html_().count("<table>") == 2
    assert str(it) == it.table("round")
