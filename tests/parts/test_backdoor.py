"""The backdoor attack on data and messages, and the rate at which its trigger works."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.attacks.backdoor import spread
from jaxbyz.problems import models, with_backdoor_rate

TARGET = 3


def trigger(images):
    """The upper left corner is white, which no digit is there."""
    return images.at[:, :2, :2].set(1.0)


def digits(byzantine, **more):
    problem = jb.problems.classification(
        "digits", honest=10, byzantine=byzantine, model=models.Linear(10), **more
    )
    return with_backdoor_rate(problem, trigger, TARGET)


def test_what_is_poisoned():
    problem = digits(3)
    attack = jb.backdoor(trigger, TARGET, fraction=0.5, scale=2.0)
    data = jb.build(made(), problem, attack).data
    honest, images = problem.data.images, np.asarray(data.images)
    assert np.array_equal(images[:10], honest)
    stamped = (images[10:, :, :2, :2] == 1).all(axis=(2, 3, 4))
    assert (stamped.sum(axis=1) == 75).all()
    assert np.array_equal(stamped, np.tile(spread(0.5, 150), (3, 1)))
    labels, before = np.asarray(data.labels[10:]), np.asarray(problem.data.labels[:3])
    assert (labels[stamped] == TARGET).all()
    assert np.array_equal(labels[~stamped], before[~stamped])
    assert np.array_equal(images[10:][~stamped], np.asarray(honest[:3])[~stamped])


def made():
    """The mean, which the attack needs."""
    return jb.robust_sgd(optimizer=optax.sgd(0.5), aggregator=jb.aggregators.mean())


def test_the_backdoor_works_on_the_mean_alone():
    """And what is right without the trigger stays right."""
    attack = jb.backdoor(trigger, TARGET, scale=4.0)
    rule = jb.nnm(3, jb.trimmed_mean(3))
    robust = jb.robust_sgd(optimizer=optax.sgd(0.5), aggregator=rule)
    ends = {}
    for name, method in (("mean", made()), ("robust", robust)):
        history = jb.train(method, digits(3), attack=attack, rounds=60)
        ends[name] = {c: float(history[c][0, -1]) for c in ("backdoor_rate", "test_accuracy")}
    assert ends["mean"]["backdoor_rate"] > 0.9
    assert ends["mean"]["test_accuracy"] > 0.8
    assert ends["robust"]["backdoor_rate"] < 0.3


def test_the_rate_is_that_of_other_classes():
    """Counted by hand, of a model of random weights; the test has samples of the target too."""
    problem = digits(0)
    x = jax.random.normal(jax.random.key(0), (problem.dimension,))
    found = jax.jit(problem.evaluators["backdoor"])(x, problem.data, problem.test)
    labels = np.asarray(problem.test.labels)
    said = np.asarray(problem.predict(x, trigger(problem.test.images))).argmax(axis=1)
    others = labels != TARGET
    assert 0 < (~others).sum() < len(labels)
    # One division in float32.
    assert float(found["backdoor_rate"]) == pytest.approx((said[others] == TARGET).mean(), rel=1e-6)


def test_messages_are_scaled():
    """What three attackers send is thrice what they would send."""
    problem = digits(3)
    rows = []
    for scale in (1.0, 3.0):
        simulation = jb.build(made(), problem, jb.backdoor(trigger, TARGET, scale=scale))
        key = jax.random.key(0)
        state, _ = simulation.init(key, problem.init(key), simulation.data)
        _, info = jax.jit(simulation.step)(key, state, simulation.data)
        rows.append(np.asarray(info.server.rows))
    assert np.array_equal(rows[0][:10], rows[1][:10])
    # Multiplied by 3 in float32.
    np.testing.assert_allclose(rows[1][10:], 3 * rows[0][10:], rtol=1e-6)
    assert np.abs(rows[0][10:]).max() > 0


def test_a_scale_may_be_traced():
    problem = digits(3)

    def end(scale):
        simulation = jb.build(made(), problem, jb.backdoor(trigger, TARGET, scale=scale))
        key = jax.random.key(0)
        state, _ = simulation.init(key, problem.init(key), simulation.data)
        return simulation.step(key, state, simulation.data)[1].server.aggregate

    one, two = jax.jit(jax.vmap(end))(jnp.array([1.0, 2.0]))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(("fraction", "count", "number"), [(1, 7, 7), (0.1, 10, 1), (0.3, 10, 3),
                                                           (0.01, 5, 1), (0.75, 8, 6)])  # fmt: skip
def test_how_many_samples(fraction, count, number):
    assert spread(fraction, count).sum() == number


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"fraction": 0.0}, r"fraction must lie in \(0, 1\]"),
        ({"scale": -1.0}, "scale must lie"),
        ({"target": -1}, "target must be"),
        ({"trigger": 3}, "trigger must be a function"),
        ({"trigger": lambda images: images[:, :2]}, "trigger must keep shape"),
        ({"trigger": lambda images: images > 0}, "trigger must keep shape and dtype"),
        ({"target": 10}, "labels"),
    ],
)
def test_what_is_refused(wrong, says):
    given = {"trigger": trigger, "target": TARGET} | wrong
    with pytest.raises(ValueError, match=says):
        jb.build(made(), digits(3), jb.backdoor(**given))


def test_problems_without_images():
    with pytest.raises(ValueError, match="backdoor needs worker data"):
        jb.build(
            made(),
            jb.problems.quadratics(honest=3, byzantine=1, dimension=2),
            jb.backdoor(trigger, 0),
        )
    with pytest.raises(ValueError, match="problem must have test images"):
        with_backdoor_rate(jb.problems.quadratics(honest=3, dimension=2), trigger, 0)
    with pytest.raises(ValueError, match="target must be"):
        with_backdoor_rate(digits(0), trigger, 10)
