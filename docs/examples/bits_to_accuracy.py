"""Bits until the test accuracy is 0.85. Expect 1.5 million of robust D-SGD, 69 000 of Byz-DM21."""

import optax

import jaxbyz as jb

ROUNDS = 300
SEEDS = 3

model = jb.problems.models.Linear(10)
problem = jb.problems.classification("digits", honest=8, byzantine=2, alpha=1.0, model=model)
common = dict(optimizer=optax.sgd(0.3), aggregator=jb.trimmed_mean(f=2))
methods = {
    "robust D-SGD": jb.robust_sgd(**common),
    "RoSDHB": jb.rosdhb(ratio=0.1, momentum=0.9, **common),
    "Byz-DM21": jb.byz_dm21(eta=0.5, compressor=jb.scaled_sign(), **common),
}
options = dict(attack=jb.ipm(), rounds=ROUNDS, seeds=SEEDS, evaluate=["test"])
histories = {name: jb.train(method, problem, **options) for name, method in methods.items()}
for name, history in histories.items():
    there = history["uplink_bits"][0, history["test_accuracy"].mean(axis=0) >= 0.85]
    print(name, f"{there[0]:.0f} bits" if len(there) else f"not there after {ROUNDS} rounds")
axes = jb.plot_histories(histories, "test_accuracy", x="uplink_bits")
axes.set_xscale("log")
axes.figure.savefig("bits_to_accuracy.png")
