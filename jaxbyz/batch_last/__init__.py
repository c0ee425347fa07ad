"""`side_by_side`, a `jax.vmap` that keeps the mapped axis last: for many seeds of small problems.

Beside `in_batches(128)` with `jax.vmap`, 1000 seeds, d = 10 to 100 (`tests/benchmarks/batch_last`):
Byz-DM21 with Top-k takes 0.4 to 0.65 of the time and robust D-SGD 0.45, both with the trimmed mean;
with NNM before it 0.55 to 1. RoSDHB, which draws a mask, takes 1 to 2 times as long, and five seeds
of digits 1.7 times. So it is a choice of the caller, and nothing in the library uses it.

    mapping          `side_by_side`; start reading here
    interpreter      evaluates the traced steps of a function, each for all entries at once
    batching_rules   steps that leave the mapped axis last, where JAX would move it
    batched_values   which values differ between entries; all others stay one value

Imported by the simulation (`entries_of`) and by users; it imports nothing of the library.
"""

from jaxbyz.batch_last.mapping import entries_of, side_by_side

__all__ = ["entries_of", "side_by_side"]
