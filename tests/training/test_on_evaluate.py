"""`train(on_evaluate=...)`: what is called when, how a run ends, and what is ready-made."""

import csv

import jax
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz import callbacks

PROBLEM = jb.problems.quadratics(honest=3, byzantine=1, dimension=4, noise=0.2)
SGD = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=1), momentum=0.5)


def run(on_evaluate=None, **changes):
    settings = {"rounds": 12, "evaluate_every": 3, "seeds": [7, 2], "progress": False} | changes
    return jb.train(SGD, PROBLEM, attack=jb.sign_flip(), on_evaluate=on_evaluate, **settings)


@pytest.fixture(scope="module")
def whole():
    return run()


class Seen:
    """Keeps what it is called with; ends the run at a round, by an answer or an exception."""

    def __init__(self, end=None, error=None):
        self.end, self.error = end, error
        self.calls, self.began = [], []

    def begin(self, history):
        self.began.append(history.rounds.tolist())

    def __call__(self, done, metrics):
        self.calls.append((done, metrics))
        if done == self.end and self.error is not None:
            raise self.error
        return done == self.end

    @property
    def rounds(self):
        return [done for done, _ in self.calls]


def assert_begins(history, whole):
    """The same evaluations, bit for bit, as far as they go."""
    count = len(history.rounds)
    assert history.rounds.tolist() == whole.rounds[:count].tolist()
    for name, values in whole.columns.items():
        assert history[name].tobytes() == np.ascontiguousarray(values[:, :count]).tobytes()


@pytest.mark.short
def test_it_sees_every_evaluation_and_changes_nothing(whole):
    seen = Seen()
    history = run(seen)
    assert seen.rounds == [0, 3, 6, 9, 12]
    assert seen.began == [[]]
    for i, (_, metrics) in enumerate(seen.calls):
        assert list(metrics) == list(history.columns)
        for name, values in metrics.items():
            assert type(values) is np.ndarray
            assert values.tolist() == history[name][:, i].tolist()
    assert history.parameters.tobytes() == whole.parameters.tobytes()
    assert_begins(history, whole)
    assert history.about["stopped_at"] is history.about["stop_reason"] is None
    assert whole.about["stopped_at"] is None


def test_what_it_does_to_the_metrics_stays_with_it(whole):
    def spoil(done, metrics):
        for values in metrics.values():
            values[...] = 0
        metrics.clear()

    assert_begins(run(spoil), whole)


@pytest.mark.parametrize("end", [0, 6, 12])
def test_true_ends_the_run(whole, end):
    history = run(Seen(end))
    assert history.rounds[-1] == end
    assert_begins(history, whole)
    assert (history.about["stopped_at"], history.about["stop_reason"]) == (end, None)
    assert f"stopped at round {end}" in repr(history)
    if end == 12:
        assert history.parameters.tobytes() == whole.parameters.tobytes()


@pytest.mark.parametrize(
    "answer", [True, np.True_, np.array(True), jax.numpy.array(True)], ids=lambda it: str(type(it))
)
def test_truths(answer):
    assert run(lambda done, metrics: answer, rounds=3).rounds.tolist() == [0]


def test_stop_training_has_a_reason(whole, tmp_path):
    history = run(Seen(3, jb.StopTraining("enough")))
    assert_begins(history, whole)
    assert (history.about["stopped_at"], history.about["stop_reason"]) == (3, "enough")
    again = jb.History.load(history.save(tmp_path / "it.npz"))
    assert again.about["stop_reason"] == "enough"
    assert run(Seen(3, jb.StopTraining())).about["stop_reason"] is None


