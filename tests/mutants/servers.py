"""RoSDHB with one line wrong each: constructors with the arguments of the shipped one."""

import jax
import jax.numpy as jnp

from jaxbyz.algorithms import rosdhb
from jaxbyz.messages import SharedSupport


def _heard(change):
    """The shipped server, after a change of what it hears: change(values, arguments, broadcast)."""

    def make(**arguments):
        shipped = rosdhb(**arguments)

        def step(key, state, broadcast, messages):
            messages = SharedSupport(change(messages.values, arguments, broadcast))
            return shipped.server.step(key, state, broadcast, messages)

        return shipped._replace(server=shipped.server._replace(step=step))

    return make


def _share(broadcast):
    return broadcast.subset.shape[0] / broadcast.x.shape[0]


def _momentum(change):
    def make(**arguments):
        fresh = arguments["one_minus_momentum"]
        return rosdhb(**(arguments | {"one_minus_momentum": change(fresh)}))

    return make


def _masks(change):
    """The shipped server with other masks: change(key, state, draw) -> broadcast."""

    def make(**arguments):
        shipped = rosdhb(**arguments)
        server = shipped.server._replace(
            broadcast=lambda key, state: change(key, state, shipped.server.broadcast)
        )
        return shipped._replace(server=server)

    return make


def _step(change):
    """The shipped server, whose model is changed after the step: change(old state, new state)."""

    def make(**arguments):
        shipped = rosdhb(**arguments)

        def step(key, state, broadcast, messages):
            after, info = shipped.server.step(key, state, broadcast, messages)
            return change(state, after), info

        return shipped._replace(server=shipped.server._replace(step=step))

    return make


def _forced(key, state, draw):
    """Coordinate 0 is in every mask."""
    broadcast = draw(key, state)
    subset = broadcast.subset
    there = (subset == 0).any()
    return type(broadcast)(broadcast.x, jnp.where(there, subset, subset.at[0].set(0)))


def _unfaded(**arguments):
    """Off the mask, momenta stay as they were."""
    shipped = rosdhb(**arguments)

    def step(key, state, broadcast, messages):
        after, info = shipped.server.step(key, state, broadcast, messages)
        masked = jnp.zeros(state.x.shape[0], bool).at[broadcast.subset].set(True)
        return after._replace(momenta=jnp.where(masked, after.momenta, state.momenta)), info

    return shipped._replace(server=shipped.server._replace(step=step))


ROUNDS = {
    "d/k forgotten": _heard(lambda values, arguments, broadcast: values * _share(broadcast)),
    "d/k twice": _heard(lambda values, arguments, broadcast: values / _share(broadcast)),
    "1-β forgotten": _heard(
        lambda values, arguments, broadcast: values / arguments["one_minus_momentum"]
    ),
    "β and 1-β exchanged": _momentum(lambda fresh: 1 - fresh),
    "square root of β forgotten": _momentum(lambda fresh: 1 - (1 - fresh) ** 2),
    "momenta off the mask kept whole": _unfaded,
    "step twice as long": _step(lambda old, new: new._replace(x=2 * new.x - old.x)),
}
MASKS = {
    "one mask for ever": _masks(lambda key, state, draw: draw(jax.random.key(0), state)),
    "coordinate 0 in every mask": _masks(_forced),
}
