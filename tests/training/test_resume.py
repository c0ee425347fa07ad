"""Which runs continue which, and who may write where."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.storage import locks
from jaxbyz.storage.fingerprints import fingerprint

PROBLEM = jb.problems.quadratics(honest=3, byzantine=1, dimension=4, noise=0.2)


def algorithm(step=0.1, rule=None):
    rule = jb.trimmed_mean(f=1) if rule is None else rule
    return jb.robust_sgd(optimizer=optax.adam(step), aggregator=rule, momentum=0.5)


def run(folder, given=None, **changes):
    settings = {"rounds": 12, "evaluate_every": 3, "attack": jb.sign_flip(), "seeds": 2} | changes
    return jb.train(
        algorithm() if given is None else given, PROBLEM, checkpoint=folder, progress=False,
        **settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    return folder, run(folder)


@pytest.fixture(scope="module")
def whole():
    return run(None, rounds=20, evaluate_every=1)


def assert_same(history, whole):
    """Bit for bit, at the rounds at which both were looked at."""
    assert history.parameters.tobytes() == whole.parameters.tobytes()
    for name, values in history.columns.items():
        assert values.tobytes() == np.ascontiguousarray(whole[name][:, history.rounds]).tobytes()


def test_another_evaluate_every_is_the_same_run(kept, whole, tmp_path):
    run(tmp_path, rounds=12)
    longer = run(tmp_path, rounds=20, evaluate_every=5, checkpoint_every=10)
    assert longer.about["resumed_at"] == 12
    assert longer.rounds.tolist() == [0, 3, 6, 9, 12, 15, 20]
    assert_same(longer, whole)


def test_another_number_of_devices_is_the_same_run(tmp_path):
    """Of states to a few roundings (test_train), so here only that none is refused."""
    attack = jb.sign_flip()  # forges: three workers compute
    run(tmp_path, rounds=3, attack=attack)
    three = run(tmp_path, rounds=6, attack=attack, devices=jax.devices()[:3])
    assert three.about["resumed_at"] == 3
    again = run(tmp_path, rounds=6, attack=attack)
    assert again.about["resumed_at"] == 6
    assert again.parameters.tobytes() == three.parameters.tobytes()


def test_fewer_rounds_than_are_there(kept):
    folder, history = kept
    assert run(folder).parameters.tobytes() == history.parameters.tobytes()
    with pytest.raises(ValueError, match=r"rounds must be >= 12, which checkpoint .* got 5"):
        run(folder, rounds=5)


def test_other_columns_are_refused_by_name(kept):
    folder, _ = kept
    with pytest.raises(
        ValueError, match=r"holds the columns .*'distance'.* ask for \['loss'\]: ask for the same"
    ):
        run(folder, evaluate=["loss"])

    def watch(before, after, info, data):
        return {"seen": after.round.astype(float)}

    with pytest.raises(ValueError, match=r"ask for .*'seen'\]: ask for the same"):
        run(folder, watch=watch)


def test_columns_measured_in_another_way_are_refused(tmp_path):
    run(tmp_path, rounds=3, watch=lambda before, after, info, data: {"seen": after.server.x[0]})
    with pytest.raises(ValueError, match=r"'seen'.* measured in another way"):
        run(tmp_path, rounds=6, watch=lambda before, after, info, data: {"seen": after.server.x[1]})


@pytest.mark.parametrize(
    "change",
    [
        {"given": algorithm(step=0.1 + 1e-7)},
        {"given": algorithm(rule=jb.mean())},
        {"attack": jb.ipm()},
        {"seeds": [1, 0]},
    ],
    ids=["step", "rule", "attack", "seeds"],
)
def test_another_computation_is_refused(kept, change):
    folder, _ = kept
    with pytest.raises(ValueError, match="belongs to another computation"):
        run(folder, **change)


def test_arrays_inside_programs_count():
    """Of more than a thousand entries a text shows six, of every number eight digits."""
    weights = np.ones(2000, np.float32)
    others = weights.copy()
    others[1000] = np.nextafter(np.float32(1), np.float32(2))

    def program(array):
        inner = jax.jit(lambda x: x @ array)
        return jax.make_jaxpr(lambda x: jax.lax.cond(x[0] > 0, inner, lambda y: y[0], x))(weights)

    assert fingerprint(program(weights)) == fingerprint(program(weights.copy()))
    assert fingerprint(program(weights)) != fingerprint(program(others))
    assert fingerprint(program(weights)) != fingerprint(program(jnp.asarray(others)))


def test_what_a_program_does_not_use_and_what_was_traced_before_do_not_count():
    """JAX keeps constants that are not used, or not, depending on what it has traced before."""

    def program(*constants, one_object=True):
        inner = jax.jit(lambda y: y * 2)
        other = inner if one_object else jax.jit(lambda y: y * 2)
        traced = jax.make_jaxpr(lambda x: inner(x) + other(x))(1.0)
        return jax.extend.core.ClosedJaxpr(
            traced.jaxpr.replace(constvars=[v for v, _ in constants]), [c for _, c in constants]
        )

    spare = jax.make_jaxpr(lambda x: x)(np.ones(3, np.float32)).jaxpr.invars[0]
    unused = (spare, np.ones(3, np.float32))
    assert fingerprint(program()) == fingerprint(program(unused))
    assert fingerprint(program()) == fingerprint(program(one_object=False))


def test_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    history = run("~/a/run", rounds=0)
    history.save("~/b/run.npz")
    assert jb.History.load("~/b/run.npz").seeds.tolist() == [0, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    for wrong in ("", 3, "~nobody-of-this-name/x"):
        with pytest.raises(ValueError, match="checkpoint"):
            run(wrong, rounds=0)
        with pytest.raises(ValueError, match="path"):
            history.save(wrong)


def test_a_process_that_would_write_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    with pytest.raises(ValueError, match=r"checkpoint needs process 0 .* got process 1"):
        run(tmp_path, rounds=0)


HOLDER = """
import sys, time
from pathlib import Path
from jaxbyz.storage.locks import Lock
lock = Lock(Path(sys.argv[1]))
print("mine", flush=True)
time.sleep(600)
"""


def test_two_processes(tmp_path):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout.readline() == "mine\n"
            message = rf"is in use by process {process.pid} on {os.uname().nodename} since 20\d\d-"
            with pytest.raises(ValueError, match=message):
                run(tmp_path, rounds=0)
        finally:
            process.send_signal(signal.SIGKILL)
    # Nothing to clean up, and twice in one process.
    assert run(tmp_path, rounds=0).about["resumed_at"] == 0
    assert run(tmp_path, rounds=0).rounds.tolist() == [0]


def test_a_holder_who_has_not_said_its_name(tmp_path):
    lock = locks.Lock(tmp_path)
    (tmp_path / locks.NAME).write_text(json.dumps({"pid": 1})[:-3])
    with pytest.raises(ValueError, match=r"in use by another process: wait for it"):
        locks.Lock(tmp_path)
    lock.release()


def test_a_file_system_without_locks_says_so(tmp_path, monkeypatch):
    import fcntl

    def flock(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.warns(UserWarning, match=r"cannot be locked \(Function not implemented\)"):
        locks.Lock(tmp_path).release()


def test_an_interrupted_run_carries_its_history(monkeypatch):
    whole = run(None, rounds=6)
    with pytest.raises(KeyboardInterrupt) as caught:
        run(None, rounds=12, watch=None, **interrupted(monkeypatch, after=2))
    history = caught.value.history
    assert history.rounds.tolist() == [0, 3, 6]
    assert history.parameters.tobytes() == whole.parameters.tobytes()
    for name, values in whole.columns.items():
        assert values.tobytes() == history[name].tobytes()


def interrupted(monkeypatch, after, error=KeyboardInterrupt):
    """Raise in the middle of the evaluation that follows so many others of a loop."""
    from jaxbyz.metrics import RunMetrics

    note, seen = RunMetrics.note, []

    def noting(self, done, measured):
        seen.append(done)
        if len(seen) == after + 2:  # and one of the start
            half = {**measured, "loss": Raising(error)}
            note(self, done, half)
        note(self, done, measured)

    monkeypatch.setattr(RunMetrics, "note", noting)
    return {}


class Raising:
    def __init__(self, error):
        self.error = error

    def __array__(self, *_, **__):
        raise self.error


@pytest.mark.parametrize("error", [MemoryError, SystemExit])
def test_so_does_whatever_else_ends_a_run(monkeypatch, error):
    with pytest.raises(error) as caught:
        run(None, **interrupted(monkeypatch, after=1, error=error))
    assert caught.value.history.rounds.tolist() == [0, 3]
    assert caught.value.history["loss"].shape == (2, 2)


CTRL_C = """
import optax, jaxbyz as jb
from jaxbyz.metrics import RunMetrics
note = RunMetrics.note
def noting(self, done, measured):
    note(self, done, measured)
    if done == 4:
        print("begun", flush=True)
RunMetrics.note = noting
problem = jb.problems.quadratics(honest=3, dimension=4)
algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
try:
    jb.train(algorithm, problem, rounds=10**6, evaluate_every=2, progress=False)
except KeyboardInterrupt as error:
    history = error.history
    shapes = {values.shape for values in history.columns.values()}
    print(len(history.rounds), shapes == {(1, len(history.rounds))}, flush=True)
"""


def test_ctrl_c():
    """The real one, at any time."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", CTRL_C]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            time.sleep(0.2)
            # Python drops an interrupt that comes while it collects garbage, a tenth of the time
            # here: one presses the keys again.
            for _ in range(10):
                process.send_signal(signal.SIGINT)
                if select.select([process.stdout], [], [], 5)[0]:
                    break
            evaluations, whole = process.stdout.readline().split()
        finally:
            process.kill()
    assert int(evaluations) >= 3
    assert whole == "True"
