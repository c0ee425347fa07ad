"""Two processes, connected on loopback, play what one device plays, bit by bit."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
import test_divided as divided
import test_placement as placement

import jaxbyz as jb
from jaxbyz.data import Dataset
from jaxbyz.problems.models import Linear

SOME = ("rosdhb", "train", "compare", "rules")
PROGRAM = Path(__file__).with_name("one_process.py")


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def trained(**how):
    """A method with a hello; workers that hold different images, and one that lies."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(16, 4, 4, 1)).astype(np.float32), np.arange(16) % 3
    problem = jb.problems.classification(
        Dataset("tiny", images, labels, images[:5], labels[:5], 3),
        honest=8,
        byzantine=1,
        batch=1,
        model=Linear(3),
    )
    algorithm = jb.byz_dasha_page(
        compressor=jb.seeded_rand_k(ratio=0.5), probability=0.5, optimizer=optax.sgd(0.1),
        aggregator=jb.trimmed_mean(f=1),
    )  # fmt: skip
    settings = {"rounds": 4, "evaluate_every": 2, "seeds": 2, "progress": False}
    return jb.train(algorithm, problem, attack=jb.ipm(), **settings | how)


def compared(**how):
    """Two methods under two attacks; which program is compiled first is up to chance."""
    problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=6)
    common = {"aggregator": jb.trimmed_mean(f=1)}
    methods = {
        "D-SGD": lambda step: jb.robust_sgd(optimizer=optax.sgd(step), **common),
        "RoSDHB": lambda step: jb.rosdhb(
            ratio=0.5, momentum=0.5, optimizer=optax.sgd(step), **common
        ),
    }
    settings = {"attacks": [jb.sign_flip(), jb.ipm()], "steps": [0.05, 0.2], "rounds": 4}
    settings |= {"seeds": 2, "tuning_seeds": 1, "time_server": True, "progress": False}
    return jb.compare(methods, problem, **settings | how)


def curves_of(race):
    return {
        f"{method} under {attack}: {name}": values
        for (method, attack), curves in race.cells.items()
        for name, values in curves.columns.items()
    }


def assert_compared(folder, errors):
    alone = curves_of(compared())
    for process in (0, 1):
        with np.load(folder / f"compare-{process}.npz") as stored:
            assert set(stored.files) == set(alone)
            for name, values in alone.items():
                # The same sums in a different program; a few float32 roundings per round.
                np.testing.assert_allclose(stored[name], values, 1e-5, 1e-6, err_msg=name)
    assert "last=" in errors[0]  # one bar
    assert "last=" not in errors[1]


def enough(done, metrics):
    """Ends a run after two rounds, and may be called in the first process only."""
    assert jax.process_index() == 0
    return done == 2


def broken(done, metrics):
    assert jax.process_index() == 0
    raise ValueError("broken in the first process")


def assert_trained(folder, errors):
    alone = trained()
    for process in (0, 1):
        history = jb.History.load(folder / f"train-{process}.npz")
        assert history.rounds.tolist() == [0, 2, 4]
        for name, values in alone.columns.items():
            # The same sums in a different program; a few float32 roundings per round.
            np.testing.assert_allclose(history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
        np.testing.assert_allclose(history.parameters, alone.parameters, rtol=1e-5, atol=1e-6)
        checkpoint, foreign, failed, second = (
            (folder / f"refused-{process}.txt").read_text().splitlines()
        )
        assert checkpoint == (
            "checkpoint needs all workers in one process: devices must be those of one process, "
            "got devices of the processes [0, 1]"
        )
        assert foreign.startswith("devices must be a list of different jax devices")
        assert "got none of this process" in foreign
        assert (
            failed
            == (
                "broken in the first process",
                "on_evaluate raised an exception in the first process",
            )[process]
        )
        assert second == "on_evaluate must be given in the first process, which calls it"
        ended = jb.History.load(folder / f"ended-{process}.npz")
        assert ended.rounds.tolist() == [0, 2]
        assert ended.about["stopped_at"] == 2
        for name, values in ended.columns.items():
            assert values.tobytes() == np.ascontiguousarray(history[name][:, :2]).tobytes()
    assert "4/4" in errors[0]  # one bar
    assert "4/4" not in errors[1]


@pytest.mark.parametrize(
    "names",
    [
        SOME,
        pytest.param(tuple(set(placement.ALGORITHMS) - set(SOME)), marks=pytest.mark.long),
    ],
    ids=["some", "others"],
)
def test_two_processes_are_one_device(tmp_path, names):
    port = free_port()
    surroundings = {**os.environ, "JAX_PLATFORMS": "cpu"}
    running = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(i), str(port), str(tmp_path), *names],
            env=surroundings,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    errors = [process.communicate(timeout=900)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    if "train" in names:
        assert_trained(tmp_path, errors)
    if "compare" in names:
        assert_compared(tmp_path, errors)
    if "rules" in names:
        alone = divided.models_of_all_rules(None)
        for process in (0, 1):
            with np.load(tmp_path / f"rules-{process}.npz") as stored:
                for rule, expected, key in zip(divided.ALL, alone, stored.files, strict=True):
                    divided.assert_close(stored[key], expected, rule)
    for name in set(names) - {"train", "compare", "rules"}:
        (_, hello), (end, records) = placement.reference(name, "ALIE")
        with np.load(tmp_path / f"{name}.npz") as stored:
            theirs = [stored[key] for key in stored.files]
        placement.assert_same(theirs, jax.tree.leaves((hello, end.server, records)))
