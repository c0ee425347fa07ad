"""The race of algorithms: it runs what `train` runs, chooses by its rule, and keeps results."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.comparison import Comparison, Curves, compare, compare_aggregators, programs, races

pytestmark = pytest.mark.usefixtures("x64")

RULE = jb.trimmed_mean(f=1)
METHODS = {
    "D-SGD": lambda step: jb.robust_sgd(optimizer=optax.sgd(step), aggregator=RULE),
    "RoSDHB": lambda step: jb.rosdhb(k=2, momentum=0.5, optimizer=optax.sgd(step), aggregator=RULE),
}


def problem():
    return jb.problems.quadratics(honest=4, byzantine=1, dimension=4, seed=1)


def race(folder=None, **changes):
    arguments = {"attacks": [jb.sign_flip(), jb.ipm()], "steps": [0.05, 0.2, 1e30], "rounds": 20}
    arguments |= {"measure": "loss", "seeds": 2, "tuning_seeds": 1, "folder": folder}
    methods = changes.pop("methods", METHODS)
    return compare(methods, problem(), **(arguments | changes))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("race")
    with jax.enable_x64(True):
        budgets = {"round": 20, "uplink_bits": 1300.0}
        return race(folder, budgets=budgets), folder


def test_curves_are_those_of_train(finished):
    result, _ = finished
    history = jb.train(
        METHODS["RoSDHB"](0.2), problem(), attack=jb.ipm(), rounds=20, seeds=3, progress=False
    )
    cell = result.cells["RoSDHB", "IPM"]
    assert np.array_equal(cell.rounds, history.rounds)
    for name, values in history.columns.items():
        # Another program: some roundings in 20 rounds.
        np.testing.assert_allclose(cell.columns[name][1], values, rtol=1e-10, atol=1e-12)


def test_a_comparison_as_a_frame_and_as_a_picture(finished):
    pytest.importorskip("pandas")
    pytest.importorskip("matplotlib").use("Agg")
    import matplotlib.pyplot as plt

    result, _ = finished
    frame = result.to_frame("round")
    assert frame["round"].unique().tolist() == [0, 10, 20]
    for method in result.methods:
        lines = frame.query("chosen and reported and method == @method and attack == 'IPM'")
        again = result.history(method, "IPM", "round")
        for name in ("loss", "uplink_bits", "gradients"):
            assert lines[name].tolist() == again[name].ravel().tolist()
    ax = result.heatmap(budget="uplink_bits", norm="log")
    ax.figure.canvas.draw()
    table = {(row.method, row.attack): row.values.mean() for row in result.rows("uplink_bits")}
    drawn = ax.images[0].get_array()
    for i, method in enumerate(result.methods):
        means = [table[method, attack] for attack in result.attacks]
        assert drawn[i].tolist() == [*means, max(means)]
    plt.close("all")


POISONED = jb.core.Attack(
    "poisoned", lambda key, d: (), None, lambda data: jax.tree.map(lambda leaf: -2 * leaf, data)
)
ALL_KINDS = [jb.ipm(), jb.attacks.after(5, jb.sign_flip()), POISONED]


def test_attacks_share_a_program_and_stay_what_they_are():
    method = {"D-SGD": METHODS["D-SGD"]}
    result = race(methods=method, attacks=ALL_KINDS, steps=[0.2], parallel=1)
    ends = []
    for attack in ALL_KINDS:
        history = jb.train(
            METHODS["D-SGD"](0.2), problem(), attack=attack, rounds=20, seeds=3, progress=False
        )
        cell = result.cells["D-SGD", attack.name]
        for name, values in history.columns.items():
            # Another program: some roundings in 20 rounds.
            np.testing.assert_allclose(cell.columns[name][0], values, rtol=1e-10, atol=1e-12)
        ends.append(cell.columns["loss"][0, 0, -1])
    assert len(set(ends)) == len(ALL_KINDS)


def test_aggregators_share_a_program_and_stay_what_they_are(tmp_path):
    rules = {"mean": jb.mean(), "the median": jb.coordinate_median(1)}
    shared = {"attacks": [jb.sign_flip(), jb.ipm()], "steps": [0.2], "rounds": 20, "seeds": 2}
    made = {
        "D-SGD": lambda step, rule: jb.robust_sgd(
            optimizer=optax.sgd(step), aggregator=jb.nnm(1, rule)
        )
    }
    races = compare_aggregators(made, rules, problem(), folder=tmp_path, **shared)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mean", "the-median"]
    assert list(races) == list(rules)
    for name, rule in rules.items():
        alone = compare({"D-SGD": lambda step, rule=rule: made["D-SGD"](step, rule)}, problem(),
                        **shared)  # fmt: skip
        assert set(races[name].cells) == set(alone.cells)
        assert races[name].server_seconds["D-SGD"] > 0
        for key, cell in alone.cells.items():
            for column, values in cell.columns.items():
                # Another program: some roundings in 20 rounds.
                found = races[name].cells[key].columns[column]
                np.testing.assert_allclose(found, values, rtol=1e-10, atol=1e-12)
    ends = [races[name].cells["D-SGD", "IPM"].columns["loss"][0, 0, -1] for name in rules]
    assert ends[0] != ends[1]
    again = compare_aggregators(made, rules, problem(), folder=tmp_path, **shared)
    for name in rules:
        for key, cell in races[name].cells.items():
            assert again[name].cells[key].seconds == cell.seconds  # read, not made


def test_no_aggregators_are_refused():
    with pytest.raises(ValueError, match=r"aggregators must be given, got \{\}"):
        compare_aggregators({}, {}, problem(), attacks=[], steps=[1.0], rounds=10)
    with pytest.raises(ValueError, match="rules must be at least one aggregator"):
        jb.aggregators.one_of([], 0)


@pytest.mark.parametrize("which", [-1, 1, 0.0, np.int32(1), jnp.int32(1)])
def test_a_number_of_nobody_is_refused(which):
    with pytest.raises(ValueError, match=r"which must be an integer in 0\.\.0, got"):
        jb.aggregators.one_of([jb.mean()], which)
    with pytest.raises(ValueError, match=r"which must be an integer in 0\.\.0, got"):
        jb.attacks.one_of([jb.ipm()], which)


def test_one_of_several_attacks_must_do_something():
    nothing = jb.attacks.no_attack()._replace(poison=None)
    with pytest.raises(ValueError, match="must be some that forge or poison, got \\['none'\\]"):
        jb.attacks.one_of([nothing], 0)


def test_gradients_are_counted(finished):
    result, _ = finished
    # One gradient a round, of a problem without samples, and none at the start.
    for cell in result.cells.values():
        assert (cell.columns["gradients"] == cell.rounds).all()


def test_a_run_that_explodes_is_over_and_not_chosen(finished):
    result, _ = finished
    for (method, attack), cell in result.cells.items():
        loss = cell.columns["loss"]
        assert np.isfinite(loss[:2]).all()
        assert np.isnan(loss[2, :, -1]).all()  # with a step of 1e30
        for budget in result.budgets:
            assert result.choice(method, attack, budget) < 2


def test_a_budget_of_bits_is_kept(finished):
    result, _ = finished
    cell = result.cells["RoSDHB", "IPM"]
    # RoSDHB sends 2 numbers of 64 bits, D-SGD 4: within 1300 bits the one has 10 rounds, and the
    # other 5, of which no evaluation tells.
    assert cell.columns["uplink_bits"][0, 0].tolist() == [0, 1280, 2560]
    values, used = result._within("RoSDHB", "IPM", "uplink_bits")
    assert np.array_equal(values, cell.columns["loss"][:, :, 1], equal_nan=True)
    assert used.all()
    values, _ = result._within("D-SGD", "IPM", "uplink_bits")
    assert np.array_equal(values, result.cells["D-SGD", "IPM"].columns["loss"][:, :, 0])


def test_finished_runs_are_not_made_again(finished):
    result, folder = finished
    files = sorted(folder.iterdir())
    assert len(files) == 4
    stamps = [file.stat().st_mtime_ns for file in files]
    files[0].unlink()  # an interrupted race
    again = race(folder, budgets=dict(result.budgets))
    assert sorted(folder.iterdir()) == files
    assert [file.stat().st_mtime_ns for file in files[1:]] == stamps[1:]
    for key, cell in result.cells.items():
        for name, values in cell.columns.items():
            assert np.array_equal(values, again.cells[key].columns[name], equal_nan=True)


@pytest.mark.parametrize("change", [{"rounds": 10}, {"steps": [0.05, 0.3, 1.0]}, {"seeds": 3}])
def test_runs_of_another_race_are_refused(finished, change):
    _, folder = finished
    with pytest.raises(ValueError, match="holds another computation"):
        race(folder, parallel=1, **change)


def by_hand(loss, largest=False, rounds=(0, 10), reported=2):
    """A race of one method: loss [P, S], of the last evaluation."""
    loss = np.asarray(loss, float)
    columns = {
        "loss": np.stack([np.full_like(loss, 9), loss], axis=2),
        "uplink_bits": np.zeros((*loss.shape, 2)),
    }
    cell = Curves(np.array(rounds), columns, 0.0)
    grid = np.arange(1.0, 1 + len(loss))
    return Comparison(
        "p", ("m",), ("a",), {"m": grid}, {"round": 10.0, "uplink_bits": 1.0}, "loss", largest,
        reported, {("m", "a"): cell}, {"m": 1e-3},
    )  # fmt: skip


def test_the_choice_is_made_by_the_worst_tuning_seed_alone():
    # Seeds 0 and 1 are reported; the step sizes' best values there do not matter.
    losses = [[0, 0, 1, 5], [7, 7, 2, 3], [0, 0, np.nan, 0], [0, 0, -np.inf, -np.inf]]
    assert by_hand(losses).choice("m", "a", "round") == 1
    (row,) = by_hand(losses).rows("round")
    assert (row.step, row.at_end, row.values.tolist(), row.used_up) == (2.0, False, [7, 7], True)
    assert by_hand(losses, largest=True).choice("m", "a", "round") == 1  # worst: 1, 2, not finite
    (row,) = by_hand([[1, 1, 1, 1], [2, 2, 2, 2]]).rows("round")
    assert row.at_end
    assert not by_hand(losses).rows("uplink_bits")[0].used_up


def test_the_table_and_histories(finished):
    result, _ = finished
    text = str(result)
    assert "loss after 20 rounds" in text
    assert "loss after 1300 uplink_bits" in text
    for word in ("sign flip", "IPM", "D-SGD", "RoSDHB", "server ms"):
        assert word in text
    history = result.history("RoSDHB", "IPM", "round")
    assert history["loss"].shape == (2, 3)
    assert (np.diff(history["server_seconds"]) > 0).all()
    best = result.best("round", "IPM")
    rows = [row for row in result.rows("round") if row.attack == "IPM"]
    assert rows[0].method == best
    assert rows[0].values.mean() <= rows[1].values.mean()


def test_the_server_need_not_be_timed(finished, monkeypatch):
    def clock(*given):
        raise AssertionError("a clock is compiled")

    monkeypatch.setattr(programs, "ServerClock", clock)
    result, folder = finished
    found = race(folder, budgets={"round": 20}, time_server=False)  # runs that are there already
    history = found.history("RoSDHB", "IPM", "round")
    assert "server_seconds" not in history.columns
    expected = result.history("RoSDHB", "IPM", "round")["loss"]
    np.testing.assert_array_equal(history["loss"], expected)
    assert "server ms" in str(result)
    assert "server ms" not in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rounds": 15}, "rounds must be a multiple of evaluate_every = 10, got 15"),
        ({"steps": []}, "steps must be positive finite numbers"),
        ({"steps": [0.1, -1.0]}, "steps must be positive finite numbers"),
        ({"attacks": []}, "methods and attacks must be given"),
        ({"attacks": [jb.ipm(), jb.ipm(2.0)]}, "of different names"),
        ({"seeds": 0}, "seeds must be an integer >= 1, got 0"),
        ({"parallel": 0}, "parallel must be an integer >= 1, got 0"),
        ({"methods": {}}, "methods and attacks must be given"),
    ],
)
def test_bad_arguments(change, message):
    with pytest.raises(ValueError, match=message):
        race(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": "cost"}, r"measure must name a column among .*'loss'.*, got 'cost'"),
        ({"budgets": {"seconds": 1}}, r"budgets must name columns among .*'round'.*'seconds'"),
        ({"budgets": {"loss": 1}}, r"budgets must name columns among"),  # it is not spent
        ({"budgets": {}}, r"budgets must name columns among"),
        ({"steps": {"D-SGD": [0.1]}}, r"an entry for every method, got none for \['RoSDHB'\]"),
    ],
)
def test_what_is_asked_for_is_checked_before_anything_is_run(monkeypatch, change, message):
    monkeypatch.setattr(races, "program", None)
    with pytest.raises(ValueError, match=message):
        race(**change)


def test_two_names_of_one_file_are_refused(tmp_path):
    twice = {"a b": METHODS["D-SGD"], "a-b": METHODS["D-SGD"]}
    with pytest.raises(ValueError, match=r"methods must have names that differ .*\['a b', 'a-b'\]"):
        race(tmp_path, methods=twice)


def test_a_race_runs_with_the_settings_of_its_caller(monkeypatch):
    """Those of JAX belong to a thread: what `train` sees, `compare` sees."""
    seen, devices = set(), set()
    compiled = jax.stages.Lowered.compile

    def watched(lowered, *options):
        program = compiled(lowered, *options)
        for sharding in jax.tree.leaves(program.input_shardings):
            devices.update(sharding.device_set)
        return program

    def method(step):
        seen.add((jax.config.jax_default_matmul_precision, jax.config.jax_enable_x64))
        return METHODS["D-SGD"](step)

    monkeypatch.setattr(jax.stages.Lowered, "compile", watched)
    here = jax.devices()[1]
    with (
        jax.default_device(here), jax.default_matmul_precision("float32"), jax.enable_x64(False)
    ):  # fmt: skip
        result = race(methods={"D-SGD": method}, steps=[0.1], attacks=[jb.sign_flip()])
    assert seen == {("float32", False)}
    assert devices == {here}
    assert result.cells["D-SGD", "sign flip"].columns["loss"].shape == (1, 3, 3)


@pytest.mark.parametrize("map_runs", [jb.one_by_one, None])
def test_runs_one_after_another_are_the_same_runs(map_runs):
    together, in_turn = race(), race(map_runs=map_runs, map_workers=jb.one_by_one)
    for key, cell in together.cells.items():
        for name, values in cell.columns.items():
            # Another program: some roundings in 20 rounds.
            np.testing.assert_allclose(
                in_turn.cells[key].columns[name], values, rtol=1e-10, atol=1e-12
            )


def test_a_single_step_size_needs_no_tuning_seeds():
    alone = race(steps=[0.2], tuning_seeds=0)
    beside = race(steps=[0.2], tuning_seeds=1)
    for attack in alone.attacks:
        ours, others = (found.history("RoSDHB", attack, "round") for found in (alone, beside))
        np.testing.assert_allclose(ours["loss"], others["loss"], rtol=1e-10, atol=1e-12)
    with pytest.raises(ValueError, match=r"tuning_seeds must be >= 1 where .* got 0 .*'D-SGD'"):
        race(tuning_seeds=0)


def test_what_maps_runs_is_judged():
    with pytest.raises(ValueError, match="map_runs must map functions"):
        race(map_runs=lambda function: function)
