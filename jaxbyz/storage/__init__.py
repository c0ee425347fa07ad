"""Results in files. A file is written completely or not at all; a damaged file is never read.

    arrays        named arrays in one .npz file, with a digest. Start here.
    checkpoints   states of a run, from which it is continued
    identities    what two runs must have in common for one to continue the other
    fingerprints  digests of traced programs and of their arrays
    paths, locks  what a path may be; one process at a time

Imported by what writes or reads results (`training`, `history`, `comparison`) and by nothing below.
"""

__all__ = ["arrays", "checkpoints", "fingerprints", "identities", "locks", "paths"]