def test_other_exceptions_carry_the_history(whole):
    for error in (ZeroDivisionError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught:
            run(Seen(6, error))
        assert caught.value.history.rounds.tolist() == [0, 3, 6]
        assert_begins(caught.value.history, whole)
        assert caught.value.history.about["stopped_at"] is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (1, "the number 1"),
        ("stop", "the text 'stop'"),
        (np.array([True, False]), r"an array bool\[2\]"),
        (0.0, "the number 0.0"),
    ],
)
def test_answers_that_mean_nothing(answer, said):
    with pytest.raises(
        ValueError, match=f"on_evaluate must return True, False or None, got {said}"
    ):
        run(lambda done, metrics: answer)


def test_it_is_judged_before_anything_runs(monkeypatch):
    monkeypatch.setattr(jb.training, "compiled", None)
    for wrong, said in (
        (3, "on_evaluate must be a function, got the number 3"),
        (lambda metrics: None, r"on_evaluate must be a function of \(round, metrics\), got"),
        ([print], "on_evaluate must be a function, got a list of 1"),
    ):
        with pytest.raises(ValueError, match=said):
            run(wrong)


def test_it_may_be_shared_by_devices():
    seen = Seen(6)
    history = run(seen, devices=jax.devices()[:3])
    assert history.rounds.tolist() == seen.rounds == [0, 3, 6]


class Killed(BaseException):
    """What ends a process."""


def test_a_run_that_continues_calls_it_for_new_evaluations(whole, tmp_path):
    first = Seen(9, Killed())
    with pytest.raises(Killed):
        run(first, checkpoint=tmp_path, checkpoint_every=6)
    again = Seen()
    history = run(again, checkpoint=tmp_path, checkpoint_every=6)
    assert history.about["resumed_at"] == 6
    assert again.began == [[0, 3, 6]]
    assert again.rounds == [9, 12]
    assert_begins(history, whole)
    nothing = Seen()
    run(nothing, checkpoint=tmp_path, checkpoint_every=6)
    assert (nothing.began, nothing.rounds) == ([[0, 3, 6, 9, 12]], [])


def test_a_run_that_was_ended_continues_from_there(whole, tmp_path):
    history = run(Seen(3), checkpoint=tmp_path, checkpoint_every=6)
    assert history.rounds.tolist() == [0, 3]  # and 3 is no multiple of 6
    again = run(Seen(9), checkpoint=tmp_path, checkpoint_every=6)
    assert (again.about["resumed_at"], again.about["stopped_at"]) == (3, 9)
    assert_begins(again, whole)
    end = run(checkpoint=tmp_path)
    assert end.about["stopped_at"] is None
    assert end.parameters.tobytes() == whole.parameters.tobytes()


def lines(path):
    with path.open(newline="") as file:
        return [{name: float(cell) for name, cell in line.items()} for line in csv.DictReader(file)]


def assert_written(path, history):
    names = list(history.columns)
    expected = [
        {"seed": seed, "round": done} | {name: history[name][i, e] for name in names}
        for e, done in enumerate(history.rounds)
        for i, seed in enumerate(history.seeds)
    ]
    assert lines(path) == expected


@pytest.mark.parametrize("seeds", [1, [7, 2]])
def test_a_csv_file_has_every_number(tmp_path, seeds):
    path = tmp_path / "deep" / "it.csv"
    write = callbacks.csv_file(path)
    assert_written(path, run(write, seeds=seeds))
    # A new run with the same writer, of another length, replaces it.
    assert_written(path, run(write, seeds=seeds, rounds=3))


def test_a_csv_file_of_a_run_that_was_killed(whole, tmp_path):
    path, folder = tmp_path / "it.csv", tmp_path / "checkpoints"

    class Kill(Seen):
        pass

    both = callbacks.in_turn(callbacks.csv_file(path), Kill(9, Killed()))
    with pytest.raises(Killed):
        run(both, checkpoint=folder, checkpoint_every=6)
    assert [line["round"] for line in lines(path)][-1] == 9  # which the checkpoint does not have
    path.write_bytes(path.read_bytes()[:-7])  # killed while it was writing
    run(callbacks.csv_file(path), checkpoint=folder, checkpoint_every=6)
    assert_written(path, whole)


