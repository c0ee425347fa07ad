"""Figures of histories and comparisons: what is drawn, and what is refused before it is."""

import dataclasses
import sys
import warnings

import numpy as np
import pytest
from test_frames import history, race

import jaxbyz as jb
from jaxbyz import History
from jaxbyz.heatmaps import worst_of
from jaxbyz.plotting import COLORS, plot_histories

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def drawn(ax):
    """Draws everything, so that whatever matplotlib says of it is said in the test."""
    ax.figure.canvas.draw()
    return ax


def test_options_are_those_of_the_line():
    ax = drawn(history().plot("loss", color="red", lw=3, ls="--", marker="o", label="it"))
    (line,) = ax.lines
    assert (line.get_color(), line.get_linewidth(), line.get_linestyle()) == ("red", 3, "--")
    assert (line.get_marker(), line.get_label()) == ("o", "it")
    band = ax.collections[0].get_facecolor()[0]
    assert band.tolist() == [1, 0, 0, 0.2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "red"}, r"got colour = the text 'red' \(AttributeError: "),
        ({"color": "nothing"}, r"got color = the text 'nothing'"),
        ({"lw": "thick"}, r"got lw = the text 'thick'"),
        ({"data": {}}, r"got data = a dict of 0"),
        ({"lw": 1, "linewidth": 2}, r"be given once, got TypeError"),
    ],
)
def test_options_that_lines_do_not_have(options, said):
    with pytest.raises(ValueError, match=f"options must .*{said}"):
        history().plot("loss", **options)
    with pytest.raises(ValueError, match=f"options must .*{said}"):
        plot_histories({"a": history()}, "loss", **options)
    assert plt.get_fignums() == []


def test_several_histories_in_one_figure():
    names = [f"run {i}" for i in range(9)]
    ax = drawn(jb.plot_histories({name: history() for name in names}, "loss", x="uplink_bits"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == names
    looks = [(line.get_color(), line.get_linestyle()) for line in ax.lines]
    assert len(set(looks)) == len(names)
    assert looks[0] == (COLORS[0], "-")
    assert looks[7] == (COLORS[0], "--")
    assert len(ax.collections) == len(names)  # bands
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), np.median(history()["loss"], axis=0))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("uplink bits per worker", "loss")
    again = jb.plot_histories({"x": history(1)}, "loss", ax=ax, c="k", ls=":")
    assert again is ax
    assert (ax.lines[-1].get_color(), ax.lines[-1].get_linestyle()) == ("k", ":")
    assert len(ax.collections) == len(names)  # one seed has no band
    assert plt.get_fignums() == [1]


def test_histories_that_diverge():
    wild = history(loss=[[1.0, np.inf, np.nan], [1.0, np.nan, np.nan]])
    ax = drawn(jb.plot_histories({"wild": wild, "calm": history()}, "loss"))
    assert len(ax.lines) == 2


@pytest.mark.parametrize(
    ("histories", "said"),
    [
        ({}, "histories must be a dictionary of names and histories, got a dict of 0"),
        ([history()], "histories must be a dictionary of names and histories, got a list of 1"),
        ({1: history()}, "histories must have texts as names, got the number 1"),
        ({"a": history(), "b": 3}, r"histories\['b'\] must be a jaxbyz.History, got the number 3"),
    ],
)
def test_histories_must_be_such(histories, said):
    with pytest.raises(ValueError, match=said):
        jb.plot_histories(histories, "loss")
    assert plt.get_fignums() == []


def test_a_column_that_one_history_lacks():
    other = History(np.array([0]), {"accuracy": np.zeros((1, 1))}, np.zeros((1, 1)), [0], {})
    for column, x in (("loss", "round"), ("accuracy", "loss")):
        with pytest.raises(KeyError, match=r"histories\['.'\]: no column '(loss|accuracy)'; there"):
            jb.plot_histories({"a": history(), "b": other}, column, x)
    with pytest.raises(ValueError, match="ax must be matplotlib axes, got the number 3"):
        jb.plot_histories({"a": history()}, "loss", ax=3)
    assert plt.get_fignums() == []


def numbers(ax):
    """The texts in the cells, line by line."""
    texts = [text for text in ax.texts if text.get_text()]
    width = len(ax.get_xticks())
    cells = [text.get_text() for text in texts]
    return [cells[i : i + width] for i in range(0, len(cells), width)]


