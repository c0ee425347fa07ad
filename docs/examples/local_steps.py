"""Federated averaging with a robust rule: K gradient steps between two messages.

Expect with K = 10 the accuracy 0.72 after 10 rounds, for which K = 1 takes 100 rounds.
"""

import optax

import jaxbyz as jb

ROUNDS = 100
SEEDS = 3
STEP = 0.1

model = jb.problems.models.Linear(10)
problem = jb.problems.classification(
    "digits", honest=8, byzantine=2, alpha=1.0, model=model, batch=20
)
average = jb.robust_sgd(optimizer=optax.sgd(STEP), aggregator=jb.trimmed_mean(f=2))
options = dict(rounds=ROUNDS, seeds=SEEDS, evaluate=["test"])
for steps in (1, 10):
    algorithm = jb.local_steps(average, steps=steps, step_size=STEP)
    history = jb.train(algorithm, problem, attack=jb.ipm(), **options)
    accuracy = history["test_accuracy"].mean(axis=0)  # of all seeds, after every tenth round
    for done, value in zip(history.rounds, accuracy, strict=True):
        if done in (10, 20, ROUNDS):
            print(f"{steps} local steps, {done} rounds: test accuracy {value:.3f}")
