"""Step sizes × ratios in a data frame of all runs. Expect 0.92 and 0.96 on digits at step 3."""

import functools

import optax

import jaxbyz as jb

ROUNDS = 100
SEEDS = 3


def method(ratio, step):
    rule = jb.trimmed_mean(f=2)
    return jb.rosdhb(ratio=ratio, momentum=0.9, optimizer=optax.sgd(step), aggregator=rule)


model = jb.problems.models.Linear(10)
problem = jb.problems.classification("digits", honest=8, byzantine=2, alpha=1.0, model=model)
methods = {f"{ratio:g}": functools.partial(method, ratio) for ratio in (0.05, 1.0)}
options = dict(measure="test_accuracy", largest=True, evaluate=["test"], time_server=False)
options |= dict(attacks=[jb.ipm()], steps=[0.1, 0.3, 1.0, 3.0], rounds=ROUNDS, seeds=SEEDS)
frame = jb.compare(methods, problem, **options).to_frame()
end = frame[(frame["round"] == ROUNDS) & frame.reported]
print(end.pivot_table("test_accuracy", index="step", columns="method").round(3))
