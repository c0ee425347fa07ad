"""States that are laid out over devices and fetched again are the same states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

from jaxbyz.simulation.layout import Layout
from jaxbyz.simulation.placement import filled_up
from jaxbyz.simulation.state import SimulationState


def states_of(seeds, workers, d):
    """Of many types; lengths of axes that happen to be d among them, and keys."""

    def numbers(*shape, dtype=np.float32):
        return np.arange(np.prod(shape)).reshape(shape).astype(dtype)

    def keys(*shape):
        return jax.random.split(jax.random.key(1), shape)

    server = Server(numbers(seeds, d))
    server.more = {
        "rows": numbers(seeds, workers, d, dtype=jnp.bfloat16),
        "by worker": numbers(seeds, workers, dtype=np.int32),
        "key": keys(seeds),
        "keys": keys(seeds, d),
    }
    own = {"vector": numbers(seeds, workers, d), "key": keys(seeds, workers)}
    attack = numbers(seeds, d, workers)
    return SimulationState(np.zeros(seeds, np.int32), own, server, attack)


@jax.tree_util.register_pytree_node_class
class Server:
    def __init__(self, x, more=None):
        self.x, self.more = x, more

    def tree_flatten(self):
        return (self.x, self.more), None

    @classmethod
    def tree_unflatten(cls, _, parts):
        return cls(*parts)


def assert_equal(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = map(jax.random.key_data, (a, b))
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("seeds", "workers", "d", "devices"), [(2, 5, 7, 3), (2, 2, 2, 8)])
def test_states_come_back_as_they_were(seeds, workers, d, devices):
    states = states_of(seeds, workers, d)

    def filled(leaf):
        return jnp.moveaxis(filled_up(jnp.moveaxis(leaf, 1, 0), devices), 0, 1)

    inside = states._replace(workers=jax.tree.map(filled, states.workers))
    mesh = Mesh(np.array(jax.devices()[:devices]), ("workers",))
    layout = Layout(mesh, workers, jax.eval_shape(lambda: inside))
    placed = layout.placed(states)
    for leaf in jax.tree.leaves(placed):
        assert len(leaf.devices()) == devices
    assert placed.server.x.addressable_shards[0].data.shape == (seeds, -(-d // devices))
    assert_equal(layout.fetched(placed), states)
    assert_equal(layout.in_program(placed), inside)
    assert_equal(layout.at_rest(layout.in_program(placed)), placed)
