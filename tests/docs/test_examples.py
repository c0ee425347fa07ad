"""Every script of docs/examples runs, at a small scale, and prints and writes what it says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "examples"
LINES = 30
NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"

# Script -> its scale here; what it prints, # for a number; the files it writes.
SCRIPTS = {
    "backdoor": (dict(ROUNDS=2, SEEDS=1), ["mean: test accuracy #, the backdoor works on #%"], []),
    "bits_to_accuracy": (
        dict(ROUNDS=2, SEEDS=1),
        ["robust D-SGD not there after # rounds", "Byz-DM21 not there after # rounds"],
        ["bits_to_accuracy.png"],
    ),
    "heat_map": (dict(ROUNDS=10, SEEDS=1), ["IPM +heavy ball +#", "ALIE"], ["heat_map.png"]),
    "local_steps": (
        dict(ROUNDS=20, SEEDS=1),
        ["1 local steps, 20 rounds: test accuracy #", "10 local steps, 10 rounds"],
        [],
    ),
    "long_run": (
        dict(ROUNDS=50, SEEDS=1),
        ["round 5, test accuracy #", "round (?!5,)#, test accuracy #"],
        ["curves.csv", "checkpoint"],
    ),
    "own_algorithm": (
        dict(ROUNDS=3),
        ["650 bits a round of d = 650", "test accuracy #"],
        [],
    ),
    "own_attack": (
        dict(ROUNDS=2, SEEDS=1),
        ["error of the rule #, without attack #", "IPM: test accuracy #", "furthest back: test"],
        [],
    ),
    "own_compressor": (
        dict(ROUNDS=3),
        ["9 properties hold", r"5760 bits a message, loss \[\d"],
        [],
    ),
    "own_data": (dict(ROUNDS=3, SEEDS=1), ["test accuracy #", "uplink bits of a worker 1536$"], []),
    "own_loss": (dict(ROUNDS=100, SEEDS=1), [r"weights \[ ?0.[45]\d* +-0.[23]"], []),
    "own_model": (dict(ROUNDS=2), ["(1210 parameters, test accuracy #\\s+){2}"], []),
    "own_rule": (
        dict(ROUNDS=2),
        ["12 properties hold", "middle three: test accuracy #", "mean: test accuracy #"],
        [],
    ),
    "partial_participation": (
        dict(ROUNDS=4, SEEDS=1),
        ["all: test accuracy #, 0.08 million bits", "six, drawn: ", "six, two of them always: "],
        [],
    ),
    "regression": (dict(ROUNDS=3, SEEDS=1), ["mean squared error in the test #", "instead of"], []),
    "root_data": (dict(ROUNDS=3, SEEDS=1), ["FLTrust: test accuracy #", "median: test"], []),
    "save_model": (
        dict(ROUNDS=2, SEEDS=2),
        [r"accuracy (0.\d+); in the run it was \1"],
        ["model.msgpack"],
    ),
    "several_devices": (
        dict(ROUNDS=3, SEEDS=1),
        ["# devices, test accuracy #", "differ by at most (0.0e\\+00|#e-0[678])"],
        [],
    ),
    "step_from_theory": (dict(ROUNDS=20, SEEDS=1), ["step size 0.02", "‖² #, bound #"], []),
    "step_sizes": (dict(ROUNDS=10, SEEDS=1), ["method +0.1 +0.3 +1", "3.0+ +# +# +#"], []),
    "unequal_division": (
        dict(ROUNDS=2, SEEDS=1),
        [r"\[1027, 154, 171, 148\] samples, weighting size: test accuracy #"],
        [],
    ),
}


def made_small(path, scale):
    """The script's code with other values of its constants; each of them must be there."""
    tree, left = ast.parse(path.read_text()), dict(scale)
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in left:
                node.value = ast.copy_location(ast.Constant(left.pop(name)), node.value)
            assert not re.fullmatch("ROUNDS|SEEDS", name) or name in scale, name
    assert not left, f"no constants {left}"
    return compile(tree, path, "exec")


@pytest.fixture(autouse=True)
def no_windows():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_every_script_is_here_and_in_the_list():
    there = {path.stem for path in FOLDER.glob("*.py")}
    listed = re.findall(
        r"^- \[`(\w+)\.py`\]\((\w+)\.py\): .+\.$", (FOLDER / "README.md").read_text(), re.M
    )
    assert there == set(SCRIPTS)
    assert sorted(listed) == [(name, name) for name in sorted(there)]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_runs_and_does_what_it_says(name, tmp_path, monkeypatch, capsys):
    path = FOLDER / f"{name}.py"
    scale, printed, written = SCRIPTS[name]
    source = path.read_text()
    assert len(source.splitlines()) <= LINES
    assert "xpect" in ast.get_docstring(ast.parse(source)) or written
    monkeypatch.chdir(tmp_path)
    exec(made_small(path, scale), {"__name__": "__main__"})
    said = capsys.readouterr().out
    for pattern in printed:
        assert re.search(pattern.replace("#", NUMBER), said, re.M), (pattern, said)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)
