"""Lyapunov terms along runs of the shipped algorithms."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.theory import byz_dm21, runs
from jaxbyz.theory.byz_dm21.weights import momentum_steps, weights
from jaxbyz.theory.rosdhb import theorem_b
from jaxbyz.theory.rosdhb.states import Parameters

pytestmark = pytest.mark.usefixtures("x64")

with jax.enable_x64(True):  # so that the data are not rounded
    PROBLEM = jb.problems.quadratics(
        honest=4, byzantine=1, dimension=4, hessian_spread=0.005, offset_spread=0.5, seed=3
    )
RULE = jb.trimmed_mean(f=1)
KAPPA = jb.aggregators.kappa(RULE, 5, 1).exact


def setting():
    """Theorem B on this problem, as a guarantee and as the parameters of its proof."""
    b_squared = 0.2
    g_squared = PROBLEM.g_squared(b_squared)
    promise = theorem_b(
        PROBLEM.smoothness, 0.5, kappa=KAPPA, b_squared=b_squared, g_squared=g_squared
    )
    x = promise.step_size * PROBLEM.smoothness
    numbers = (PROBLEM.smoothness, x, promise.one_minus_momentum, 2.0, KAPPA, b_squared)
    parameters = Parameters(*(jnp.asarray(v) for v in (*numbers, 1.0, 0.5 / 10, 16 / 3 * 2 * x)))
    return promise, parameters, g_squared


@pytest.fixture(scope="module")
def watched():
    with jax.enable_x64(True):
        promise, parameters, g_squared = setting()
        algorithm = jb.rosdhb(**promise.arguments(), aggregator=RULE)
        watch, measured = (
            runs.watch_rosdhb(PROBLEM, parameters, g_squared),
            runs.watch_measured(PROBLEM),
        )
        history = jb.train(
            algorithm, PROBLEM, attack=jb.alie(z=1.0), rounds=60, seeds=4, evaluate_every=1,
            progress=False, watch=lambda *round_: watch(*round_) | measured(*round_),
        )  # fmt: skip
        return history, promise, parameters


@pytest.mark.parametrize("name", ["L2<=", "L3<=", "L4", "L5", "L6", "L6'"])
def test_every_lemma_holds_in_every_round(watched, name):
    history, _, _ = watched
    left, right = history[f"{name} left"][:, 1:], history[f"{name} right"][:, 1:]
    # Rounding of terms that are up to A/x times as large as what is left of them.
    assert (left <= right + 1e-9 * (np.abs(left) + np.abs(right))).all()
    assert (right > 0).all()


def test_the_terms_are_those_of_the_definition(watched):
    history, _, _ = watched
    total = history["V/loss"] + history["V/deviation"] + history["V/drift"]
    np.testing.assert_allclose(history["V"][:, 1:], total[:, 1:], rtol=1e-12)
    # V of round t speaks of θ_{t-1}: the loss that was evaluated a round before.
    np.testing.assert_allclose(history["V/loss"][:, 1:], 2 * history["loss"][:, :-1], rtol=1e-9)
    np.testing.assert_allclose(
        history["gradient²"][:, 1:], history["gradient_norm"][:, :-1] ** 2, rtol=1e-9
    )


def test_v_is_what_was_expected_up_to_the_chance_of_masks(watched):
    """Mean over rounds and seeds of V_{t+1} - E[V_{t+1}|F_t]: a martingale."""
    history, _, _ = watched
    noise = history["V"][:, 2:] - history["E V next"][:, 1:-1]
    # Within 4 standard errors of 0, and not always 0.
    assert abs(noise.mean()) < 4 * noise.std() / np.sqrt(noise.size)
    assert noise.std() > 0


def test_the_measured_form_of_the_master_theorem(watched):
    history, _, parameters = watched
    left, right = runs.measured_bound(history, parameters, gap=float(history["loss"][0, 0]))
    assert (left > 0).all()
    assert (left <= right).all()
    # It can fail: with no start and no dissimilarity nothing is left on the right.
    history.columns["dissimilarity"][:] *= 0
    assert (runs.measured_bound(history, parameters, gap=0.0)[1] == 0).all()


def test_a_run_that_was_not_watched_every_round_has_no_bound():
    history, parameters = (
        jb.History(np.array([0, 2]), {}, np.zeros((1, 1)), np.array([0]), {}),
        None,
    )
    with pytest.raises(ValueError, match="after every round"):
        runs.measured_bound(history, parameters, 1.0)


@pytest.mark.parametrize("recursive", [pytest.param(False, marks=pytest.mark.long), True])
def test_errors_of_double_momentum_along_a_run(recursive):
    noisy = jb.problems.quadratics(honest=4, byzantine=1, dimension=4, noise=0.3, seed=3)
    compressor = jb.top_k(k=2)
    point = byz_dm21.setting(noisy, RULE, compressor)
    found = weights(point, momentum_steps(point, 0.2, 0.2))
    make = jb.byz_vr_dm21 if recursive else jb.byz_dm21
    algorithm = make(optimizer=optax.sgd(0.05), aggregator=RULE, compressor=compressor, eta=0.2)
    history = jb.train(
        algorithm, noisy, attack=jb.ipm(), rounds=8, seeds=2, evaluate_every=1, progress=False,
        watch=runs.watch_byz_dm21(noisy, found, 0.05, recursive=recursive),
    )  # fmt: skip
    columns = {name: history[name][:, 1:] for name in ("P", "Q", "R", "Qbar", "Rbar", "S", "D")}
    assert all((values >= 0).all() for values in columns.values())
    assert (columns["Qbar"] <= columns["Q"]).all()
    assert (columns["Rbar"] <= columns["R"]).all()
    gradient = history["gradient_norm"]
    # The gradients that workers answered with are those at the model before the server's step.
    np.testing.assert_allclose(columns["D"], gradient[:, :-1] ** 2, rtol=1e-9)
    errors = found.a * columns["P"] + found.b * columns["Q"] + found.c * columns["R"]
    errors = errors + found.b_bar * columns["Qbar"] + found.c_bar * columns["Rbar"]
    np.testing.assert_allclose(history["Psi/errors"][:, 1:], 0.05 * errors, rtol=1e-12)


def test_terms_are_plotted(watched):
    pytest.importorskip("matplotlib").use("agg")
    history, _, _ = watched
    ax = runs.plot_terms(history, ["V/loss", "V/drift"])
    assert [line.get_label() for line in ax.get_lines()] == ["V/loss", "V/drift"]
    assert ax.get_yscale() == "log"
