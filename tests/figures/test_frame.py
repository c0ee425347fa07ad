"""What all figures need: verdicts, kept runs, pictures, pages and the command line."""

import dataclasses
import json
import subprocess
import types
import warnings

import numpy as np
import optax
import pytest

import jaxbyz as jb
from paper_figs import __main__ as command
from paper_figs.frame import batch, drawing, figure, findings, making, pages, records, split
from paper_figs.frame.compiling import compiling
from paper_figs.frame.workspace import Workspace

METHODS = {
    "robust D-SGD": lambda step: jb.robust_sgd(
        optimizer=optax.sgd(step), aggregator=jb.trimmed_mean(f=1)
    )
}


def problem():
    return jb.problems.quadratics(honest=4, byzantine=1, dimension=3, seed=1)


@dataclasses.dataclass(frozen=True)
class Spec:
    rounds: int = 4


def run(spec, workspace):
    steps = workspace.tune(
        "steps", METHODS, problem(), attack=jb.ipm(), grid=[0.01, 0.1, 1e30], every=2,
        rounds=spec.rounds, measure="loss", progress=False,
    )  # fmt: skip
    found = workspace.runs(
        "curves", METHODS, problem(), attacks=[jb.ipm(), jb.sign_flip()], steps=steps,
        rounds=spec.rounds, every=2, seeds=2, progress=False,
    )  # fmt: skip
    more = workspace.arrays("squares", lambda: {"squares": np.arange(3) ** 2}, 3)
    return {f"{method}, {attack}": h for (method, attack), h in found.items()} | more


def check(spec, results):
    history = results["robust D-SGD, IPM"]
    return [
        findings.equal("bits are 96 a round", history["uplink_bits"][0], 96 * history.rounds),
        findings.less("sign flips harm more", history["loss"][:, -1],
                      results["robust D-SGD, sign flip"]["loss"][:, -1]),
    ]  # fmt: skip


def plot(spec, results):
    made, axes = drawing.axes(1, 1)
    drawing.curve(axes[0, 0], results["robust D-SGD, IPM"], "loss", label="IPM", color="k")
    drawing.legend(axes[0, 0])
    drawing.title(made, "a title of many words " * 8)
    return made


SMALL = types.SimpleNamespace(
    __doc__="A figure for tests.", __name__="paper_figs.figures.small", TITLE="Small",
    SPECS={"quick": Spec(), "default": Spec(6), "full": Spec(8)},
    SECONDS={"quick": "1 s", "default": "2 s", "full": "3 s"}, run=run, check=check, plot=plot,
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return making.make_of(SMALL, "small", "quick", tmp_path_factory.mktemp("figures"))


def test_a_figure_leaves_picture_arrays_and_record(made):
    about = json.loads((made.folder / "about.json").read_text())
    assert about["spec"] == {"rounds": 4}
    assert about["scale"] == "quick"
    assert {"revision", "versions", "device"} <= set(about)
    assert [f["kind"] for f in about["findings"]] == ["T", "E"]
    table = about["step sizes"]["steps"]["IPM"]["robust D-SGD"]
    assert table["steps"] == [0.01, 0.1, 1e30]
    assert table["loss"][2] is None  # diverged
    assert table["chosen"] in (0.01, 0.1)
    with np.load(made.folder / "results.npz") as stored:
        assert stored["robust D-SGD, IPM/loss"].shape == (2, 3)
        assert stored["squares"].tolist() == [0, 1, 4]
    assert made.picture.read_bytes()[:4] == b"\x89PNG"
    assert not made.failed
    assert "step 0.1" in figure.text_of(made.results)


def test_runs_are_found_again_and_made_anew_on_demand(made):
    record = made.folder / "about.json"
    told = json.loads(record.read_text())
    told["seconds"]["run"] = 1000.0
    record.write_text(json.dumps(told))
    with compiling() as watch:
        again = making.make_of(SMALL, "small", "quick", made.folder.parent)
    assert again.about["seconds"]["run"] >= 1000  # of all times whose runs are used
    runs = sorted((made.folder / "runs").rglob("*.npz"))
    before = [path.stat().st_mtime_ns for path in runs]
    for name, found in made.results.items():
        if isinstance(found, jb.History):
            np.testing.assert_array_equal(again.results[name]["loss"], found["loss"])
    assert len(runs) == 3
    assert watch.seconds > 0
    anew = making.make_of(SMALL, "small", "quick", made.folder.parent, fresh=True)
    assert anew.about["seconds"]["run"] < 1000
    after = [path.stat().st_mtime_ns for path in sorted((made.folder / "runs").rglob("*.npz"))]
    assert all(new > old for new, old in zip(after, before, strict=True))


def test_the_revision_tells_changes_of_the_code_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROOT", tmp_path)
    assert records.revision() == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    (tmp_path / "code.py").write_text("1\n")
    for step in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *step], check=True)
    clean = records.revision()
    (tmp_path / "paper_figs" / "gallery").mkdir(parents=True)
    (tmp_path / "paper_figs" / "gallery" / "a.json").write_text("{}")
    assert records.revision() == clean
    (tmp_path / "code.py").write_text("2\n")
    assert records.revision() == f"{clean}-dirty"


