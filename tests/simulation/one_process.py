"""One of two processes that play together: `one_process.py ID PORT FOLDER NAMES…`.

Every process has two devices and half of the workers; process 0 writes what everybody knows. For
the names "train" and "compare", both write what these return; for "rules", the models that they
find with a server that is divided over all devices.
"""

import functools
import os
import re
import sys
from pathlib import Path

# Compiled as in the test, whose results are compared bit by bit.
os.environ["XLA_FLAGS"] = re.sub(r"(device_count)=\d+", r"\1=2", os.environ["XLA_FLAGS"])

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as Spec


def main(process, port, folder, *names):
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=int(process))
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    import test_placement as placement
    import test_two_processes as together

    from jaxbyz import simulation
    from jaxbyz.comparison import races

    assert jax.device_count() == 4
    assert jax.local_device_count() == 2
    mesh = Mesh(np.array(jax.devices()), ("workers",))

    def everywhere(leaf, spec):
        whole = np.asarray(leaf)
        sharding = NamedSharding(mesh, spec)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    if "train" in names:
        history = together.trained(devices=jax.devices(), progress=True)
        history.save(Path(folder) / f"train-{process}.npz")
        foreign = jax.devices()[2:] if int(process) == 0 else jax.devices()[:2]
        refusals = []
        failing = {"devices": jax.devices(), "on_evaluate": together.broken}
        second_alone = {"devices": jax.devices()}
        if int(process) == 1:
            second_alone["on_evaluate"] = together.enough
        for wrong in (
            {"devices": jax.devices(), "checkpoint": folder},
            {"devices": foreign},
            failing,
            second_alone,
        ):
            try:
                together.trained(**wrong)
            except (ValueError, RuntimeError) as error:
                refusals.append(str(error))
        # The second process does not even know of the function.
        listening = {"on_evaluate": together.enough} if int(process) == 0 else {}
        history = together.trained(devices=jax.devices(), **listening)
        history.save(Path(folder) / f"ended-{process}.npz")
        (Path(folder) / f"refused-{process}.txt").write_text("\n".join(refusals))
    if "compare" in names:
        if int(process) == 1:  # its programs are compiled in another order than those of process 0
            races.as_completed = lambda waiting: list(waiting)[::-1]
        race = together.compared(devices=jax.devices(), progress=True)
        np.savez(Path(folder) / f"compare-{process}.npz", **together.curves_of(race))
    if "rules" in names:
        import test_divided

        models = test_divided.models_of_all_rules(mesh)
        np.savez(Path(folder) / f"rules-{process}.npz", *models)
    # In the same order in both processes, which a set does not have.
    for name in sorted(set(names) - {"train", "compare", "rules"}):
        sim = placement.built(name, "ALIE", placement=simulation.along_axis())
        spread = functools.partial(simulation.over_mesh, mesh=mesh)
        play = placement.game(sim.init, sim.step, spread=spread)
        data = jax.tree.map(lambda leaf: everywhere(leaf, Spec("workers")), sim.data)
        x = everywhere(np.zeros(placement.DIMENSION, np.float32), Spec())
        keys = [
            everywhere(jax.random.key_data(key), Spec()) for key in (placement.INIT, placement.RUN)
        ]

        def whole(init, run, x, data, play=play):
            init, run = (jax.random.wrap_key_data(key) for key in (init, run))
            (_, hello), (end, records) = play(init, run, x, data)
            return hello, end.server, records

        found = jax.jit(whole)(*keys, x, data)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(found)]
        if int(process) == 0:
            np.savez(Path(folder) / f"{name}.npz", *leaves)
    jnp.zeros(()).block_until_ready()
    jax.distributed.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
