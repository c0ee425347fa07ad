"""Costs of several algorithms side by side: those of `describe`, each computed once."""

import dataclasses
import sys

import optax
import pytest

import jaxbyz as jb
from jaxbyz import description_table

COMMON = {"optimizer": optax.sgd(0.1), "aggregator": jb.mean()}
ALGORITHMS = {
    "<dense>": jb.robust_sgd(momentum=0.9, **COMMON),
    "tossed": jb.byz_vr_marina(probability=0.25, compressor=jb.seeded_rand_k(k=2), **COMMON),
    "k = 2": jb.rosdhb(k=2, momentum=0.9, **COMMON),
}


@pytest.fixture(scope="module")
def table():
    return jb.describe_table(ALGORITHMS, 80)


def test_it_is_what_describe_says(table):
    assert list(table.descriptions) == list(ALGORITHMS)
    for name, algorithm in ALGORITHMS.items():
        assert table[name] == jb.describe(algorithm, 80)
    with pytest.raises(KeyError, match="no algorithm 'RoSDHB'; there are"):
        table["RoSDHB"]


def test_the_table_as_text(table):
    title, head, dense, tossed, shared = str(table).splitlines()
    assert title == "expected costs of one worker in one round, d = 80"
    assert head.split("  ")[0] == "algorithm"
    assert dense.split() == ["<dense>", "Dense", "2,560", "2,560", "0", "1", "1", "1", "0"]
    assert tossed.split() == [
        "tossed", "Dense", "or", "Seeded", "688", "2,561", "2,560", "1", "2", "1.5", "0.25",
    ]  # fmt: skip
    assert "1 + n" in shared
    assert repr(table) == "DescriptionTable(<dense>, tossed, k = 2; d = 80)"


def test_the_table_as_html(table):
    html = table._repr_html_()
    assert html.count("<tr>") == 1 + len(ALGORITHMS)
    assert "&lt;dense&gt;" in html
    assert "<dense>" not in html


def test_the_table_as_a_frame(table):
    pytest.importorskip("pandas")
    frame = table.to_frame()
    fields = [field.name for field in dataclasses.fields(jb.Description)]
    assert list(frame.columns) == ["algorithm", *fields]
    for line in frame.to_dict("records"):
        assert jb.Description(**{name: line[name] for name in fields}) == table[line["algorithm"]]


def test_without_pandas(table, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r'pip install "jaxbyz\[pandas\]"'):
        table.to_frame()


def test_each_is_described_once(monkeypatch):
    asked = []

    def describe(algorithm, d):
        asked.append(algorithm.name)
        return jb.describe(algorithm, d)

    monkeypatch.setattr(description_table, "describe", describe)
    table = jb.describe_table(list(ALGORITHMS.values())[:1], 4)
    for _ in range(2):
        str(table), repr(table), table._repr_html_()
    assert asked == list(table.descriptions) == [ALGORITHMS["<dense>"].name]
