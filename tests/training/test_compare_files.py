"""The folder of a race: damaged and foreign files, interrupts, the home folder."""

import warnings

import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.comparison import compare, races


def method(name):
    momentum = {"one": 0.0, "two": 0.5}[name]
    return lambda step: jb.robust_sgd(
        optimizer=optax.sgd(step), aggregator=jb.mean(), momentum=momentum
    )


def race(folder, names=("one",), **changes):
    problem = jb.problems.quadratics(honest=2, byzantine=1, dimension=2, seed=1)
    settings = {"attacks": [jb.sign_flip()], "steps": [0.1], "rounds": 2, "evaluate_every": 1}
    settings |= {"seeds": 1, "tuning_seeds": 1, "progress": False, "parallel": 1, **changes}
    return compare({name: method(name) for name in names}, problem, folder=folder, **settings)


FILE = "one--sign-flip.npz"


def test_a_damaged_file_is_made_again(tmp_path):
    whole = race(tmp_path).cells["one", "sign flip"]
    path = tmp_path / FILE
    data = bytearray(path.read_bytes())
    data[data.rindex(b"\x93NUMPY") + 130] ^= 1  # a number of the last array, behind its header
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        again = race(tmp_path).cells["one", "sign flip"]
    text = f"{FILE} is not a stored run, or damaged"
    assert [text in str(warning.message) for warning in caught] == [True]
    assert caught[0].filename == __file__
    assert sorted(file.name for file in tmp_path.iterdir()) == [FILE, f"{FILE}.damaged"]
    assert race(tmp_path).cells["one", "sign flip"].seconds == again.seconds
    for name, values in whole.columns.items():
        np.testing.assert_array_equal(again.columns[name], values)
    # What is no run at all is not written over.
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match=rf"{FILE} is not a stored run, it lacks .*'mark'"):
        race(tmp_path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=rf"{FILE} is a folder, not a stored run"):
        race(tmp_path)


def test_the_folder_is_made_before_anything_is_run(tmp_path, monkeypatch):
    monkeypatch.setattr(races, "program", None)
    (tmp_path / "file").write_text("in the way")
    for wrong in (tmp_path / "file", tmp_path / "file" / "sub", "", 3):
        with pytest.raises(ValueError, match="folder must be a"):
            race(wrong)


def test_names_and_folders_that_no_file_system_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(races, "program", None)
    for wrong in ("a\0", "a" * 256):
        with pytest.raises(ValueError, match="folder must be a path"):
            race(wrong)
    rule = jb.mean()
    for methods, rules, what in ((["é" * 120], ["a"], "methods and attacks"),
                                 (["a"], ["b" * 256], "aggregators")):  # fmt: skip
        with pytest.raises(ValueError, match=f"{what} must have names short enough for .* 255 b"):
            jb.compare_aggregators(
                {name: lambda step, rule: method("one")(step) for name in methods},
                {name: rule for name in rules},
                jb.problems.quadratics(honest=2, dimension=2), attacks=[jb.attacks.no_attack()],
                steps=[0.1], rounds=1, evaluate_every=1, progress=False, folder=tmp_path,
            )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_arrays_that_do_not_belong_together(tmp_path):
    cell = jb.comparison.Curves(np.arange(2), {"loss": np.ones((1, 1, 2))}, 0.5)
    for wrong in (cell._replace(rounds=np.arange(3)), cell._replace(seconds=[1.0, 2.0])):
        wrong.save(tmp_path / "it.npz", "mark")
        with pytest.raises(jb.storage.arrays.Damaged, match="do not belong together"):
            jb.comparison.Curves.load(tmp_path / "it.npz", "mark")


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    race("~/race")
    assert (tmp_path / "home" / "race" / FILE).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("kept", [True, False])
def test_an_interrupted_race_says_what_is_finished(tmp_path, monkeypatch, kept):
    as_completed = races.as_completed

    def interrupted(waiting):
        yield next(as_completed(waiting))
        raise KeyboardInterrupt

    monkeypatch.setattr(races, "as_completed", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        race(tmp_path if kept else None, names=("one", "two"))
    cells = caught.value.cells[""]
    assert ("one", "sign flip") in cells
    (note,) = caught.value.__notes__
    where = f"in {tmp_path}, where the same call goes on" if kept else "attribute `cells`; folder="
    assert note.startswith(f"{len(cells)} finished runs are ")
    assert where in note
    assert len(list(tmp_path.iterdir())) == len(cells) * kept
