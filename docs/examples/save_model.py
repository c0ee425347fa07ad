"""The trained model of one seed as a file, and back. Expect the same accuracy, 0.94 on digits."""

from pathlib import Path

import flax.serialization
import optax

import jaxbyz as jb

ROUNDS = 100
SEEDS = 2

digits = jb.data.load("digits")
model = jb.problems.models.MLP(10)
problem = jb.problems.classification(digits, honest=8, byzantine=2, model=model)
sgd = jb.robust_sgd(optimizer=optax.sgd(0.5), aggregator=jb.trimmed_mean(f=2))
history = jb.train(sgd, problem, attack=jb.ipm(), rounds=ROUNDS, seeds=SEEDS)
trained = history.model(seed=1)
Path("model.msgpack").write_bytes(flax.serialization.to_bytes(trained))

read = flax.serialization.from_bytes(trained, Path("model.msgpack").read_bytes())
logits = problem.predict(read, digits.test_images)
accuracy = (logits.argmax(axis=1) == digits.test_labels).mean()
print(f"accuracy {accuracy:.3f}; in the run it was {history['test_accuracy'][1, -1]:.3f}")
