"""A rule among which a number chooses, so that one program serves all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax

from jaxbyz import checks
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Key, Tree


@part
def one_of(rules: Sequence[Aggregator], which: jax.Array | int) -> Aggregator:
    """The rule with the number `which`, which may be traced: one program serves all of the rules.

    R = rules[which](x_1, …, x_n). The state holds the states of all rules. The details of the rules
    differ, so they are dropped. Only the chosen rule runs, unless `which` is mapped over by vmap.
    What the rules have in common stands outside, so that it is done once:
    nnm(f, one_of([trimmed_mean(f), coordinate_median(f)], which)).

    No κ is given.

    Raises:
        ValueError: no rules; a number that is not traced and not one of theirs.

    >>> import jax.numpy as jnp
    >>> from jaxbyz.aggregators import coordinate_median, mean
    >>> rows = jnp.array([[0.0], [0.0], [3.0]])
    >>> apply = jax.jit(lambda which: one_of([mean(), coordinate_median()], which)(rows))
    >>> apply(0).item(), apply(1).item()
    (1.0, 0.0)
    """
    if not rules:
        raise ValueError(f"rules must be at least one aggregator, got {rules!r}")

    if not checks.is_traced(which):
        which = checks.count("which", which, maximum=len(rules) - 1)

    def init(d: int) -> tuple[Tree, ...]:
        return tuple(rule.init(d) for rule in rules)

    def apply(key: Key | None, state: Tree, rows: jax.Array) -> tuple[Tree, Aggregated]:
        def branch(i: int, rule: Aggregator) -> Callable[[jax.Array], tuple[Tree, Aggregated]]:
            def run(rows: jax.Array) -> tuple[Tree, Aggregated]:
                after, said = rule.apply(key, state[i], rows)
                return (*state[:i], after, *state[i + 1 :]), said._replace(details={})

            return run

        return jax.lax.switch(which, [branch(i, rule) for i, rule in enumerate(rules)], rows)

    return Aggregator(init, apply)
