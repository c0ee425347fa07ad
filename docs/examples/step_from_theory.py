"""A theorem's parameters, and its bound beside a run. Expect a mean of ‖∇f‖² of 0.25, not 2.3."""

import jaxbyz as jb
from jaxbyz.theory.rosdhb import theorem_c

ROUNDS = 10_000
SEEDS = 3

problem = jb.problems.quadratics(honest=10, byzantine=1, dimension=20)
rule = jb.trimmed_mean(f=1)
promise = theorem_c(
    problem.smoothness,
    ratio=0.1,
    kappa=jb.aggregators.kappa(rule, n=11, f=1).exact,
    b_squared=0.0,
    g_squared=problem.heterogeneity,
)
print(f"step size {promise.step_size:.4f}, momentum {promise.momentum:.4f}")
algorithm = jb.rosdhb(**promise.arguments(), aggregator=rule)
options = dict(rounds=ROUNDS, seeds=SEEDS, evaluate_every=1)
history = jb.train(algorithm, problem, attack=jb.ipm_search(), **options)
bound = promise.bound(ROUNDS, gap=history["loss"][0, 0])  # which is f(x) - f* here
print(f"mean of ‖∇f‖² {(history['gradient_norm'][:, :-1] ** 2).mean():.3f}, bound {bound:.3f}")
