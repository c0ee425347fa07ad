"""The downlink of RoSDHB that sends what changed: workers compute the model that the server has."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from lengths import often

import jaxbyz as jb
from jaxbyz import algorithms
from jaxbyz.messages import SharedSupport
from jaxbyz.testing.algorithm_faulty_rounds import run_with_factors
from jaxbyz.testing.short_runs import quadratic

KEY = jax.random.key(3)
RULE = jb.trimmed_mean(2)
STEPS = optax.exponential_decay(0.1, transition_steps=20, decay_rate=0.9)
COMMON = {"optimizer": optax.sgd(STEPS), "aggregator": RULE}
MIXED = jb.nnm(f=2, inner=RULE)
OPTIMIZERS = {
    "sgd": optax.sgd(STEPS),
    "heavy ball": optax.sgd(0.1, momentum=0.5),
    "adam": optax.adam(0.1),
}


@pytest.mark.parametrize("optimizer", often(OPTIMIZERS, ("sgd", "adam")))
def test_workers_compute_the_model_from_changes(optimizer):
    """Every worker, after every round, also after one in which its gradient was not finite."""
    rounds, k, honest = 25, 2, 5
    problem = quadratic(honest, 2, noise=0.5)
    d = problem.dimension
    parts = {"k": k, "momentum": 0.5, **COMMON, "optimizer": OPTIMIZERS[optimizer]}
    algorithm = algorithms.rosdhb(downlink="changes", **parts)
    factors = np.ones((1 + rounds, honest), np.float32)
    factors[0, 1] = factors[1, 0] = factors[2, 1] = factors[7:10, 3] = np.nan
    run, whole = (
        jax.jit(run_with_factors(one, problem)) for one in (algorithm, algorithms.rosdhb(**parts))
    )
    (start, _), (states, infos) = jax.tree.map(np.asarray, run(factors))
    assert np.array_equal(infos.faulty[:, :honest], np.isnan(factors[1:]))
    # A copy is the model that was broadcast: the server's after the round before.
    broadcast = np.concatenate([start.server.x[None], states.server.x[:-1]])
    assert np.array_equal(states.workers.x, np.tile(broadcast[:, None], (1, honest, 1)))
    assert np.abs(states.server.x[-1] - start.server.x).max() > 0.1
    # d numbers and a seed, then k numbers and a seed.
    assert infos.downlink[:, 1].tolist() == [32 * d + 64] + [32 * k + 64] * (rounds - 1)
    assert not infos.downlink[:, 0].any()

    # Nothing else has changed: the workers compute the same messages from the whole model.
    plain = whole(factors)[1][0]
    np.testing.assert_allclose(states.server.x, plain.server.x, rtol=0, atol=1e-5)
    seen = jb.describe(algorithm, d)
    assert (seen.downlink_bits, seen.server_work) == (32 * k + 64, "n k + d")
    assert seen.worker_memory >= 2


def test_the_model_is_sent_once():
    """Afterwards the broadcast holds none of it: what workers know, they computed."""
    algorithm = algorithms.rosdhb(k=2, momentum=0.5, downlink="changes", **COMMON)
    server = algorithm.server

    def two_rounds(state):
        first = server.broadcast(KEY, state)
        state, _ = server.step(KEY, state, first, SharedSupport(jnp.ones((7, 2))))
        return first, server.broadcast(KEY, state), state

    state = server.start(jnp.arange(1.0, 5.0), 7)
    first, second, state = jax.jit(two_rounds)(state)
    assert first.x.tolist() == [1, 2, 3, 4]
    assert not second.x.any()
    assert np.array_equal(second.values, state.aggregate[first.subset])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: algorithms.rosdhb(k=2, momentum=0.5, downlink="all", **COMMON),
            "downlink must be 'model' or 'changes', got 'all'",
        ),
        (
            lambda: algorithms.rosdhb(
                k=2, momentum=0.5, downlink="changes", optimizer=optax.sgd(1), aggregator=MIXED
            ),
            'must be a rule by coordinate for downlink = "changes", got the aggregator nnm',
        ),
        (
            lambda: algorithms.partial_participation(
                algorithms.rosdhb(k=2, momentum=0.5, downlink="changes", **COMMON), workers=3
            ),
            "algorithm must broadcast the whole model, got 'RoSDHB'",
        ),
        (
            lambda: jb.stateless(lambda rows: rows[0], by_coordinate=1),
            "by_coordinate must be True or False, got the number 1",
        ),
    ],
)
def test_what_cannot_be_is_said(make, message):
    with pytest.raises(ValueError, match=message):
        make()
