"""From parts to runs: pure functions, mapped over seeds, compiled, divided over devices.

It imports the parts below it, and `training` and `comparison` import it.

    rounds      build: an algorithm, a problem and an attack as `init` and `step`. Start here.
    forging     the attack's part of a round
    sessions    a run of many rounds: start, advance, measure; compiled: one of many seeds
    agreement   whether an algorithm, a problem and an attack fit together
    identities  what two runs must have in common for one to continue the other
    absence     rounds in which some workers take no part
    placement   workers and server in one program, or divided over devices
    devices     the devices, and arrays that are placed on them
    layout      where the states of a run lie between its programs
    mapping     `one_by_one`, `in_batches`: in place of `jax.vmap` over workers or seeds
    state       the types
"""

from jaxbyz.partitioned import AXIS
from jaxbyz.simulation.mapping import in_batches, one_by_one
from jaxbyz.simulation.placement import (
    Placement,
    along_axis,
    divided,
    off_the_mesh,
    over_mesh,
    over_pmap,
    require_even,
)
from jaxbyz.simulation.rounds import assemble, build
from jaxbyz.simulation.sessions import Session, run, session
from jaxbyz.simulation.state import RoundInfo, Simulation, SimulationState

__all__ = [
    "AXIS", "Placement", "RoundInfo", "Session", "Simulation", "SimulationState", "along_axis",
    "assemble", "build", "divided", "in_batches", "off_the_mesh", "one_by_one", "over_mesh",
    "over_pmap", "require_even", "run", "session",
]  # fmt: skip
