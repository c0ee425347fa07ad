"""Workers with unequal numbers of samples: by owner, or in sizes that fall like a power.

Expect 0.90, 0.91 and 0.92 on digits: with a robust rule it is no gain that samples count the same.
"""

import numpy as np
import optax

import jaxbyz as jb

ROUNDS = 200
SEEDS = 3

digits = jb.data.load("digits")
count = len(digits.train_labels)
owners = np.random.default_rng(0).choice(["Ada", "Bo", "Cy", "Di"], count, p=[0.7, 0.1, 0.1, 0.1])
by_owner = jb.data.by_owner(owners)  # who wrote each of them: here drawn, in practice known
power_law = jb.data.power_law(count, workers=10, exponent=2, seed=0)
model = jb.problems.models.Linear(10)
options = dict(rounds=ROUNDS, seeds=SEEDS, evaluate=["test"])
for parts, weighting in [(by_owner, "size"), (power_law, "size"), (power_law, "equal")]:
    problem = jb.problems.classification(
        digits, honest=len(parts), byzantine=1, partition=parts, weighting=weighting, model=model
    )
    sgd = jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=jb.trimmed_mean(f=1))
    history = jb.train(sgd, problem, attack=jb.ipm(), **options)
    print(f"{[len(part) for part in parts]} samples, weighting {weighting}:", end=" ")
    print(f"test accuracy {history.final('test_accuracy'):.2f}")
