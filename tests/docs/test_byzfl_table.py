"""The table of docs/coming_from_byzfl.md: both columns give the same on the same rows.

What byzfl returned is in docs/byzfl_outcomes.json; byzfl itself is not needed.
"""

import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxbyz as jb
from jaxbyz.core import Aggregator, View

DOCS = Path(__file__).parents[2] / "docs"
STORED = json.loads((DOCS / "byzfl_outcomes.json").read_text())
PAGE = (DOCS / "coming_from_byzfl.md").read_text()
TABLE = dict(re.findall(r"^\| `([^`]+)` \| `(jb\.[^`]+)` \|", PAGE, flags=re.MULTILINE))


def outcome(part, rows, f):
    """A rule on all rows, an attack on the honest ones."""
    if isinstance(part, Aggregator):
        return part.apply(None, part.init(rows.shape[1]), rows)[1].value
    honest = rows[: len(rows) - f]
    view = View(jnp.array(1), honest, None, None, None, None, None, f)
    key = jax.random.key(0)
    return part.forge(key, part.init(key, rows.shape[1]), view)[1][0]


@pytest.mark.parametrize("name", STORED["outcomes"])
def test_both_columns_give_the_same(name):
    part = eval(TABLE[name], {"jb": jb})
    found = outcome(part, jnp.array(STORED["rows"], jnp.float32), STORED["f"])
    # byzfl computed in 64 bits.
    np.testing.assert_allclose(found, STORED["outcomes"][name], rtol=1e-5, atol=1e-6)


def test_the_page_names_the_version():
    assert STORED["byzfl"] in PAGE
