"""How well a backdoor works: the share of samples that the trigger sends to the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxbyz import checks
from jaxbyz.problems.chunks import summed_in_chunks
from jaxbyz.problems.problem import Problem

AT_ONCE = 500  # samples that go through the model together


def with_backdoor_rate(
    problem: Problem, trigger: Callable[[jax.Array], jax.Array], target: int
) -> Problem:
    """The same problem, which also measures "backdoor_rate".

    The rate is the share, of test samples of other classes than the target, that the model puts
    into the target class once the trigger is on them (attack success rate).

    Args:
        problem: from `classification`.
        trigger: of the attack, `attacks.backdoor`.
        target: its class.

    Raises:
        ValueError: a problem without test images, labels and predictions; a target that is none of
            its classes; a test of the target class alone.

    >>> import jaxbyz as jb
    >>> digits = jb.problems.classification("digits", honest=10, byzantine=3)
    >>> watched = with_backdoor_rate(digits, lambda images: images.at[:, :2, :2].set(1.0), 0)
    >>> sorted(watched.evaluators)
    ['backdoor', 'gradient', 'test', 'train']
    """
    trigger = checks.function("trigger", trigger, "features")
    test, predict, classes = problem.test, problem.predict, problem.classes
    if predict is None or classes is None or not hasattr(test, "images"):
        raise ValueError(
            "problem must have test images, labels and predictions, as those of `classification`, "
            f"got {problem.name!r}"
        )
    target = checks.count("target", target, maximum=classes - 1)
    if not (test.labels != target).any():
        raise ValueError(f"target must not be the only class of the test, got {target}")

    def measured(x: jax.Array, data: Any, test: Any) -> dict[str, jax.Array]:
        def counted(part: Any) -> tuple[jax.Array, jax.Array]:
            others = part.labels != target
            fallen = predict(x, trigger(part.images)).argmax(axis=1) == target
            return (fallen & others).sum(), others.sum()

        fallen, others = summed_in_chunks(counted, test, AT_ONCE)
        return {"backdoor_rate": fallen / jnp.maximum(others, 1)}

    return dataclasses.replace(problem, evaluators={**problem.evaluators, "backdoor": measured})
