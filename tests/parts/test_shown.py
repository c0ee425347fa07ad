"""Parts as notebooks print them."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from catalogue import AGGREGATORS, ATTACKS, COMPRESSORS
from every import for_every

import jaxbyz as jb

NAMES = {
    name: getattr(module, name)
    for module in (jb, jb.aggregators, jb.attacks, jb.compressors, jb.problems)
    for name in module.__all__
}


def is_plain(value):
    """Whether an argument is written so that it can be read back."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list):
        return all(map(is_plain, value))
    return not isinstance(value, str) or value.isidentifier()


PARTS = [entry.make(2) for entry in AGGREGATORS]
PARTS += [entry.make() for entry in ATTACKS] + [entry.make(4) for entry in COMPRESSORS]


@for_every("part", PARTS)
def test_every_part_is_one_line_that_makes_it_again(part):
    text = repr(part)
    assert " at 0x" not in text
    assert "\n" not in text
    assert text.startswith(f"{part.recipe.maker}(")
    if is_plain(dict(part.recipe.arguments)) and part.recipe.maker in NAMES:
        again = eval(text, dict(NAMES))
        assert again.recipe.arguments == part.recipe.arguments
        assert repr(again) == text


def test_problems_and_algorithms():
    problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
    assert eval(repr(problem), dict(NAMES)).recipe.arguments == problem.recipe.arguments
    digits = jb.problems.classification("digits", honest=3)
    assert repr(digits).startswith("classification(data='digits', root=None, honest=3, ")
    own = jb.problems.from_loss(
        lambda key: jnp.zeros(1), lambda p, s: p @ s, np.ones((4, 1)), honest=2
    )
    assert repr(own) == "Problem(name='own loss', honest=2, byzantine=0, dimension=1)"
    method = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.krum(f=None))
    assert "aggregator=krum(f=None, " in repr(method)
    assert " at 0x" not in repr(method)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (jb.alie()._replace(recipe=None), "Attack(name='ALIE')"),
        (jb.core.Aggregator(lambda d: None, lambda key, state, rows: None, f=2),
         "Aggregator(f=2, by_coordinate=False)"),
        (jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.mean())._replace(recipe=None),
         "Algorithm(name='robust D-SGD', incremental=False, aggregator=mean())"),
    ],
)  # fmt: skip
def test_what_was_made_by_hand(part, text):
    assert repr(part) == text
