"""Checkpoints with a flipped bit, cut short, or in part: named, and the one before them used."""

import os
import shutil
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.simulation.identities import Identity
from jaxbyz.storage.checkpoints import Checkpoints

MINE = Identity("states", "measures", ["loss"])


class State(NamedTuple):
    """Every kind of leaf: orbax knows neither empty arrays nor keys."""

    x: jax.Array
    small: jax.Array
    empty: jax.Array
    key: jax.Array


def state(value):
    x = jnp.full((2, 40), value)
    return State(x, x.astype(jnp.bfloat16), jnp.zeros((0, 3)), jax.random.key(value))


def record(done):
    return {"rounds": np.arange(done), "column/a/b.c ζ²": np.full((1, done), 0.1)}


def restore(folder, rounds=100, identity=MINE):
    with Checkpoints(folder, identity) as store:
        return store.restore(jax.eval_shape(lambda: state(1)), rounds)


def plain(tree):
    def of(leaf):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return [of(leaf) for leaf in jax.tree.leaves(tree)]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    with Checkpoints(folder, MINE) as store:
        for done in (3, 5, 7):
            store.save(done, state(done), record(done))
    return folder


@pytest.fixture
def folder(two, tmp_path):
    return shutil.copytree(two, tmp_path / "run")


def check(found, done):
    assert found[0] == done
    for mine, theirs in zip(plain(found[1]), plain(state(done)), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
    np.testing.assert_equal(found[2], record(done))


def test_the_newest_two_are_kept_and_whole(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["5", "7", "lock"]
    check(restore(folder), 7)
    check(restore(folder), 7)


def flip(place):
    def damage(path):
        data = bytearray(path.read_bytes())
        data[int(place * (len(data) - 1))] ^= 4
        path.write_bytes(data)

    return damage


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES = {
    "first byte": flip(0.0),
    "middle byte": flip(0.5),
    "last byte": flip(1.0),
    "cut": cut,
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_any_file_damaged_in_any_way(two, tmp_path, damage):
    files = [path.relative_to(two) for path in (two / "7").rglob("*") if path.is_file()]
    assert len(files) > 5
    for number, file in enumerate(files):
        folder = shutil.copytree(two, tmp_path / str(number))
        damage(folder / file)
        # A name in the list of digests may be what is damaged.
        named = "" if file.name == "digests.json" else file.name
        with pytest.warns(UserWarning, match=rf"damaged checkpoints in .*: 7 \(.*{named}"):
            found = restore(folder)
        check(found, 5)
        assert (folder / "7.damaged").is_dir()  # nothing is thrown away


def test_a_folder_without_parts(folder):
    shutil.rmtree(folder / "7" / "arrays")
    with pytest.warns(UserWarning, match=r"7 \(arrays/.* is missing\)"):
        check(restore(folder), 5)
    with Checkpoints(folder, MINE) as store:
        store.save(7, state(7), record(7))
    check(restore(folder), 7)
    shutil.rmtree(folder / "7")
    (folder / "7").mkdir()
    with pytest.warns(UserWarning, match=r"7 \(digests.json is missing\).*goes on from round 5"):
        check(restore(folder), 5)
    assert {path.name for path in folder.iterdir()} == {"5", "7.damaged", "7.damaged-2", "lock"}


def test_none_is_whole(folder):
    for number in (5, 7):
        cut(folder / str(number) / "about.json")
    for _ in range(2):  # nothing is moved, so that nothing begins anew by itself
        with pytest.raises(ValueError, match=r"no checkpoint in .*run is whole: 7 \(about.json is "
                           r"not what was written\); 5 .* remove that folder or give"):  # fmt: skip
            restore(folder)


def test_another_computation_is_refused_behind_a_damaged_one_too(folder):
    other = MINE._replace(states="others")
    with pytest.raises(ValueError, match="belongs to another computation"):
        restore(folder, identity=other)
    cut(folder / "7" / "about.json")
    with pytest.raises(ValueError, match="belongs to another computation"):
        restore(folder, identity=other)
    assert (folder / "7").exists()


def test_what_is_no_checkpoint_is_left_alone(folder):
    (folder / "note.txt").write_text("mine")
    (folder / "007").mkdir()
    (folder / "9.partial").mkdir()  # of a process that was killed
    (folder / "my.partial").mkdir()
    check(restore(folder), 7)
    assert {path.name for path in folder.iterdir()} == {
        "5", "7", "lock", "note.txt", "007", "my.partial",
    }  # fmt: skip


def test_a_folder_of_another_round(folder):
    shutil.copytree(folder / "7", folder / "9")
    with pytest.warns(UserWarning, match=r"9 \(is of round 7\).* goes on from round 7"):
        check(restore(folder), 7)
    shutil.rmtree(folder / "5")
    (folder / "7").rename(folder / "11")
    with pytest.raises(ValueError, match=r"no checkpoint in .* is whole: 11 \(is of round 7\)"):
        restore(folder)


HOSTILE = {
    "deep": b"[" * 100_000,
    "deep in a dictionary": b'{"a":' * 100_000,
    "other bytes": b"\xff\xfe\xff",
    "a huge number": b"9" * 10_000,
    "a list of numbers": b"[1, 2]",
    "a number": b"3",
    "large": b" " * 2**25,
    "a device": b'{"/dev/zero": ""}',
    "no name": b'{"a\\u0000": "", "\\ud800": ""}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_any_list_of_digests_is_judged(folder, text):
    (folder / "7" / "digests.json").write_bytes(text)
    with pytest.warns(UserWarning, match=r"7 \(.* (cannot be read|is missing).* from round 5"):
        check(restore(folder), 5)


def test_stray_files_and_links_under_our_names(folder, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "note").write_text("mine")
    (folder / "9.partial").write_text("")
    (folder / "8.partial").symlink_to(mine)
    (folder / "2").write_text("old")
    (folder / "10").write_text("new")
    with pytest.warns(UserWarning, match=r"10 \(is no folder\).* goes on from round 7"):
        check(restore(folder), 7)
    names = {path.name for path in folder.iterdir()}
    assert names == {"2", "5", "7", "10.damaged", "lock"}
    with Checkpoints(folder, MINE) as store:
        (folder / "9").write_text("while it ran")
        store.save(9, state(9), record(9))
    check(restore(folder), 9)
    names = {path.name for path in folder.iterdir()}
    assert names == {"2", "7", "9", "9.damaged", "10.damaged", "lock"}
    assert (mine / "note").read_text() == "mine"


def test_folders_that_cannot_be_used(folder, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:  # a superuser may read everything
        patch.setattr(type(folder), "iterdir", refuse)
        with pytest.raises(ValueError, match=r"checkpoint must be a folder to read .* Permission"):
            restore(folder)
    (folder / "8.partial").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", refuse)
        with pytest.raises(ValueError, match=r"checkpoint must be .*8.partial"):
            restore(folder)
    (folder / "lock").write_text("[" * 4096)
    check(restore(folder), 7)  # nobody holds it
    with Checkpoints(folder, MINE):
        (folder / "lock").write_text("[" * 4096)
        with pytest.raises(ValueError, match="in use by another process"):
            restore(folder)
    (folder / "lock").unlink()
    os.mkfifo(folder / "lock")
    with pytest.raises(ValueError, match=r"cannot be locked: .*lock cannot be written"):
        restore(folder)
    (folder / "lock").unlink()
    (folder / "lock").mkdir()
    with pytest.raises(ValueError, match=r"cannot be written in: .*lock"):
        restore(folder)
    (folder.parent / "file").write_text("in the way")
    for wrong in (folder.parent / "file", folder.parent / "file" / "deep", "a\0", "a" * 256):
        with pytest.raises(ValueError, match="checkpoint must be a "):
            restore(wrong)


def test_a_run_goes_on_from_the_checkpoint_before(tmp_path):
    problem = jb.problems.quadratics(honest=3, dimension=4, seed=0)
    algorithm = jb.robust_sgd(optimizer=optax.adam(0.1), aggregator=jb.mean())

    def run(checkpoint):
        return jb.train(algorithm, problem, rounds=6, evaluate_every=3, checkpoint=checkpoint,
                        progress=False)  # fmt: skip

    whole = run(None)
    run(tmp_path)
    arrays = tmp_path / "6" / "arrays"
    flip(0.5)(max((path for path in arrays.rglob("d/*")), key=lambda path: path.stat().st_size))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        again = run(tmp_path)
    assert ["6 (arrays/d" in str(warning.message) for warning in caught] == [True]
    assert caught[0].filename == __file__  # the caller's line
    assert again.about["resumed_at"] == 3
    assert again.parameters.tobytes() == whole.parameters.tobytes()
    for name, values in whole.columns.items():
        assert values.tobytes() == again[name].tobytes(), name
