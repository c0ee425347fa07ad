"""What is watched along a run is the last round before an evaluation, and changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb

pytestmark = pytest.mark.usefixtures("x64")
PROBLEM = jb.problems.quadratics(honest=3, byzantine=1, dimension=4, seed=2)
ALGORITHM = jb.rosdhb(k=2, momentum=0.5, optimizer=optax.sgd(0.3), aggregator=jb.trimmed_mean(f=1))


def run(watch, **options):
    return jb.train(
        ALGORITHM, PROBLEM, attack=jb.ipm(), rounds=7, seeds=2, evaluate_every=3, progress=False,
        watch=watch, **options,
    )  # fmt: skip


def watch(before, after, info, data):
    step = after.server.x - before.server.x
    return {
        "round_seen": after.round.astype(float),
        "step_error": jnp.abs(step + 0.3 * info.server.aggregate).max(),
        "sum_of_data": data.vector.sum(),
    }


def test_the_last_round_is_seen_and_the_run_is_the_same():
    watched, plain = run(watch), run(None)
    assert np.isnan(watched["round_seen"][:, 0]).all()
    assert watched["round_seen"][:, 1:].tolist() == [[3, 6, 7]] * 2
    # A step is γ times what the rule returned, up to rounding.
    assert np.nanmax(watched["step_error"]) < 1e-14
    assert watched["sum_of_data"][0, 1] == pytest.approx(float(PROBLEM.data.vector.sum()))
    for name in plain.columns:
        # Another program: some roundings.
        np.testing.assert_allclose(watched[name], plain[name], rtol=1e-11, atol=1e-13)


def test_a_watched_run_resumes(tmp_path):
    whole = run(watch)
    run(watch, checkpoint=tmp_path)
    again = run(watch, checkpoint=tmp_path)
    assert again.about["resumed_at"] == 7
    np.testing.assert_array_equal(again["round_seen"], whole["round_seen"])


def test_what_is_watched_is_judged_before_anything_runs(tmp_path, monkeypatch):
    run(watch, checkpoint=tmp_path)
    monkeypatch.setattr(jb.training, "UnfinishedRun", None)  # nothing is computed before it is made
    for wrong, message in (
        (lambda *_: {"rounds": 1.0}, "watch must name columns of its own, got 'rounds'"),
        (lambda *_: {"loss": 1.0}, "watch must name columns of its own, got 'loss'"),
        (lambda *_: {"mine": None}, "watch must return single real numbers, got None"),
        (lambda _, after, *__: {"mine": float(after.server.x[0])}, "watch is compiled, so"),
    ):
        for folder in (None, tmp_path):  # a run that is resumed, too
            with pytest.raises(ValueError, match=message):
                run(wrong, checkpoint=folder)
    with pytest.raises(TypeError, match="NoneType"):
        run(watch)


def test_what_may_be_watched():
    def allowed(before, after, info, data):
        return {"python": 3, "truth": info.faulty.any(), "numpy": np.float64(0.5),
                "array": np.array(2), "traced": after.round}  # fmt: skip

    seen = run(allowed)
    assert seen["python"][:, 1:].tolist() == [[3] * 3] * 2
    assert seen["truth"][:, 1:].tolist() == [[0] * 3] * 2
    assert seen["traced"][:, 1:].tolist() == [[3, 6, 7]] * 2
    only = run(lambda *_: {"distance": 1.0}, evaluate=["loss"])  # nobody else's column here
    assert only["distance"][:, 1:].tolist() == [[1] * 3] * 2


def test_workers_on_several_devices_can_be_watched():
    alone, several = run(watch), run(watch, devices=jax.devices()[:3])
    for name, values in alone.columns.items():
        # The same sums in another program.
        np.testing.assert_allclose(several[name], values, rtol=2e-5, atol=1e-5, err_msg=name)
