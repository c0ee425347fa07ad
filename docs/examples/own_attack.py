"""An attack of your own, beside a known one. Expect it to double the error of the rule.

On digits expect a test accuracy of 0.91 without an attack, 0.82 under IPM and 0.48 under this one.
"""

import jax.numpy as jnp
import optax

import jaxbyz as jb

ROUNDS = 200
SEEDS = 3

# Honest vectors [h, d] -> [d]: of every coordinate the honest value that leads furthest back.
attack = jb.forged(
    "furthest back",
    lambda honest: jnp.where(honest.mean(axis=0) > 0, honest.min(axis=0), honest.max(axis=0)),
)
problem = jb.problems.classification(
    "digits", honest=8, byzantine=3, alpha=1.0, model=jb.problems.models.Linear(10)
)
sgd = jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=jb.trimmed_mean(f=3))
change = jb.effect(sgd, problem, attack, rounds=10)
print(
    f"error of the rule {change.error.mean():.3f}, without attack {change.error_without.mean():.3f}"
)
options = dict(rounds=ROUNDS, seeds=SEEDS, evaluate=["test"])
for each in (jb.no_attack(), jb.ipm(), attack):
    history = jb.train(sgd, problem, attack=each, **options)
    print(f"{each.name}: test accuracy {history.final('test_accuracy'):.2f}")
