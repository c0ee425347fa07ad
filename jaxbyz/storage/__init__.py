"""What is kept in files: written whole or not at all, and read as it was written or refused.

    arrays        named arrays in one .npz file, with a digest. Start here.
    checkpoints   states of a run, from which it goes on
    identities    what two runs must have in common for one to continue the other
    fingerprints  digests of traced programs and of their arrays
    paths, locks  what a path may be; one process at a time

Imported by what writes or reads results (`training`, `history`, `comparison`) and by nothing below.
"""

__all__ = ["arrays", "checkpoints", "fingerprints", "identities", "locks", "paths"]