def test_numbers_in_a_csv_file_are_exact(tmp_path):
    write = callbacks.csv_file(tmp_path / "it.csv")
    metrics = {
        "a, b": np.array([0.1, np.nan], np.float32),
        "half": np.asarray(jax.numpy.array([0.1, -jax.numpy.inf], "bfloat16")),
        "bits": np.array([2.0**53 - 1, 5e-324]),
    }
    write(0, metrics)  # in somebody's own loop, without seeds
    first, second = lines(tmp_path / "it.csv")
    assert first["a, b"] == float(np.float32(0.1))
    assert (first["seed"], second["seed"]) == (0, 1)
    assert (first["half"], second["half"]) == (float(metrics["half"][0]), -np.inf)
    assert (first["bits"], second["bits"]) == (2**53 - 1, 5e-324)
    assert np.isnan(second["a, b"])


def test_where_no_csv_file_can_be(tmp_path):
    with pytest.raises(ValueError, match=f"path must be that of a file, got {tmp_path}, which is"):
        callbacks.csv_file(tmp_path)
    with pytest.raises(ValueError, match="path must be a path"):
        callbacks.csv_file(3)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"it.csv cannot be written: .*file is not a folder"):
        run(callbacks.csv_file(tmp_path / "file" / "it.csv"))


class Board:
    """Has the methods of a SummaryWriter and of a run of wandb."""

    def __init__(self):
        self.scalars, self.logs = [], []

    def add_scalar(self, tag, scalar_value, global_step=None):
        self.scalars.append((tag, scalar_value, global_step))

    def log(self, data, step=None):
        self.logs.append((data, step))


def test_loggers(whole):
    board = Board()
    both = callbacks.in_turn(callbacks.tensorboard(board), callbacks.weights_and_biases(board))
    history = run(both)
    assert [step for _, step in board.logs] == history.rounds.tolist()
    last, _ = board.logs[-1]
    assert set(last) == {
        f"{name}{end}" for name in history.columns for end in ("", "/seed 7", "/seed 2")
    }
    assert last["loss"] == history.final("loss")
    assert last["loss/seed 2"] == history["loss"][1, -1]
    assert all(type(value) is float for value in last.values())
    said = {(name, step): value for name, value, step in board.scalars}
    for data, step in board.logs:
        assert all(said[name, step] == value for name, value in data.items())
    assert len(said) == len(board.scalars)
    alone = Board()
    run(callbacks.weights_and_biases(alone), seeds=1, rounds=0)
    assert list(alone.logs[0][0]) == list(history.columns)


def test_loggers_of_numbers_without_a_mean():
    board = Board()
    callbacks.tensorboard(board)(0, {"loss": np.array([np.inf, -np.inf])})
    assert np.isnan(board.scalars[0][1])
    assert board.scalars[1:] == [("loss/seed 0", np.inf, 0), ("loss/seed 1", -np.inf, 0)]


def test_loggers_must_be_such():
    with pytest.raises(
        ValueError, match=r"writer must have a method add_scalar, as torch.* got No"
    ):
        callbacks.tensorboard(None)
    with pytest.raises(
        ValueError, match=r"run must have a method log, as wandb.init\(\) has, got "
    ):
        callbacks.weights_and_biases("project")


def ended(values, **how):
    """At which evaluation early stopping ends a run of these values, [E] or [E][S]."""
    stop = callbacks.early_stopping("loss", **how)
    for i, value in enumerate(values):
        try:
            assert stop(i, {"loss": np.atleast_1d(value)}) is None
        except jb.StopTraining:
            return i
    return None


NAN = np.nan


