"""Grids from files: read, checked as a whole, run, continued, written."""

import csv
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.__main__ import main
from jaxbyz.grids import cells, parts, tables
from jaxbyz.storage.locks import Lock

GRID = """
[problem]
name = "quadratics"
honest = 5
byzantine = [1]
dimension = 6

[methods.RoSDHB]
name = "rosdhb"
momentum = 0.5
k = [2, 6]

[rules.median]
name = "coordinate_median"

[rules."NNM, mean"]
name = "nnm"
inner = "mean"

[attacks.IPM]
name = "ipm"

[race]
steps = [0.1, 0.3]
rounds = 4
evaluate_every = 2
seeds = 2
tuning_seeds = 1
evaluate = ["loss"]
budgets = { round = 4, uplink_bits = 300 }
"""
DM21 = """
[methods.DM21]
name = "byz_dm21"
eta = 0.5
compressor = { name = "top_k", k = 2 }
steps = [0.2]
"""
FULL = GRID.replace("byzantine = [1]", "byzantine = [1, 2]") + DM21


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of a grid, after it was run once."""
    folder = tmp_path_factory.mktemp("grid")
    (folder / "grid.toml").write_text(GRID)
    assert main(["race", str(folder / "grid.toml")]) == 0
    return folder


def lines(folder):
    with (folder / "grid" / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_every_cell_and_the_numbers_are_those_of_compare(ran):
    table = lines(ran)
    # problems × methods × rules × attacks × budgets × reported seeds
    assert len(table) == 1 * 2 * 2 * 1 * 2 * 2
    assert list(table[0])[:6] == [
        "problem.byzantine", "method.k", "method", "rule", "attack", "budget"
    ]  # fmt: skip
    problem = jb.problems.quadratics(honest=5, byzantine=1, dimension=6)
    race = jb.compare(
        {"RoSDHB": lambda step: jb.rosdhb(
            k=2, momentum=0.5, optimizer=optax.sgd(step), aggregator=jb.coordinate_median(1))},
        problem, attacks=[jb.ipm()], steps=[0.1, 0.3], rounds=4, evaluate_every=2, seeds=2,
        tuning_seeds=1, evaluate=["loss"], budgets={"round": 4, "uplink_bits": 300},
        time_server=False,
    )  # fmt: skip
    for budget in race.budgets:
        mine = [
            line for line in table
            if (line["problem.byzantine"], line["method.k"], line["rule"], line["budget"])
            == ("1", "2", "median", budget)
        ]  # fmt: skip
        (row,) = race.rows(budget)
        assert [float(line["step"]) for line in mine] == [row.step] * 2
        # One program for both rules rounds differently from one for a single rule.
        np.testing.assert_allclose([float(line["loss"]) for line in mine], row.values, rtol=1e-5)


def test_the_summary_and_the_pictures_are_there(ran):
    text = (ran / "grid" / "summary.txt").read_text()
    assert "byzantine=1, rule: NNM, mean" in text
    assert "#" not in text
    pictures = sorted(path.name for path in (ran / "grid" / "pictures").iterdir())
    # problems × budgets × (methods + rules × attacks)
    assert len(pictures) == 1 * 2 * (2 + 2)
    assert "byzantine=1__round__rules__RoSDHB__k=2.png" in pictures


def test_what_was_run_is_not_run_again_and_further_cells_are_added(ran, capsys):
    before = {path: path.stat().st_mtime_ns for path in (ran / "grid" / "runs").rglob("*.npz")}
    table = lines(ran)
    changed = GRID.replace("byzantine = [1]", "byzantine = [1, 0]").replace("[2, 6]", "[2]") + DM21
    (ran / "grid.toml").write_text(changed)
    with pytest.warns(UserWarning, match="does nothing"):
        assert main(["race", str(ran / "grid.toml")]) == 0
    after = {path: path.stat().st_mtime_ns for path in (ran / "grid" / "runs").rglob("*.npz")}
    assert before.items() <= after.items()
    # Two rules: a further method, and both methods with no Byzantine worker.
    assert len(after) - len(before) == 2 + 2 * 2

    def rosdhb(table):
        wanted = {"problem.byzantine": "1", "method": "RoSDHB, k=2"}
        return [
            {name: line[name] for name in ("rule", "budget", "step", "seed", "loss")}
            for line in table
            if wanted.items() <= line.items()
        ]

    assert rosdhb(lines(ran)) == rosdhb(table) != []
    (ran / "grid.toml").write_text(GRID)


def test_two_processes_do_not_write_in_one_folder(ran, capsys):
    lock = Lock(ran / "grid")
    assert main(["race", str(ran / "grid.toml")]) == 2
    assert "--folder: " in capsys.readouterr().err
    lock.release()


def test_a_dry_run_lists_the_cells_and_runs_nothing(tmp_path, capsys):
    (tmp_path / "grid.toml").write_text(FULL)
    assert main(["race", str(tmp_path / "grid.toml"), "--dry-run"]) == 0
    said = capsys.readouterr().out.splitlines()
    # (2 step sizes for two methods, 1 for the third) × problems × rules × attacks × seeds
    assert said[0].endswith(f"; {(2 + 2 + 1) * 2 * 2 * 1 * 3} runs of 4 rounds")
    assert "methods: RoSDHB, k=2; RoSDHB, k=6; DM21" in said
    assert [path.name for path in tmp_path.iterdir()] == ["grid.toml"]


def test_without_matplotlib_all_but_the_pictures_is_there(ran, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert main(["race", str(ran / "grid.toml")]) == 0
    assert 'pip install "jaxbyz[plot]"' in capsys.readouterr().err


MISTAKES = {
    ("", "[problem"): "is no TOML",
    ("[race]", "[raice]"): "the file has no 'raice': did you mean 'race'?",
    ('name = "quadratics"', 'name = "quadratic"'): (
        "[problem] has no 'quadratic': did you mean 'quadratics'?"
    ),
    ('name = "quadratics"', "n = 1"): "[problem] must have a name = one of the problems",
    ("honest = 5", "honest = 0"): "[problem]: honest must",
    ("honest = 5", "honst = 5"): "[problem] has no 'honst': did you mean 'honest'?",
    ("byzantine = [1, 2]", "byzantine = [1, 6]"): (
        "[problem] with byzantine=6, with [rules] median: "
    ),
    ("byzantine = [1, 2]", "byzantine = []"): (
        "[problem] byzantine must be a list of different values, got []"
    ),
    ("k = [2, 6]", "k = [2, 2]"): "[methods.RoSDHB] k must be a list of different values",
    ("[methods.DM21]", '[methods."RoSDHB, k=2"]'): (
        "[methods.\"RoSDHB, k=2\"] must make cells of labels that no other has, got 'RoSDHB, k=2'"
    ),
    ("eta = 0.5\n", ""): "[methods.DM21] must have eta = ..., an argument of byz_dm21, got none",
    ("k = [2, 6]", "k = 2\naround = 3"): "[methods.RoSDHB] around must be a list of tables, got 3",
    ("momentum = 0.5", "momentum = 1.5"): "[methods.RoSDHB]: ",
    ("momentum = 0.5", "momentum = { name = 'x' }"): "[methods.RoSDHB] momentum must be no table",
    ('{ name = "top_k", k = 2 }', '{ name = "topk" }'): (
        "[methods.DM21] compressor has no 'topk': did you mean 'top_k'?"
    ),
    ('{ name = "top_k", k = 2 }', '{ name = "top_k", ratio = 2 }'): "[methods.DM21] compressor: ",
    ("eta = 0.5", 'eta = 0.5\noptimizer = "sgdd"'): (
        "[methods.DM21] optimizer has no 'sgdd': did you mean 'sgd'?"
    ),
    ('inner = "mean"', 'inner = "meen"'): "[rules.\"NNM, mean\"] inner has no 'meen'",
    ('name = "ipm"', 'name = "ipm"\nepsilon = 1'): "[attacks.IPM] has no 'epsilon'",
    ("[attacks.IPM]\n", "[attacks]\n"): "write [attacks.name] and below it name = ...",
    ("rounds = 4", "rounds = 3"): "rounds must be a multiple of evaluate_every = 2, got 3",
    ("rounds = 4\n", ""): "[race] must have rounds",
    ("steps = [0.1, 0.3]\n", ""): "[methods.RoSDHB] must have steps = [...]",
    ("steps = [0.1, 0.3]\n", "steps = [-1.0]\n"): "steps must be positive finite numbers",
    ("seeds = 2", 'seeds = 2\nmeasure = "loss"'): "[race] must have largest = true or false",
    ("tuning_seeds = 1", "tuning_seeds = 0"): (
        "got 0 with several for ['RoSDHB, k=2', 'RoSDHB, k=6']"
    ),
    ("seeds = 2", "seed = 2"): "[race] has no 'seed': did you mean 'seeds'?",
    ('["loss"]', '["lost"]'): "evaluate must be a list of names among",
    ("round = 4,", "rounds = 4,"): "budgets must name columns among",
    ("dimension = 6", "dimension = 2026-01-01"): "[problem]: dimension must",
}


@pytest.mark.parametrize("change", MISTAKES, ids=lambda change: change[1][:30])
def test_a_mistake_is_one_sentence_that_names_its_place(tmp_path, capsys, change):
    file = tmp_path / "grid.toml"
    file.write_text(FULL.replace(*change, 1))
    assert main(["race", str(file), "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert MISTAKES[change] in said
    assert said.startswith(f"{file}: ")
    assert "#" not in said  # what names of stored runs hold
    assert said.count("\n") == 1


def test_values_that_differ_late_have_labels_that_differ():
    made = cells.expanded("a", "[rules.a]", {"tau": [1.0000001, 1.0000002, 0.1]})
    assert [cell.label for cell in made] == ["a, tau=1.0000001", "a, tau=1.0000002", "a, tau=0.1"]


def test_a_folder_that_cannot_be_made(tmp_path, capsys):
    file = tmp_path / "grid.toml"
    file.write_text(GRID)
    assert main(["race", str(file), "--folder", str(file)]) == 2
    said = capsys.readouterr().err
    assert "--folder: folder must be a folder" in said
    assert said.count("\n") == 1


def test_the_results_of_a_file_without_a_suffix_lie_beside_it(tmp_path, monkeypatch):
    (tmp_path / "grid").write_text(GRID)
    places = []
    monkeypatch.setattr("jaxbyz.__main__.check", lambda grid: None)
    monkeypatch.setattr("jaxbyz.__main__.write_pictures", lambda folder, found: [])
    monkeypatch.setattr("jaxbyz.__main__.run_grid", lambda grid, place: places.append(place) or [])
    assert main(["race", str(tmp_path / "grid")]) == 0
    assert places == [tmp_path / "grid-results"]


def test_a_file_that_is_not_there_and_no_file(tmp_path, capsys):
    assert main(["race", str(tmp_path / "none.toml")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["race"])
    with pytest.raises(SystemExit, match="2"):
        main([])


def test_the_example_is_a_grid(tmp_path, capsys):
    assert main(["race", "--example"]) == 0
    text = capsys.readouterr().out
    grid = cells.grid_of(tomllib.loads(text))
    assert [cell.label for cell in grid.attacks] == ["ALIE", "IPM, eps=0.1", "IPM, eps=10"]
    (tmp_path / "grid.toml").write_text(text)
    assert main(["race", str(tmp_path / "grid.toml"), "--dry-run"]) == 0
    # What is commented out works too.
    more = tomllib.loads("\n".join(
        line[2:] for line in text.splitlines() if line.startswith(("# [", "# name", "# around"))
    ))  # fmt: skip
    ((label, table),) = more["methods"].items()
    where = tables.label_of("methods", label)
    assert where == '[methods."local steps"]'
    assert "local" in parts.algorithm(where, table, 0.1, jb.mean()).name


def test_the_door_is_open():
    """As a user calls it, in a process of its own."""
    command = [sys.executable, "-m", "jaxbyz", "race", "--example"]
    root = Path(__file__).parents[2]
    assert b"[race]" in subprocess.run(command, check=True, capture_output=True, cwd=root).stdout
