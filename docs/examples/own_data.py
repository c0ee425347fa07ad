"""Your own arrays, learned under attack. Expect a test accuracy of 0.98 on two noisy rings."""

import numpy as np
import optax

import jaxbyz as jb

ROUNDS = 300
SEEDS = 3

rng = np.random.default_rng(0)
labels = rng.choice(["inner", "outer"], 2000)  # texts or integers
angle, radius = rng.uniform(0, 2 * np.pi, 2000), np.where(labels == "inner", 1, 2)
features = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
features += rng.normal(0, 0.2, features.shape)

model = jb.problems.models.MLP(classes=2, hidden=(16,))
problem = jb.problems.classification((features, labels), honest=8, byzantine=2, model=model)
algorithm = jb.rosdhb(
    ratio=0.2, momentum=0.9, optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=2)
)
history = jb.train(algorithm, problem, attack=jb.ipm(), rounds=ROUNDS, seeds=SEEDS)
print(f"test accuracy {history.final('test_accuracy'):.2f}")
print(f"uplink bits of a worker {history.final('uplink_bits'):.0f}")
