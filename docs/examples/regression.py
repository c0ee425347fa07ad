"""Regression by a small network under attack. Expect a squared error of 0.012, 0.01 of it noise."""

import numpy as np
import optax

import jaxbyz as jb

ROUNDS = 1000
SEEDS = 3

rng = np.random.default_rng(0)
features = rng.uniform(-1, 1, (2000, 1))
targets = np.sin(3 * features[:, 0]) + rng.normal(0, 0.1, 2000)

problem = jb.problems.regression(
    (features[:1600], targets[:1600]),
    test=(features[1600:], targets[1600:]),
    model=jb.problems.models.MLP(1, hidden=(16,)),
    honest=8,
    byzantine=2,
)
algorithm = jb.byz_ef21(
    compressor=jb.top_k(ratio=0.2), optimizer=optax.sgd(0.5), aggregator=jb.trimmed_mean(f=2)
)
history = jb.train(algorithm, problem, attack=jb.ipm(), rounds=ROUNDS, seeds=SEEDS)
print(f"mean squared error in the test {2 * history.final('test_loss'):.3f}, of which noise 0.010")
at = problem.predict(history.parameters[0], np.array([[-0.5], [0.5]]))
print("sin(3 x) at -0.5 and 0.5:", at[:, 0].round(2), "instead of [-1. 1.]")
