"""Runs side by side are the same runs: every rule, every method; and nothing moves their axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often

import jaxbyz as jb
from jaxbyz.batch_last import side_by_side
from jaxbyz.compressors.k_largest import are_largest
from jaxbyz.compressors.tournament import LEAST
from paper_figs import race

LANES = 5
PLACES = (-7, -1, 0, 2, 9)  # some outside, and then the nearest one inside
KNOWN = np.linspace(-1, 2, 4, dtype=np.float32)  # the same for all entries


def loop(turns, x):
    """Carries a counter that is the same for all, and a sum that differs from the second turn."""

    def turn(carried, row):
        count, total, late = carried
        found = jax.lax.dynamic_index_in_dim(x, count, keepdims=False) + row
        return (count + 1, total + found, total * late), (found, count)

    return jax.lax.scan(turn, (0, jnp.float32(0), jnp.float32(1)), KNOWN, length=turns)


def old_draws(x):
    with jax.threefry_partitionable(False):
        return x + jax.random.normal(jax.random.key(0), 4)


def loops(x):
    """A loop in a loop, one backwards and in strides of two; what is carried is swapped."""

    def inner(carried, row):
        a, b = carried
        return (b, a + row), b

    def outer(carried, row):
        return jax.lax.scan(inner, (carried, row), x, reverse=True, unroll=2)[1][0], row

    return jax.lax.scan(outer, jnp.float32(0), KNOWN)


STEPS = {
    "entrywise, with what is the same": lambda x: (x - KNOWN, 3 * x, x**2, jnp.exp(x) < 1),
    "of one row and many": lambda x: x[:, None] + x[None, :] * KNOWN[:, None],
    "a choice by a number": lambda x: jnp.where(x[0] > 0, x, KNOWN),
    "a choice by one of many": lambda x: jnp.where(KNOWN > 0, x, 0),
    "sums": lambda x: (x.sum(), jnp.outer(x, x).max(axis=0), (x > 0).any(), jnp.argmax(x)),
    "running sums": lambda x: jnp.cumsum(x),
    "shapes": lambda x: (x.reshape(2, 2).T, x[None], jnp.broadcast_to(x, (3, 4))),
    "parts": lambda x: (x[1:3], x[::2], x[::-1], jnp.squeeze(x[1:2], 0), x[-1]),
    "cut and repeated": lambda x: (jnp.split(x, 2), jnp.unstack(x), jnp.tile(x, (2, 3))),
    "joined": lambda x: (jnp.concatenate([KNOWN, x]), jnp.stack([x, KNOWN]), jnp.pad(x, 2)),
    "products": lambda x: (np.outer(KNOWN, KNOWN) @ x, KNOWN @ x),
    "a part from a place": lambda x: [
        jax.lax.dynamic_slice(x, (jnp.int32(place),), (2,)) for place in PLACES
    ],
    "a part put in a place": lambda x: [
        (
            jax.lax.dynamic_update_slice(x, KNOWN[:2], (jnp.int32(place),)),
            jax.lax.dynamic_update_slice(jnp.array(KNOWN), x[:2], (jnp.int32(place),)),
        )
        for place in PLACES
    ],
    "a loop": lambda x: loop(4, x),
    "loops": loops,
    "a loop that is the same": lambda x: x + loop(4, jnp.array(KNOWN))[1][0],
    "a branch for all": lambda x: jax.lax.cond(KNOWN.sum() > 0, lambda: x + 1, lambda: x * KNOWN),
    "a function of its own": lambda x: jax.jit(jnp.dot)(KNOWN, x) + x,
    "the same bits": lambda x: jax.lax.bitcast_convert_type(x, jnp.uint32),
    "nothing of it": lambda x: (KNOWN, 1, jnp.zeros(3)),
    "in and out": lambda x: {"it": x, "what is the same": KNOWN},
}
MOVED = {
    "products of two": lambda x: (x @ x, jnp.outer(x, x) @ x, x @ np.outer(KNOWN, KNOWN)),
    "a branch for some": lambda x: jax.lax.cond(x.sum() > 0, lambda: x + 1, lambda: x * KNOWN),
    "a loop of some turns": lambda x: jax.lax.while_loop(
        lambda y: (y < 3).any(), lambda y: y + 1, x
    ),
    "from any place": lambda x: (
        x[jnp.argsort(x)],
        x.at[jnp.argmax(x)].set(7),
        jax.lax.dynamic_slice(x, (jnp.argmax(x),), (2,)),
        jax.lax.dynamic_update_slice(x, KNOWN[:1], (jnp.argmax(x),)),
        jax.lax.pad(x, x[0], [(1, 0, 0)]),
    ),
    "sorted": lambda x: (
        jnp.sort(x), jax.lax.top_k(x, 2), jax.lax.sort((x, KNOWN, x**2), num_keys=2)
    ),
    "bytes": lambda x: (
        jax.lax.bitcast_convert_type(x, jnp.uint16),
        jax.lax.bitcast_convert_type(x[0], jnp.uint8),
        jax.lax.bitcast_convert_type(jax.lax.bitcast_convert_type(x, jnp.uint8), jnp.uint32),
    ),
    "rules of its own": lambda x: (jax.nn.relu(x), jnp.logaddexp(x, KNOWN), jax.nn.silu(x)),
    "made again": lambda x: jax.checkpoint(jnp.sin)(x) @ x,
    "for this kind of device": lambda x: jnp.diagonal(jnp.outer(x, x)),
    "keys": lambda x: jax.lax.scan(
        lambda key, k: (jax.random.fold_in(key, k), jax.random.bits(key)),
        jax.random.key(x[0].astype(int)),
        jnp.arange(3),
    )[1],
    "other draws": old_draws,
    "draws": lambda x: (
        jax.random.normal(jax.random.key(x[0].astype(int)), 3),
        x[0] * jax.random.uniform(jax.random.key(1)),
    ),
    "the largest": lambda x: jax.vmap(jb.top_k(k=2).compress, (None, 0))(None, jnp.outer(x, KNOWN)),
}  # fmt: skip
TURNED = np.random.default_rng(0).normal(size=(LANES, 4)).astype(np.float32)


@pytest.mark.parametrize("name", [*STEPS, *MOVED])
@pytest.mark.parametrize("compiled", [False, True])
def test_every_step_is_that_of_vmap(name, compiled):
    function = (STEPS | MOVED)[name]
    lanes = jax.jit(side_by_side(function)) if compiled else side_by_side(function)
    found, expected = lanes(TURNED), jax.vmap(function)(TURNED)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert ours.dtype == theirs.dtype
        # A few roundings, where products are summed in another order.
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def steps_of(program):
    for step in program.eqns:
        yield step.primitive.name
        for inner in jax.tree.leaves(step.params, is_leaf=lambda leaf: hasattr(leaf, "eqns")):
            if hasattr(inner, "jaxpr") or hasattr(inner, "eqns"):
                yield from steps_of(getattr(inner, "jaxpr", inner))


@pytest.mark.usefixtures("x64")
def test_dtypes_are_those_of_vmap():
    """Numbers that were written without a dtype stay so, and 64 bits are not lost."""
    weak = jnp.full(LANES, 2.0)
    assert jax.typeof(weak).weak_type
    functions = [
        lambda a: a * jnp.ones(2, jnp.bfloat16),
        lambda a: a * jnp.ones((), jnp.float32) + 1,
        lambda a: (a.astype(jnp.float32) + 0.1, a.astype(int) << 1, a.astype(jnp.float64) * 0.1),
    ]
    for function in functions:
        ours, theirs = (jax.tree.leaves(f(function)(weak)) for f in (side_by_side, jax.vmap))
        assert [jax.typeof(leaf) for leaf in ours] == [jax.typeof(leaf) for leaf in theirs]
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(1,), (0,), (1, 3), (3, 0)])
def test_small_shapes(shape):
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    function = lambda row: (row + 1, row.sum(), row[..., None] * KNOWN)  # noqa: E731
    for ours, theirs in zip(side_by_side(function)(x), jax.vmap(function)(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_derivatives_know_of_rules_of_their_own():
    """That of relu at 0 is 0, and not a half as that of the larger of two numbers."""
    slope = jax.grad(lambda x: side_by_side(jax.nn.relu)(x).sum())
    assert slope(jnp.array([-1.0, 0.0, 1.0])).tolist() == [0, 0, 1]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 9])
def test_the_tournament_is_played_side_by_side(workers):
    """Levels, so that there are ties; exactly the same."""
    x = np.random.default_rng(3).integers(-4, 5, (LEAST, workers, 7)).astype(np.float32)
    marks = jax.vmap(lambda row: are_largest(row, 3))
    np.testing.assert_array_equal(side_by_side(marks)(x), jax.vmap(marks)(x))
    np.testing.assert_array_equal(side_by_side(marks)(x), [marks(rows) for rows in x])


@pytest.mark.parametrize("name", STEPS)
def test_the_axis_stays_last(name):
    """Axes are exchanged as the function itself does, on the way in, and on the way out."""
    function = STEPS[name]
    ours = [*steps_of(jax.make_jaxpr(side_by_side(function))(TURNED).jaxpr)].count("transpose")
    own = [*steps_of(jax.make_jaxpr(function)(TURNED[0]).jaxpr)].count("transpose")
    outputs = jax.tree.leaves(jax.eval_shape(jax.vmap(function), TURNED))
    assert ours == own + 1 + sum(out.ndim > 1 for out in outputs)


def test_what_is_closed_over_may_be_traced():
    def function(scale, rows):
        return side_by_side(lambda row: scale * row.sum())(rows)

    found = jax.jit(function)(2.0, TURNED)
    # Sums of a few float32 numbers in another order.
    np.testing.assert_allclose(found, 2 * TURNED.sum(axis=1), rtol=1e-5)
    nested = side_by_side(lambda scale: side_by_side(lambda row: scale * row.sum())(TURNED))
    scales = jnp.arange(3.0)
    np.testing.assert_allclose(nested(scales), np.outer(scales, TURNED.sum(1)), rtol=1e-5)
    slope = jax.grad(lambda scale: function(scale, TURNED).sum())(1.0)
    np.testing.assert_allclose(slope, TURNED.sum(), rtol=1e-5)


def test_arguments_that_have_no_common_axis():
    with pytest.raises(ValueError, match="one leading axis"):
        side_by_side(lambda a, b: a + b)(jnp.ones(3), jnp.ones(2))
    with pytest.raises(ValueError, match="one leading axis"):
        side_by_side(lambda: 1)()
    with pytest.raises(ValueError, match="one leading axis"):
        side_by_side(lambda a: a)(jnp.float32(1))


with jax.enable_x64(False):
    ROWS = jb.data.synthetic_binary(samples=60, features=4, seed=0, density=0.5)
    SUMS = jb.problems.logistic(ROWS, honest=5, byzantine=2, batch=2)
METHODS = race.methods(SUMS.samples, f=2)


@pytest.mark.parametrize("name", often(METHODS, ("Byz-DM21",)))
def test_every_method_runs_side_by_side(name):
    rule = jb.nnm(2, jb.trimmed_mean(2))
    simulation = jb.build(METHODS[name](0.1, rule), SUMS, jb.alie())
    play = jb.run(simulation.step, 4, lambda state, info: info.uplink)

    def run(key, start):
        first, rounds = jax.random.split(key)
        return play(rounds, simulation.init(first, start, simulation.data)[0], simulation.data)

    keys = jax.random.split(jax.random.key(0), LEAST)
    starts = jax.vmap(SUMS.init)(keys)
    assert len(keys) >= LEAST  # Top-k is a tournament
    expected = jax.jit(jax.vmap(run))(keys, starts)
    found = jax.jit(side_by_side(run))(keys, starts)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        # The same sums in a different program; a few float32 roundings per round.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("together", [jax.vmap, side_by_side])
@pytest.mark.parametrize("entries", [1, 3, 4, 7])
def test_batches_are_all_entries(together, entries):
    rows = np.arange(2.0 * entries).reshape(entries, 2)
    mapped = jb.in_batches(3, together)(lambda row, k: (row.sum() * k, row))
    found = mapped(rows, np.arange(entries))
    np.testing.assert_array_equal(found[0], rows.sum(axis=1) * np.arange(entries))
    np.testing.assert_array_equal(found[1], rows)
    with pytest.raises(ValueError, match="one leading axis"):
        mapped(rows, np.arange(entries + 1))
