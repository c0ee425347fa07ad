"""The two pictures of "Ten minutes": `python docs/start/pictures/make.py`, about a minute.

Each part of that page's code is repeated here; `tests/docs/test_pages.py` runs the page itself.
"""

from pathlib import Path

import jax
import matplotlib
import optax

import jaxbyz as jb

matplotlib.use("Agg")
HERE = Path(__file__).parent
SIZE = {"figsize": (6.4, 4.0), "layout": "constrained"}


def rosdhb(rule):
    """The algorithm of the six lines, with another rule."""
    return jb.rosdhb(ratio=0.1, momentum=0.9, optimizer=optax.sgd(0.1), aggregator=rule)


def save(axes, name):
    """Write a small PNG."""
    axes.grid(alpha=0.3)
    axes.figure.savefig(HERE / f"{name}.png", dpi=100)


if __name__ == "__main__":
    import matplotlib.pyplot as plt

    print("jaxbyz", jb.__version__, "jax", jax.__version__, jax.default_backend())
    problem = jb.problems.classification("digits", honest=10, byzantine=3, alpha=5.0)
    robust = jb.nnm(f=3, inner=jb.trimmed_mean(f=3))

    history = jb.train(rosdhb(robust), problem, attack=jb.alie(), rounds=250, seeds=5)
    print(history)
    _, axes = plt.subplots(**SIZE)
    save(history.plot("test_accuracy", x="uplink_bits", ax=axes), "six_lines")

    runs = {
        "mean, nobody attacks": jb.train(rosdhb(jb.mean()), problem, rounds=250, seeds=3),
        "mean": jb.train(rosdhb(jb.mean()), problem, attack=jb.ipm(5.0), rounds=250, seeds=3),
        "NNM and trimmed mean": jb.train(
            rosdhb(robust), problem, attack=jb.ipm(5.0), rounds=250, seeds=3
        ),
    }
    for name, run in runs.items():
        print(f"{name:22s} {run.final('test_accuracy'):.3f}")
    _, axes = plt.subplots(**SIZE)
    save(jb.plot_histories(runs, "test_accuracy", ax=axes), "mean_and_robust")