@pytest.mark.parametrize(
    ("values", "how", "end"),
    [
        ([3, 2, 1, 0], {"patience": 1}, None),
        ([3, 3], {"patience": 1}, 1),
        ([3, 2, 2, 1, 1, 1], {"patience": 2}, 5),
        ([3, 4, 5], {"patience": 2}, 2),
        ([3, 4, 5, 5, 5], {"patience": 2, "largest": True}, 4),
        ([3, 2.9, 2.8, 2.7], {"patience": 2, "least": 0.5}, 2),
        ([3, 2.9, 2.4, 2.3], {"patience": 2, "least": 0.5}, None),
        ([3, NAN, NAN], {"patience": 2}, 2),
        ([NAN, NAN, 1, 2], {"patience": 3}, None),
        ([np.inf, np.inf], {"patience": 2}, 1),
        # One seed that improves keeps the others running; one that diverged does not.
        ([[3, 3], [2, 3], [2, 2], [2, 1]], {"patience": 1}, None),
        ([[3, NAN], [2, NAN], [2, NAN]], {"patience": 1}, 2),
    ],
)
def test_when_early_stopping_ends(values, how, end):
    assert ended(values, **how) == end


def test_early_stopping_of_a_run_and_of_one_that_continues(tmp_path):
    """A large step: the loss goes up from the start."""
    large = jb.robust_sgd(optimizer=optax.sgd(1.9), aggregator=jb.trimmed_mean(f=1))

    def train(on_evaluate, **changes):
        settings = {"rounds": 40, "evaluate_every": 2, "seeds": 2, "progress": False} | changes
        return jb.train(large, PROBLEM, on_evaluate=on_evaluate, **settings)

    stop = callbacks.early_stopping("loss", patience=4)
    history = train(stop)
    end = history.about["stopped_at"]
    assert 8 <= end < 40
    assert history.about["stop_reason"] == "loss has not improved for 4 evaluations"
    assert train(stop).about["stopped_at"] == end  # it begins anew
    killed = callbacks.in_turn(callbacks.early_stopping("loss", 4), Seen(end - 2, Killed()))
    with pytest.raises(Killed):
        train(killed, checkpoint=tmp_path)
    again = train(callbacks.early_stopping("loss", 4), checkpoint=tmp_path)
    assert (again.about["resumed_at"], again.about["stopped_at"]) == (end - 4, end)
    assert again.parameters.tobytes() == history.parameters.tobytes()
    same = train(callbacks.early_stopping("loss", 4), checkpoint=tmp_path)
    assert (same.about["resumed_at"], same.about["stopped_at"]) == (end, end)
    assert same.about["stop_reason"] == history.about["stop_reason"]
    assert same.rounds.tolist() == history.rounds.tolist()


def test_early_stopping_judges_its_arguments():
    for wrong, said in (
        ({"column": 3}, "column must be a name, got the number 3"),
        ({"patience": 0}, "patience must be an integer >= 1, got 0"),
        ({"largest": 1}, "largest must be True or False, got the number 1"),
        ({"least": -1}, r"least must lie in \[0, inf\), got -1"),
        ({"least": NAN}, r"least must lie in \[0, inf\), got nan"),
    ):
        with pytest.raises(ValueError, match=said):
            callbacks.early_stopping(**{"column": "loss", "patience": 1} | wrong)
    with pytest.raises(
        ValueError, match=r"column must be one of \[.*'loss'.*\], got the text 'los"
    ):
        run(callbacks.early_stopping("los", patience=1))


def test_several_in_turn(whole):
    first, second, third = Seen(3), Seen(3, jb.StopTraining("because")), Seen()
    history = run(callbacks.in_turn(first, second, third))
    assert first.rounds == second.rounds == third.rounds == [0, 3]
    assert third.began == [[]]
    assert history.about["stop_reason"] == "because"
    assert run(callbacks.in_turn()).about["stopped_at"] is None
    with pytest.raises(ValueError, match=r"callbacks\[1\] must be a function, got the number 3"):
        callbacks.in_turn(first, 3)
    with pytest.raises(ValueError, match="on_evaluate must return True, False or None, got the n"):
        run(callbacks.in_turn(lambda done, metrics: 3))
