"""A validation split, on which step sizes are chosen: neither trained on nor reported."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb


def fewer(dataset: jb.data.Dataset, train: int | None, test: int | None) -> jb.data.Dataset:
    """The first samples of a data set: so many of each split, None: all.

    Files of the MNIST family and of CIFAR-10 are in random order, so that the first ones are a
    fair share of all classes.

    Raises:
        ValueError: more than there are.
    """
    for what, wanted, labels in (
        ("train", train, dataset.train_labels),
        ("test", test, dataset.test_labels),
    ):
        if wanted is not None and not 0 < wanted <= len(labels):
            raise ValueError(f"{what} must be in 1..{len(labels)}, got {wanted}")
    return dataset._replace(
        train_images=dataset.train_images[:train],
        train_labels=dataset.train_labels[:train],
        test_images=dataset.test_images[:test],
        test_labels=dataset.test_labels[:test],
    )


def classification(
    dataset: jb.data.Dataset, *, validation: float = 0.1, **options: Any
) -> jb.problems.Problem:
    """`jaxbyz.problems.classification` with a part of the training data held out.

    Args:
        dataset: whose training part is split at random, by a fixed seed.
        validation: the share that is held out.
        options: of `jaxbyz.problems.classification`.

    The evaluator "validation" adds validation_loss and validation_accuracy.

    Raises:
        ValueError: as that function; nothing or everything held out.

    >>> problem = classification(jb.data.digits(), honest=4)
    >>> sorted(problem.evaluators)
    ['gradient', 'test', 'train', 'validation']
    """
    count = len(dataset.train_labels)
    held = round(validation * count)
    if not 0 < held < count:
        raise ValueError(f"validation must leave samples on both sides, got {validation}")
    order = np.random.default_rng(2025).permutation(count)
    out, kept = np.sort(order[:held]), np.sort(order[held:])
    images, labels = dataset.train_images, dataset.train_labels
    rest = dataset._replace(train_images=images[kept], train_labels=labels[kept])
    problem = jb.problems.classification(rest, **options)
    held_out = type(problem.test)(jnp.asarray(images[out]), jnp.asarray(labels[out]))
    on_test = problem.evaluators["test"]

    def of_test(evaluator: Any) -> Any:
        return lambda x, data, both: evaluator(x, data, both[0])

    def on_validation(x: jax.Array, data: Any, both: Any) -> dict[str, jax.Array]:
        found = on_test(x, data, both[1])
        return {name.replace("test", "validation"): value for name, value in found.items()}

    evaluators = {name: of_test(known) for name, known in problem.evaluators.items()}
    return dataclasses.replace(
        problem,
        test=(problem.test, held_out),
        evaluators={**evaluators, "validation": on_validation},
    )
