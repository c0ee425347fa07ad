"""Results in files. A file is written completely or not at all; a damaged file is never read.

    arrays        named arrays in one .npz file, with a digest. Start here.
    checkpoints   states of a run, from which it is continued
    fingerprints  digests of traced programs and of their arrays
    paths, locks  what a path may be; one process at a time

Imported by what writes or reads results (`training`, `history`, `metrics`, `comparison`, figures);
`simulation.identities` takes fingerprints from here, and `data` takes `paths`.
"""

__all__ = ["arrays", "checkpoints", "fingerprints", "locks", "paths"]
