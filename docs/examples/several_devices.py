"""One run on several devices, which share the workers. Expect equal losses, but for rounding."""

import os

import jax
import numpy as np
import optax

import jaxbyz as jb

ROUNDS = 100
SEEDS = 2

# On a machine without accelerators: four parts of its processor.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")

model = jb.problems.models.Linear(10)
problem = jb.problems.classification("digits", honest=8, byzantine=3, model=model)
algorithm = jb.rosdhb(
    ratio=0.1, momentum=0.9, optimizer=optax.sgd(0.3), aggregator=jb.trimmed_mean(f=3)
)
options = dict(attack=jb.alie(), rounds=ROUNDS, seeds=SEEDS, evaluate=["test"])
one = jb.train(algorithm, problem, **options)
several = jb.train(algorithm, problem, devices=jax.devices(), **options)
difference = np.abs(one["test_loss"] - several["test_loss"]).max()
print(f"{len(jax.devices())} devices, test accuracy {several.final('test_accuracy'):.2f}")
print(f"the losses differ by at most {difference:.1e}")
