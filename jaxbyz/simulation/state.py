"""The types of a simulation: its state, the results of a round, and its functions."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxbyz.core import Key, ServerInfo, Tree


class SimulationState(NamedTuple):
    """Everything that the next round depends on."""

    round: jax.Array  # [] int32, rounds done
    workers: Tree  # leaves [m, ...], one entry for every worker that computes
    server: Tree
    attack: Tree


class RoundInfo(NamedTuple):
    """Results of one round, to be looked at."""

    uplink: jax.Array  # [n, 2] uint32, exact bits of every message as (high, low) words
    downlink: jax.Array  # [2] uint32, bits of the broadcast to one worker that is asked
    server: ServerInfo
    faulty: jax.Array  # [n] bool, honest workers that sat the round out; not in `server.rejected`
    asked: jax.Array  # [n] bool, workers that took part; all, but for partial participation


class Simulation(NamedTuple):
    """Pure functions, and the data they take."""

    init: Callable[[Key, jax.Array, Tree], tuple[SimulationState, RoundInfo | None]]
    step: Callable[[Key, SimulationState, Tree], tuple[SimulationState, RoundInfo]]
    data: Tree  # leaves [m, ...]
