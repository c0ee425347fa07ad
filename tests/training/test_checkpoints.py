"""A run killed with SIGKILL at any time and started again ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import killed_run
import optax
import pytest

import jaxbyz as jb

SCRIPT = Path(killed_run.__file__)


def start(folder, result):
    # What another process is just writing into the cache, or never finished, is compiled again.
    ours = "ignore:Error reading persistent compilation cache"
    command = [sys.executable, "-W", "error", "-W", ours, str(SCRIPT), str(folder), str(result)]
    return subprocess.Popen(command)


def finished(folder):
    """Numbers of complete checkpoints, as anybody sees them on disk."""
    return sorted(int(path.name) for path in folder.glob("*") if path.name.isdigit())


def test_kill_and_resume(tmp_path):
    folder, result = tmp_path / "checkpoints", tmp_path / "resumed.npz"
    uninterrupted = killed_run.run(None)  # in this process, which has imported everything

    saved = 0
    # Kill three times: as soon as a new checkpoint is there, and a little later, when the next
    # one is being computed or written.
    for wait in (0.0, 0.02, 0.13):
        process = start(folder, result)
        deadline = time.monotonic() + 120
        while not any(done > saved for done in finished(folder)):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        saved = max(finished(folder))
        assert saved < 400
    assert start(folder, result).wait() == 0

    resumed = jb.History.load(result)
    # Nothing before the last checkpoint was computed again.
    assert resumed.about["resumed_at"] == saved
    assert uninterrupted.about["resumed_at"] == 0
    assert resumed.rounds.tolist() == uninterrupted.rounds.tolist()
    for name, values in uninterrupted.columns.items():
        assert values.tobytes() == resumed[name].tobytes(), name
    assert resumed.parameters.tobytes() == uninterrupted.parameters.tobytes()


def run(folder, **changes):
    settings = {"step": 0.1, "seed": 0, "seeds": 2, "rounds": 6, **changes}
    problem = jb.problems.quadratics(honest=3, dimension=4, seed=settings["seed"])
    algorithm = jb.robust_sgd(optimizer=optax.sgd(settings["step"]), aggregator=jb.mean())
    return jb.train(
        algorithm, problem, rounds=settings["rounds"], seeds=settings["seeds"], evaluate_every=3,
        checkpoint=folder, progress=False,
    )  # fmt: skip


def test_longer_runs_continue_and_other_runs_are_refused(tmp_path):
    short = run(tmp_path)
    longer = run(tmp_path, rounds=12)
    assert longer.about["resumed_at"] == 6
    assert longer.rounds.tolist() == [0, 3, 6, 9, 12]
    assert (longer["loss"][:, :3] == short["loss"]).all()
    for change in ({"step": 0.2}, {"seed": 1}, {"seeds": [0, 5]}):
        with pytest.raises(ValueError, match="belongs to another computation"):
            run(tmp_path, rounds=12, **change)


def test_folder_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises((OSError, ValueError)):
        run(blocked / "sub")


assert os.name == "posix", "SIGKILL is what this file is about"
