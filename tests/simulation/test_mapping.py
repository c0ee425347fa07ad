"""`in_batches` maps as `vmap` does; `side_by_side` is what it was called like."""

import jax
import numpy as np
import pytest

import jaxbyz as jb


@pytest.mark.parametrize("entries", [1, 3, 4, 7])
def test_batches_are_all_entries(entries):
    rows = np.arange(2.0 * entries).reshape(entries, 2)
    mapped = jb.in_batches(3)(lambda row, k: (row.sum() * k, row))
    found = mapped(rows, np.arange(entries))
    np.testing.assert_array_equal(found[0], rows.sum(axis=1) * np.arange(entries))
    np.testing.assert_array_equal(found[1], rows)
    with pytest.raises(ValueError, match="one leading axis"):
        mapped(rows, np.arange(entries + 1))


@pytest.mark.parametrize("arguments", [(), (np.float32(1),)])
def test_arguments_that_have_no_leading_axis(arguments):
    with pytest.raises(ValueError, match="one leading axis"):
        jb.in_batches(3)(lambda *a: a)(*arguments)


def test_side_by_side_is_vmap_for_one_release():
    rows = np.arange(6.0).reshape(3, 2)
    with pytest.warns(DeprecationWarning, match=r"side_by_side is now jax\.vmap"):
        mapped = jb.side_by_side(lambda row: row.sum())
    np.testing.assert_array_equal(mapped(rows), jax.vmap(lambda row: row.sum())(rows))
