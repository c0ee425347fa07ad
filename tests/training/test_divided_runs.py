"""`train` and `compare` on several devices: any number of workers and coordinates, any layout."""

import jax
import numpy as np
import optax
import pytest

import jaxbyz as jb

RULE = jb.trimmed_mean(f=2)
RUN = {"seeds": 2, "evaluate_every": 2, "progress": False}
LAYOUTS = [None, 3, 8]


def problem():
    return jb.problems.quadratics(honest=5, byzantine=2, dimension=7, noise=0.5)


def algorithm(step=0.1):
    return jb.byz_dasha_page(
        compressor=jb.seeded_rand_k(k=3), probability=0.5, optimizer=optax.adam(step),
        aggregator=RULE,
    )  # fmt: skip


def devices(count):
    return None if count is None else jax.devices()[:count]


def assert_same(ours, theirs):
    for name, values in theirs.columns.items():
        # The same sums in another program; some float32 roundings a round.
        np.testing.assert_allclose(ours[name], values, rtol=2e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=2e-5, atol=1e-5)


def workers_and_bits(before, after, info, data):
    """What a `watch` sees: as many workers as compute, and all their data."""
    assert {leaf.shape[0] for leaf in jax.tree.leaves((before.workers, after.workers, data))} == {5}
    return {"watched": sum(leaf.sum() for leaf in jax.tree.leaves((after.workers, data)))}


def trained(rounds, count, **how):
    return jb.train(
        algorithm(), problem(), attack=jb.alie(z=1.0), rounds=rounds, devices=devices(count), **RUN,
        **how,
    )  # fmt: skip


def test_a_checkpoint_of_any_layout_goes_on_in_any_other(tmp_path):
    whole = trained(6, None, watch=workers_and_bits)
    for turn, count in enumerate(LAYOUTS):
        found = trained(2 * turn + 2, count, watch=workers_and_bits, checkpoint=tmp_path)
        assert found.about["resumed_at"] == 2 * turn
    assert_same(found, whole)


def test_a_comparison_is_the_same_on_devices_and_its_runs_are_kept_for_any(tmp_path, recwarn):
    def compared(count, **how):
        return jb.compare(
            {"DASHA": algorithm}, problem(), attacks=[jb.ipm(), jb.no_attack()], steps=[0.01, 0.1],
            rounds=4, seeds=1, tuning_seeds=1, progress=False, time_server=False,
            devices=devices(count), **how,
        )  # fmt: skip

    alone = compared(None)
    divided = compared(3, folder=tmp_path)
    for key, curves in alone.cells.items():
        for name, values in curves.columns.items():
            np.testing.assert_allclose(
                divided.cells[key].columns[name], values, rtol=2e-5, atol=1e-5, err_msg=name
            )
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    again = compared(None, folder=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")} == files
    for key, curves in divided.cells.items():
        for name, values in curves.columns.items():
            assert values.tobytes() == again.cells[key].columns[name].tobytes()
    assert not recwarn.list


def test_what_devices_of_a_comparison_may_be():
    with pytest.raises(ValueError, match="devices must be a list of different jax devices"):
        jb.compare(
            {"DASHA": algorithm}, problem(), attacks=[jb.ipm()], steps=[0.1], rounds=1, devices=2
        )


def test_a_server_with_data_of_its_own():
    """The root gradient of FLTrust is computed by the server, which is divided."""
    images = jb.problems.classification("digits", honest=4, byzantine=1)
    root = jb.problems.classification("digits", honest=1)
    method = jb.fltrust(optimizer=optax.sgd(0.1), root=jb.problems.gradient_of(root))
    run = {"rounds": 2, "evaluate": ["train"], "progress": False}
    alone = jb.train(method, images, attack=jb.sign_flip(), **run)
    assert_same(
        jb.train(method, images, attack=jb.sign_flip(), devices=jax.devices()[:3], **run), alone
    )
