"""Rules × attacks as a picture, heat_map.png: test accuracies at the best step size of each."""

import optax

import jaxbyz as jb

ROUNDS = 100
SEEDS = 2

model = jb.problems.models.Linear(10)
problem = jb.problems.classification("digits", honest=8, byzantine=3, alpha=1.0, model=model)


def heavy_ball(step, rule):
    return jb.robust_sgd(optimizer=optax.sgd(step), aggregator=rule, momentum=0.9)


trimmed = jb.trimmed_mean(f=3)
rules = {"mean": jb.mean(), "trimmed mean": trimmed, "NNM, trimmed mean": jb.nnm(3, trimmed)}
attacks = [jb.sign_flip(), jb.ipm(), jb.alie(), jb.label_flip(10)]
options = dict(measure="test_accuracy", largest=True, evaluate=["test"], time_server=False)
races = jb.compare_aggregators(
    {"heavy ball": heavy_ball}, rules, problem, attacks=attacks, steps=[0.3, 1.0, 3.0],
    rounds=ROUNDS, seeds=SEEDS, **options,
)  # fmt: skip
jb.plot_rules(races, vmin=0, vmax=1).figure.savefig("heat_map.png")
print(races["NNM, trimmed mean"])
