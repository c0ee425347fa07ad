"""Two processes, connected on loopback, play what one device plays, bit by bit."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import test_placement as placement

SOME = ("rosdhb", "byz_vr_dm21")
PROGRAM = Path(__file__).with_name("one_process.py")


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


@pytest.mark.parametrize(
    "names",
    [
        SOME,
        pytest.param(tuple(set(placement.ALGORITHMS) - set(SOME)), marks=pytest.mark.long),
    ],
    ids=["some", "others"],
)
def test_two_processes_are_one_device(tmp_path, names):
    port = free_port()
    surroundings = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    surroundings["JAX_PLATFORMS"] = "cpu"
    running = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(i), str(port), str(tmp_path), *names],
            env=surroundings,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]
    errors = [process.communicate(timeout=900)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    for name in names:
        (_, hello), (end, records) = placement.reference(name, "ALIE")
        with np.load(tmp_path / f"{name}.npz") as stored:
            theirs = [stored[key] for key in stored.files]
        placement.assert_same(theirs, jax.tree.leaves((hello, end.server, records)))