def test_runs_of_other_code_are_named_with_the_way_out(tmp_path):
    first = Workspace(tmp_path)
    arguments = {"attacks": [jb.ipm()], "steps": {"robust D-SGD": 0.1}, "progress": False}
    first.runs("a", METHODS, problem(), rounds=2, every=1, seeds=1, **arguments)
    with pytest.raises(ValueError, match="holds another computation") as caught:
        first.runs("a", METHODS, problem(), rounds=4, every=1, seeds=1, **arguments)
    assert any("--fresh" in note for note in caught.value.__notes__)


def test_damaged_arrays_are_made_again(tmp_path):
    workspace = Workspace(tmp_path)
    made = workspace.arrays("a", lambda: {"x": np.ones(3)}, "input")
    (path,) = (tmp_path / "arrays").iterdir()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.warns(UserWarning, match="made again"):
        again = workspace.arrays("a", lambda: {"x": np.ones(3)}, "input")
    np.testing.assert_array_equal(made["x"], again["x"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        other = workspace.arrays("a", lambda: {"x": np.zeros(3)}, "another input")
    assert other["x"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("values", "bound", "verdict"),
    [
        ([0.1, 0.2, 0.15], 0.5, "reproduced"),
        ([0.1, 0.2, 0.15], 0.16, "inconclusive"),
        ([0.7, 0.8, 0.75], 0.5, "not reproduced"),
        ([0.5, 0.5, 0.5], 0.5, "reproduced"),  # no spread: the bound itself decides
        ([0.6, 0.6, 0.6], 0.5, "not reproduced"),
        ([0.5, 0.5], 0.5, "inconclusive"),  # two seeds may be equal by chance
        ([np.inf, np.inf], 0.5, "not reproduced"),
        ([-np.inf, 0.1], 0.5, "reproduced"),
        ([np.inf, 0.1], 0.5, "inconclusive"),
        ([np.nan, 0.1], 0.5, "inconclusive"),
        ([0.0], 0.5, "inconclusive"),
    ],
)
def test_verdicts_of_what_was_observed(values, bound, verdict):
    assert findings.at_most("a claim", values, bound).verdict == verdict


def test_the_interval_is_that_of_student():
    found = findings.less("a claim", [1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 4.0, 6.0])
    # Differences -1, -2, -1, -2: mean -1.5, deviation 0.577, t(0.975, 3) = 3.182.
    low, high = found.interval
    assert low == pytest.approx(-1.5 - 3.1824 * 0.57735 / 2, rel=1e-4)
    assert high == pytest.approx(-1.5 + 3.1824 * 0.57735 / 2, rel=1e-4)
    assert found.verdict == "reproduced"


def test_ties_decide_nothing():
    """Which of two equal numbers is smaller?"""
    assert findings.less("a claim", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).verdict == "inconclusive"
    assert findings.less("a claim", [1.0, 2.0, 3.0], [1.1, 2.1, 3.1]).verdict == "reproduced"


def test_bits_of_a_run_that_diverged_are_those_before():
    rounds = np.array([0, 5, 10])
    columns = {"uplink_bits": np.array([[32.0, 352.0, 672.0], [32.0, 352.0, np.nan]])}
    history = jb.History(rounds, columns, np.zeros((2, 1)), np.arange(2), {})
    assert findings.exact_bits("bits", [(history, 64, 32)]).verdict == "reproduced"
    assert findings.exact_bits("bits", [(history, 65, 32)]).verdict == "not reproduced"
    columns["uplink_bits"] = np.full((2, 3), np.nan)
    with pytest.raises(ValueError, match="margins must not be empty"):
        findings.exact_bits("bits", [(history, 64, 32)])


def test_theorems_fail_on_any_single_number():
    assert findings.holds("a bound", [1.0, 0.0]).verdict == "reproduced"
    assert findings.holds("a bound", [1.0, -1e-9]).verdict == "not reproduced"
    assert findings.holds("a bound", [1.0, np.nan]).verdict == "not reproduced"
    assert findings.equal("a value", [1.0, np.nan], [1.0, np.nan]).verdict == "not reproduced"
    assert findings.equal("a value", [1.0, np.inf], [1.0, np.inf]).verdict == "reproduced"
    with pytest.raises(ValueError, match="margins must not be empty"):
        findings.holds("nothing", [])


def test_a_picture_that_is_too_large_is_refused(tmp_path):
    made, axes = drawing.axes(1, 1, figsize=(8, 8))
    axes[0, 0].imshow(np.random.default_rng(0).random((500, 500)))
    with pytest.raises(ValueError, match="must be at most 120000 bytes"):
        drawing.save(made, tmp_path / "large.png")
    assert list(tmp_path.iterdir()) == []


def test_every_method_of_the_race_has_a_colour():
    from paper_figs import race

    for name in race.methods(samples=47):
        assert drawing.style(name)["color"].startswith("#")
    with pytest.raises(ValueError, match="method must have a colour"):
        drawing.style("SGD of tomorrow")


def test_a_validation_split_is_apart_from_training_and_test():
    digits = jb.data.digits()
    made = split.classification(digits, honest=5, validation=0.2)
    held = np.asarray(made.test[1].images)
    assert len(held) == round(0.2 * len(digits.train_labels))
    kept = np.asarray(made.data.images).reshape(-1, 64)
    everything = digits.train_images.reshape(-1, 64)
    count = {row.tobytes(): 0 for row in everything}
    for row in everything:
        count[row.tobytes()] += 1
    for row in (*held.reshape(-1, 64), *kept):
        count[row.tobytes()] -= 1
    assert min(count.values()) == 0  # every image at most once, on one side
    np.testing.assert_array_equal(made.test[0].images, digits.test_images)
    few = split.fewer(digits, 100, 50)
    assert (len(few.train_labels), len(few.test_images)) == (100, 50)
    with pytest.raises(ValueError, match="train must be in"):
        split.fewer(digits, 10**6, 50)
    with pytest.raises(ValueError, match="validation must leave samples"):
        split.classification(digits, honest=5, validation=0.0)


def test_index_and_gallery_show_pictures_and_verdicts(made, monkeypatch, tmp_path):
    index = pages.write_index(made.folder.parent, [made], {"other": "no data <here>"})
    text = index.read_text()
    for word in ("Small", "figure.png", "bits are 96 a round", "no data &lt;here&gt;", "✓"):
        assert word in text
    monkeypatch.setattr(pages, "names", lambda: ["small"])
    monkeypatch.setattr(pages, "load", lambda name: SMALL)
    pages.into_gallery(made, tmp_path)
    text = (tmp_path / "README.md").read_text()
    for word in ("![Small](small.png)", "A figure for tests.", "bits are 96 a round"):
        assert word in text
    assert (tmp_path / "small.png").read_bytes() == made.picture.read_bytes()


def test_command_line(capsys, monkeypatch, tmp_path):
    assert command.main(["--list"]) == 0
    text = capsys.readouterr().out
    for name in figure.names():
        assert name in text
    with pytest.raises(SystemExit):
        command.main(["fig99"])
    assert "no such figure: fig99" in capsys.readouterr().err

    def broken(spec, results):
        raise ZeroDivisionError("a check that fails")

    known = {"small": SMALL, "broken": types.SimpleNamespace(**{**vars(SMALL), "check": broken})}
    monkeypatch.setattr(command.figure, "names", lambda: ["broken", "small"])
    monkeypatch.setattr(
        batch.making, "make",
        lambda name, *given, **more: making.make_of(known[name], name, *given, **more),
    )  # fmt: skip
    monkeypatch.setattr(batch.jax.config, "update", lambda *_: None)  # main sets its own cache
    monkeypatch.setattr(batch, "compile_quickly", lambda: None)
    assert command.main(["all", "--quick", "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "1 figures, 1 not made" in captured.out
    assert "ZeroDivisionError: a check that fails" in (tmp_path / "index.html").read_text()


def test_every_figure_module_is_whole():
    for name in figure.names():
        module = figure.load(name)
        assert "Source:" in module.__doc__
        assert len(module.TITLE) < 90
        specs = [dataclasses.asdict(module.SPECS[scale]) for scale in figure.SCALES]
        assert all(specs)
    assert figure.load("fig1") is figure.load("rosdhb_fig1")
    with pytest.raises(ValueError, match="figure must be one of"):
        figure.load("fig99")


def test_figures_made_by_other_processes(tmp_path):
    """The smallest one: settings, results and pictures come back from where they are made."""
    ((name, made),) = batch.every(["mask_seeds"], "quick", tmp_path, processes=2)
    assert name == "mask_seeds"
    assert made.picture.exists()
    assert not made.failed
    assert len(made.results) == 2


def test_an_error_of_one_figure_is_told_and_does_not_stop_others(tmp_path, monkeypatch, capsys):
    def make(name, *_, **__):
        if name == "a":
            raise ZeroDivisionError("a check that fails")
        return name

    monkeypatch.setattr(batch.making, "make", make)
    monkeypatch.setattr(batch, "prepare", lambda scale: None)
    found = dict(batch.every(["a", "b"], "quick", tmp_path))
    assert found == {"a": "ZeroDivisionError: a check that fails", "b": "b"}
    assert "Traceback" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        dict(batch.every(["a"], "quick", tmp_path))


def test_the_number_of_processes_is_checked(capsys):
    with pytest.raises(SystemExit):
        command.main(["all", "--processes", "0"])
    assert "--processes must be >= 1, got 0" in capsys.readouterr().err
