"""A model of your own, of flax.linen or flax.nnx, under attack. Expect 0.92 of both on digits."""

import flax.linen as nn
import optax
from flax import nnx

import jaxbyz as jb

ROUNDS = 150


class Small(nn.Module):
    @nn.compact
    def __call__(self, images):  # [B, 8, 8, 1] -> logits [B, 10]
        return nn.Dense(10)(nn.tanh(nn.Dense(16)(images.reshape(len(images), -1))))


class SmallX(nnx.Module):
    def __init__(self, rngs):
        self.inner, self.outer = nnx.Linear(64, 16, rngs=rngs), nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, images):
        return self.outer(nnx.tanh(self.inner(images.reshape(len(images), -1))))


for model in (Small(), SmallX):
    problem = jb.problems.classification("digits", honest=5, byzantine=2, model=model)
    sgd = jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=jb.trimmed_mean(f=2), momentum=0.5)
    history = jb.train(sgd, problem, attack=jb.ipm(), rounds=ROUNDS, evaluate=["test"])
    print(f"{problem.dimension} parameters, test accuracy {history.final('test_accuracy'):.2f}")
