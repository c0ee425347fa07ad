"""A loss of your own under attack: Poisson regression. Expect weights 0.02 from the true ones."""

import jax.numpy as jnp
import numpy as np
import optax

import jaxbyz as jb

ROUNDS = 300
SEEDS = 3

rng = np.random.default_rng(0)
features, true = rng.normal(size=(4000, 3)), np.array([0.5, -0.3, 0.2])
data = {"features": features, "counts": rng.poisson(np.exp(1 + features @ true))}


def start(key):
    return {"weights": jnp.zeros(3), "offset": jnp.zeros(())}


def loss(parameters, sample):  # of one sample
    log_rate = sample["features"] @ parameters["weights"] + parameters["offset"]
    return jnp.exp(log_rate) - sample["counts"] * log_rate


problem = jb.problems.from_loss(start, loss, data, honest=8, byzantine=2)
sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=2))
history = jb.train(sgd, problem, attack=jb.sign_flip(), rounds=ROUNDS, seeds=SEEDS)
print("weights", history.model()["weights"].round(2), "instead of", true)