def test_a_heatmap_of_methods_and_attacks():
    ax = drawn(race().heatmap())
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["ALIE", "IPM", "worst"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["D-SGD", "<b>"]
    # D-SGD under IPM: the larger step ends at 11, so the smaller one is chosen, which ends at 3.
    assert numbers(ax) == [["1", "3", "3"], ["2", "3", "3"]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("attack", "method")
    bar = ax.figure.axes[1]
    assert bar.get_ylabel() == "loss\nafter 10 rounds\nmean of 2 seeds"
    image = ax.images[0].get_array()
    assert image.tolist() == [[1, 3, 3], [2, 3, 3]]


def test_a_heatmap_of_another_column():
    it = race(budgets={"round": 10.0, "uplink_bits": 64.0})
    ax = drawn(it.heatmap("uplink_bits", budget="uplink_bits", largest=False, norm="log"))
    assert numbers(ax) == [["64"] * 3] * 2
    assert ax.figure.axes[1].get_ylabel().startswith("uplink bits per worker\nafter 64 uplink bits")
    for given, said in (
        ({}, r"budget must be one of \['round', 'uplink_bits'\], got None"),
        ({"budget": "bits"}, r"budget must be one of .* got 'bits'"),
        (
            {"budget": "round", "column": "accuracy"},
            r"column must be one of \['uplink_bits', 'loss",
        ),
        ({"budget": "round", "column": "uplink_bits"}, r"largest must be True or False for 'upl"),
        ({"budget": "round", "largest": 1}, r"largest must be True or False for 'loss'"),
        ({"budget": "round", "colour": 1}, r"options must be those of .*imshow, got \['colour'\]"),
        ({"budget": "round", "cmap": "no"}, r"options must be those of .*imshow, got \['cmap'\]"),
        ({"budget": "round", "ax": "axes"}, r"ax must be matplotlib axes, got the text"),
    ):
        plt.close("all")
        with pytest.raises(ValueError, match=said):
            it.heatmap(**given)
        assert plt.get_fignums() == []
    with pytest.raises(ValueError, match=r"race must be a jaxbyz.Comparison, got the number 3"):
        jb.heatmaps.heatmap(3)


def diverged(value=np.nan):
    """All runs of "<b>" end without a number."""
    it = race()
    for (method, _), curves in it.cells.items():
        if method == "<b>":
            curves.columns["loss"][:, :, 1] = value
    return it


@pytest.mark.parametrize(("value", "said"), [(np.nan, "NaN"), (np.inf, "∞")])
def test_runs_that_diverged_are_grey_and_worst(value, said):
    ax = drawn(diverged(value).heatmap())
    assert numbers(ax) == [["1", "3", "3"], [said] * 3]
    assert ax.images[0].get_array().mask.tolist() == [[False] * 3, [True] * 3]


def test_a_heatmap_of_nothing_but_diverged_runs():
    it = diverged()
    it = dataclasses.replace(it, methods=("<b>",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = drawn(it.heatmap())
    assert numbers(ax) == [["NaN"] * 3]


def test_the_worst_is_that_of_the_direction():
    values = np.array([[1.0, 2.0, 3.0], [1.0, -np.inf, np.inf], [5.0, np.nan, 6.0]])
    assert worst_of(values, largest=False)[0] == 3
    assert worst_of(values, largest=True)[0] == 1
    for largest in (True, False):
        assert not np.isfinite(worst_of(values, largest)[1:]).any()
    accuracy = dataclasses.replace(race(), largest=True)
    assert numbers(drawn(accuracy.heatmap()))[0] == ["3", "11", "3"]


def test_a_heatmap_of_rules_and_attacks():
    races = {"median": race(), "krum": diverged()}
    ax = drawn(jb.plot_rules(races, method="<b>"))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["median", "krum"]
    assert numbers(ax) == [["2", "3", "3"], ["NaN"] * 3]
    assert (ax.get_ylabel(), ax.get_title()) == ("rule", "<b>")
    single = {name: dataclasses.replace(it, methods=("D-SGD",)) for name, it in races.items()}
    assert jb.plot_rules(single).get_title() == "D-SGD"
    other = dataclasses.replace(race(), attacks=("ALIE",))
    plt.close("all")
    for wrong, given, said in (
        (races, {}, r"method must be one of \['D-SGD', '<b>'\], got None"),
        (races, {"method": "x"}, r"method must be one of .* got 'x'"),
        ({}, {}, "races must be a dictionary of rules and comparisons, got a dict of 0"),
        (race(), {}, "races must be a dictionary of rules and comparisons, got a Comparison"),
        ({"a": 1}, {}, r"races\['a'\] must be a jaxbyz.Comparison, got the number 1"),
        ({"a": race(), "b": other}, {}, r"of the same attacks, \['ALIE', 'IPM'\], got \['ALIE'\]"),
    ):
        with pytest.raises(ValueError, match=said):
            jb.plot_rules(wrong, **given)
    assert plt.get_fignums() == []


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for draw in (
        lambda: history().plot("loss"),
        lambda: jb.plot_histories({"a": history()}, "loss"),
        race().heatmap,
        lambda: jb.plot_rules({"a": race()}, method="D-SGD"),
    ):
        with pytest.raises(ImportError, match=r'plotting needs matplotlib: pip install "jaxbyz\[p'):
            draw()
