"""The race of all methods has every method, and keeps its runs."""

import os

import pytest

from paper_figs import race


def test_the_race_has_every_method():
    made = race.methods(samples=47)
    names = {make(0.1, race.RULES["median"]).name for make in made.values()}
    assert len(names) >= len(made) - 1  # D-SHB is robust D-SGD with momentum


@pytest.mark.long
def test_the_race_keeps_its_runs(tmp_path, capsys, monkeypatch):
    made = race.methods(samples=47)
    some = ("RoSDHB", "Byz-DM21")
    monkeypatch.setattr(race, "methods", lambda *given: {name: made[name] for name in some})
    monkeypatch.setattr(race, "STEPS", (0.1, 0.3))
    monkeypatch.setenv("XLA_FLAGS", os.environ.get("XLA_FLAGS", ""))  # main adds to it
    arguments = ["--rules", "median", "RFA", "--rounds", "40", "--out", str(tmp_path)]
    assert race.main(arguments) == 0
    text = capsys.readouterr().out
    for word in (*some, "ALIE", "IPM", "sign flip", "label flip", "after 40 rounds", "gradients"):
        assert word in text
    for rule in ("median", "RFA"):
        assert f"== NNM, {rule}" in text
        assert len(list((tmp_path / rule).iterdir())) == 8
