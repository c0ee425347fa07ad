"""Names that were replaced work for one release, and say what to write instead."""

import jax.numpy as jnp
import numpy as np
import pytest

import jaxbyz as jb
from jaxbyz.core import Aggregated, LinearPiece, ServerInfo
from jaxbyz.problems import LabelledVectors
from jaxbyz.theory import engines

TWO = jnp.array([True, False])


@pytest.mark.parametrize(
    ("read", "same", "said"),
    [
        (lambda: jb.TooManyBadRows, jb.RunDiverged, "jaxbyz.RunDiverged"),
        (lambda: jb.training.TooManyBadRows, jb.RunDiverged, "jaxbyz.training.RunDiverged"),
        (lambda: jb.comparison.Cell, jb.comparison.Curves, "jaxbyz.comparison.Curves"),
        (lambda: jb.core.Cell, LinearPiece, "jaxbyz.core.LinearPiece"),
        (lambda: jb.comparison.Row, jb.comparison.TableLine, "jaxbyz.comparison.TableLine"),
        (lambda: jb.problems.Rows, LabelledVectors, "jaxbyz.problems.LabelledVectors"),
        (lambda: engines.measure, engines.largest_ratio, "jaxbyz.theory.engines.largest_ratio"),
        (
            lambda: jb.aggregators.neutralize,
            jb.aggregators.replace_rejected,
            "jaxbyz.aggregators.replace_rejected",
        ),
    ],
)
def test_names_of_modules(read, same, said):
    with pytest.warns(DeprecationWarning, match=f"is now {said}; the old name goes"):
        assert read() is same


@pytest.mark.parametrize(
    "made", [Aggregated(TWO, TWO, {}), ServerInfo(TWO, TWO, TWO, {})], ids=["rule", "server"]
)
def test_rows_that_were_bad_are_rejected(made):
    with pytest.warns(DeprecationWarning, match=rf"{type(made).__name__}\.rejected") as caught:
        assert np.array_equal(made.bad, TWO)
    assert caught[0].filename == __file__  # the line that asked


def test_cells_of_a_rule_are_pieces():
    known = jb.aggregators.trimmed_mean(1).robustness
    with pytest.warns(DeprecationWarning, match=r"Robustness\.pieces") as caught:
        assert known.cells is known.pieces is not None
    assert caught[0].filename == __file__


def test_other_names_are_unknown():
    with pytest.raises(AttributeError, match="no attribute 'TooManyGoodRows'"):
        _ = jb.TooManyGoodRows
