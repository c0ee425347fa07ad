"""A training run in a process of its own, to be killed: python killed_run.py FOLDER RESULT."""

import sys

import optax

import jaxbyz as jb


def run(folder: str | None) -> jb.History:
    problem = jb.problems.quadratics(honest=5, byzantine=2, dimension=12, noise=0.3, seed=1)
    algorithm = jb.byz_dasha_page(
        compressor=jb.rand_k(k=3),
        probability=0.2,
        optimizer=optax.adam(0.01),
        aggregator=jb.trimmed_mean(f=2),
    )
    return jb.train(
        algorithm, problem, attack=jb.alie(z=1.0), rounds=400, seeds=3, evaluate_every=5,
        checkpoint=folder, checkpoint_every=10, progress=False,
    )  # fmt: skip


if __name__ == "__main__":
    run(sys.argv[1]).save(sys.argv[2])
