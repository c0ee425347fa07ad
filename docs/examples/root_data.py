"""FLTrust: 100 samples at the server against six of ten workers. Expect 0.94; of a median 0.10."""

import optax

import jaxbyz as jb

ROUNDS = 200
SEEDS = 3

digits = jb.data.load("digits")
test = digits.test_images, digits.test_labels


def problem_of(samples, **workers):
    train = digits.train_images[samples], digits.train_labels[samples]
    model = jb.problems.models.Linear(10)
    return jb.problems.classification((train, test), model=model, **workers)


root = jb.problems.gradient_of(problem_of(slice(100), honest=1))
problem = problem_of(slice(100, None), honest=4, byzantine=6)
algorithms = {
    "FLTrust": jb.fltrust(optimizer=optax.sgd(0.2), root=root),
    "median": jb.robust_sgd(optimizer=optax.sgd(0.2), aggregator=jb.coordinate_median()),
}
for name, algorithm in algorithms.items():
    history = jb.train(algorithm, problem, attack=jb.sign_flip(), rounds=ROUNDS, seeds=SEEDS)
    print(f"{name}: test accuracy {history.final('test_accuracy'):.2f}")
