"""`train`: shapes, seeds, bits, evaluation, devices, errors."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

import jaxbyz as jb

FAST = {"rounds": 12, "evaluate_every": 5, "progress": False}


@pytest.fixture(scope="module")
def problem():
    # Workers differ by less than what is to be learned: the optimum is near (3, …, 3).
    centres = 3 + 0.3 * np.random.default_rng(3).normal(size=(4, 6))
    return jb.problems.quadratics_from_arrays(
        np.broadcast_to(np.eye(6), (4, 6, 6)), centres, byzantine=1, noise=0.1
    )


def rosdhb(step=0.3, k=2):
    return jb.rosdhb(k=k, momentum=0.5, optimizer=optax.sgd(step), aggregator=jb.trimmed_mean(f=1))


def dasha():
    return jb.byz_dasha_page(
        compressor=jb.seeded_rand_k(k=2),
        probability=0.3,
        optimizer=optax.sgd(0.1),
        aggregator=jb.trimmed_mean(f=1),
    )


@pytest.mark.short
def test_columns_bits_and_progress_towards_the_optimum(problem):
    history = jb.train(rosdhb(), problem, attack=jb.sign_flip(), seeds=3, **FAST)
    assert history.rounds.tolist() == [0, 5, 10, 12]
    assert set(history.columns) == {
        "uplink_bits", "downlink_bits", "rejected_rows", "faulty_rows", "loss", "gradient_norm",
        "distance",
    }  # fmt: skip
    assert all(values.shape == (3, 4) for values in history.columns.values())
    # k = 2 numbers up; d = 6 numbers and a 64-bit seed down; float32.
    assert (history["uplink_bits"] == 2 * 32 * history.rounds).all()
    assert (history["downlink_bits"] == (6 * 32 + 64) * history.rounds).all()
    assert (history["rejected_rows"] == 0).all()
    assert (history["faulty_rows"] == 0).all()
    assert (history["loss"][:, -1] < history["loss"][:, 0]).all()
    assert history.parameters.shape == (3, 6)
    assert history.about["algorithm"] == "RoSDHB"
    assert history.about["attack"] == "sign flip"


@pytest.mark.short
def test_the_hello_is_charged_before_round_one(problem):
    history = jb.train(dasha(), problem, attack=jb.alie(z=1.0), **FAST)
    assert (history["uplink_bits"] == 32 * (6 + 2 * history.rounds)).all()
    assert (history["downlink_bits"] == (6 * 32 + 1) * (1 + history.rounds)).all()


def test_seeds_are_independent_runs(problem):
    together = jb.train(rosdhb(), problem, attack=jb.sign_flip(), seeds=[7, 2], **FAST)
    alone = jb.train(rosdhb(), problem, attack=jb.sign_flip(), seeds=[2], **FAST)
    assert together.seeds.tolist() == [7, 2]
    # One seed or two: the same sums in a different program; a few float32 roundings per round.
    np.testing.assert_allclose(together.parameters[1], alone.parameters[0], rtol=1e-5, atol=1e-6)
    assert np.abs(together.parameters[0] - together.parameters[1]).max() > 1e-3


@pytest.mark.parametrize(
    ("map_workers", "map_seeds"),
    [
        pytest.param(jax.vmap, jb.one_by_one, marks=pytest.mark.long),
        pytest.param(jb.one_by_one, jax.vmap, marks=pytest.mark.long),
        (jb.one_by_one, jb.one_by_one),
    ],
)
def test_how_things_are_mapped_does_not_matter(problem, map_workers, map_seeds):
    plain = jb.train(dasha(), problem, attack=jb.sign_flip(), seeds=2, **FAST)
    other = jb.train(
        dasha(), problem, attack=jb.sign_flip(), seeds=2,
        map_workers=map_workers, map_seeds=map_seeds, **FAST,
    )  # fmt: skip
    # The same sums in a different program; a few float32 roundings per round.
    np.testing.assert_allclose(plain.parameters, other.parameters, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("devices", [None, pytest.param(2, marks=pytest.mark.long)])
def test_seeds_in_batches_are_the_same_seeds(problem, devices):
    """In batches of two, the last one of one; with Top-k, which is held in place."""
    algorithm = jb.byz_ef21(
        compressor=jb.top_k(k=2), optimizer=optax.sgd(0.5), aggregator=jb.trimmed_mean(f=1)
    )
    others = {"attack": jb.sign_flip(), "seeds": 3, **FAST}
    others["devices"] = None if devices is None else jax.devices()[:devices]
    plain = jb.train(algorithm, problem, **others)
    beside = jb.train(algorithm, problem, map_seeds=jb.in_batches(2), **others)
    # The same sums in a different program; a few float32 roundings per round.
    np.testing.assert_allclose(plain.parameters, beside.parameters, rtol=1e-5, atol=1e-6)
    assert (plain["uplink_bits"] == beside["uplink_bits"]).all()


@pytest.mark.parametrize(
    "algorithm",
    [
        pytest.param(rosdhb(), id="rosdhb"),
        pytest.param(dasha(), id="dasha", marks=pytest.mark.long),
    ],
)
def test_four_devices_give_what_one_gives(problem, algorithm):
    one = jb.train(algorithm, problem, attack=jb.sign_flip(), seeds=2, **FAST)
    four = jb.train(
        algorithm, problem, attack=jb.sign_flip(), seeds=2, devices=jax.devices()[:4], **FAST
    )
    # The same sums in a different program; a few float32 roundings per round.
    np.testing.assert_allclose(one.parameters, four.parameters, rtol=1e-5, atol=1e-6)
    assert (one["uplink_bits"] == four["uplink_bits"]).all()


def test_rejected_rows_are_counted(problem):
    attack = jb.forged("not a number", lambda honest: honest[0] * np.nan)
    history = jb.train(rosdhb(), problem, attack=attack, **FAST)
    assert (history["rejected_rows"] == history.rounds).all()
    assert np.isfinite(history.parameters).all()


def test_a_diverging_run_stops_and_keeps_its_history(problem):
    # A step far outside stability: x overflows, and all honest gradients with it.
    with pytest.raises(jb.RunDiverged, match=r"round \d+ of seed 5: \d of 5 rows") as caught:
        jb.train(
            rosdhb(step=1e6), problem, attack=jb.sign_flip(), seeds=[5], rounds=60,
            evaluate_every=2, progress=False,
        )  # fmt: skip
    history = caught.value.history
    assert len(history.rounds) >= 2
    assert history["loss"].shape == (1, len(history.rounds))


def test_zero_rounds_evaluate_the_start(problem):
    history = jb.train(rosdhb(), problem, rounds=0, progress=False)
    assert history.rounds.tolist() == [0]


def test_chosen_evaluators(problem):
    history = jb.train(rosdhb(), problem, evaluate=["loss"], **FAST)
    assert "loss" in history.columns
    assert "distance" not in history.columns


def test_progress_bar_goes_to_stderr(problem, capsys):
    jb.train(rosdhb(), problem, rounds=4, evaluate_every=2, progress=True)
    printed = capsys.readouterr()
    lines = printed.err.split("\r")
    assert lines[1].startswith("compiling")  # what is waited for at first
    assert "4/4" in lines[-1]
    assert "compiling" not in lines[-1]
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rounds": -1}, "rounds must be"),
        ({"rounds": 2.5}, "rounds must be"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": [1, 1]}, "seeds must be distinct"),
        ({"seeds": [2**32]}, "seeds must be distinct"),
        ({"seeds": []}, "seeds must be distinct"),
        ({"evaluate_every": 0}, "evaluate_every must be"),
        ({"checkpoint_every": 7}, "checkpoint_every must be a multiple"),
        ({"evaluate": ["accuracy"]}, "evaluate must be a list of names among"),
        ({"evaluate": "loss"}, "evaluate must be a list of names among"),
    ],
)
def test_bad_arguments(problem, arguments, message):
    with pytest.raises(ValueError, match=message):
        jb.train(rosdhb(), problem, **{**FAST, **arguments})


def test_too_few_workers_for_the_rule(problem):
    algorithm = jb.rosdhb(
        k=2, momentum=0.5, optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=3)
    )
    with pytest.raises(ValueError, match="n > 2 trim rows, got n = 5"):
        jb.train(algorithm, problem, **FAST)
    with pytest.raises(ValueError, match="k must lie in"):
        jb.train(rosdhb(k=7), problem, **FAST)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda x: x.sum(), "'mine' must return a dictionary"),
        (
            lambda x: {"mine": x},
            r"must return single real numbers, got an array float32\[3\] for 'mine'",
        ),
        (lambda x: {"uplink_bits": x.sum()}, "columns of its own, got 'uplink_bits'"),
        (lambda x: {"loss": x.sum()}, "columns of its own, got 'loss'"),
    ],
)
def test_columns_of_evaluators_are_single_numbers_of_their_own(found, message):
    problem = jb.problems.quadratics(honest=2, byzantine=0, dimension=3)
    evaluators = {**problem.evaluators, "mine": lambda x, data, test: found(x)}
    problem = dataclasses.replace(problem, evaluators=evaluators)
    algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
    with pytest.raises(ValueError, match=message):
        jb.train(algorithm, problem, rounds=1, progress=False)


def test_the_order_of_evaluators_is_that_of_the_problem(tmp_path):
    problem = jb.problems.quadratics(honest=2, byzantine=0, dimension=3)
    algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())
    for names in (["loss", "distance"], ["distance", "loss"]):
        history = jb.train(
            algorithm, problem, rounds=2, evaluate_every=2, evaluate=names, checkpoint=tmp_path,
            progress=False,
        )  # fmt: skip
    assert history.about["resumed_at"] == 2
