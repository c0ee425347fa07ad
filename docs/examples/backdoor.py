"""A backdoor: a bright corner shall mean "0". Expect success on all; against a robust rule none."""

import optax

import jaxbyz as jb

ROUNDS = 200
SEEDS = 3


def trigger(images):  # [B, 8, 8, 1]
    return images.at[:, :2, :2].set(1.0)


model = jb.problems.models.Linear(10)
digits = jb.problems.classification("digits", honest=8, byzantine=2, model=model)
problem = jb.problems.with_backdoor_rate(digits, trigger, target=0)
attack = jb.backdoor(trigger, target=0, scale=4)
for name, rule in {"mean": jb.mean(), "trimmed mean": jb.trimmed_mean(f=2)}.items():
    sgd = jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=rule, momentum=0.9)
    options = dict(rounds=ROUNDS, seeds=SEEDS, evaluate=["test", "backdoor"])
    history = jb.train(sgd, problem, attack=attack, **options)
    accuracy, rate = history.final("test_accuracy"), history.final("backdoor_rate")
    print(f"{name}: test accuracy {accuracy:.2f}, the backdoor works on {rate:.0%}")
