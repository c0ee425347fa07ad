"""A long run: checkpoints, a CSV file that grows, and an end when nothing improves: at round 1100.

Killed at any time, the same script goes on where it was.
"""

import optax

import jaxbyz as jb
from jaxbyz.callbacks import csv_file, early_stopping, in_turn

ROUNDS = 5000
SEEDS = 2

model = jb.problems.models.Linear(10)
problem = jb.problems.classification("digits", honest=8, byzantine=2, model=model)
sgd = jb.robust_sgd(optimizer=optax.sgd(0.5), aggregator=jb.trimmed_mean(f=2))
looking = in_turn(csv_file("curves.csv"), early_stopping("test_accuracy", patience=4, largest=True))
for rounds in (ROUNDS // 10, ROUNDS):  # the second call continues the first one
    history = jb.train(
        sgd, problem, attack=jb.ipm(), rounds=rounds, seeds=SEEDS, evaluate_every=ROUNDS // 50,
        checkpoint="checkpoint", on_evaluate=looking,
    )  # fmt: skip
    print(f"round {history.rounds[-1]}, test accuracy {history.final('test_accuracy'):.3f}")
