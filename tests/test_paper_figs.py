"""Every figure runs at a tiny size, stores what it should, and its check can fail."""

import dataclasses
import json
import os

import numpy as np
import pytest

import jaxbyz as jb
from paper_figs import __main__ as command
from paper_figs import fig1, race, records

TINY = dataclasses.replace(
    fig1.QUICK, byzantine=(1,), ratios=(0.1, 1.0), rounds=6, seeds=(0, 1), evaluate_every=3
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fig1")
    return folder, fig1.run(TINY, folder)


def test_fig1_runs_stores_and_draws(results):
    folder, curves = results
    assert len(curves) == 4
    findings = fig1.check(TINY, curves)
    assert findings[0].kind == "T"
    assert findings[0].verdict == "reproduced"
    records.write(folder, TINY, curves, findings)
    about = json.loads((folder / "about.json").read_text())
    assert about["spec"]["rounds"] == 6
    assert about["revision"]
    with np.load(folder / "results.npz") as arrays:
        assert arrays["RoSDHB, f = 1, k/d = 0.1/test_accuracy"].shape == (2, 3)
    fig1.plot(TINY, curves, folder / "fig1.png")
    assert (folder / "fig1.png").stat().st_size > 10_000
    table = command.table(curves)
    assert len(table.splitlines()) == 5
    assert "±" in table


def test_fig1_finds_its_runs_again(results):
    folder, curves = results
    again = fig1.run(TINY, folder)
    for name, history in curves.items():
        np.testing.assert_equal(again[name].to_dict(), history.to_dict())


def test_a_damaged_run_is_made_again(tmp_path):
    path = tmp_path / "run.npz"
    assert records.found(path) is None
    history = jb.History(
        np.arange(2), {"loss": np.ones((1, 2))}, np.zeros((1, 3)), np.arange(1), {}
    )
    history.save(path)
    np.testing.assert_equal(records.found(path).to_dict(), history.to_dict())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=r"run.npz is .*damaged.* kept as run.npz.damaged"):
        assert records.found(path) is None
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz.damaged"]
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match="not a saved history"):
        records.found(path)


def test_fig1_check_can_fail(results):
    _, curves = results
    name = "RoSDHB, f = 1, k/d = 0.1"
    wrong = dict(curves[name].columns)
    wrong["uplink_bits"] = wrong["uplink_bits"] + 14  # an index somebody forgot to leave out
    wrong["test_accuracy"] = wrong["test_accuracy"] - 1
    planted = {**curves, name: dataclasses.replace(curves[name], columns=wrong)}
    verdicts = [finding.verdict for finding in fig1.check(TINY, planted)]
    assert verdicts == ["not reproduced", "not reproduced"]


def test_command_line_lists_figures(capsys):
    assert command.main(["--list"]) == 0
    assert capsys.readouterr().out.split() == ["fig1"]


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
