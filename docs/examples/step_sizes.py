"""Step sizes × ratios in a data frame of all runs. Expect smaller ratios to need smaller steps."""

import functools

import optax

import jaxbyz as jb

ROUNDS = 100
SEEDS = 3


def method(ratio, step):
    rule = jb.trimmed_mean(f=2)
    return jb.rosdhb(ratio=ratio, momentum=0.9, optimizer=optax.sgd(step), aggregator=rule)


problem = jb.problems.logistic("breast_cancer", honest=8, byzantine=2)
methods = {f"{ratio:g}": functools.partial(method, ratio) for ratio in (0.1, 0.3, 1.0)}
options = dict(attacks=[jb.ipm()], steps=[1.0, 3.0, 10.0, 30.0], rounds=ROUNDS, seeds=SEEDS)
frame = jb.compare(methods, problem, **options).to_frame()
end = frame[(frame["round"] == ROUNDS) & frame.reported]
print(end.pivot_table("loss", index="step", columns="method").round(3))
