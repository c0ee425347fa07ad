"""From parts to runs: pure functions that others map over seeds, compile and divide over devices.

    rounds      build: an algorithm, a problem and an attack as `init` and `step`. Start here.
    sessions    a run of many rounds: start, advance, measure. `train` and `compare` drive these.
    compiled    a session of many seeds, compiled
    agreement   whether an algorithm, a problem and an attack fit together
    identities  what two runs must have in common for one to continue the other
    absence     rounds in which some workers take no part
    placement   workers in one program, or divided over devices (`over_mesh`, `over_pmap`)
    devices     the devices, and arrays that are placed on them
    mapping     `one_by_one`, `in_batches`: in place of `jax.vmap` over workers or seeds
    state       the types

It imports the parts below it, and never `training` or `comparison`, which import this.
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
    "assemble", "build", "divided", "in_batches", "off_the_mesh", "one_by_one", "over_mesh", "over_pmap",
    "require_even", "run", "session",
]  # fmt: skip
