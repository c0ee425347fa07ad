"""Results in files, and compiled programs in the process.

    arrays        named arrays in one .npz file, with a digest. Start here.
    checkpoints   states of a run, from which it is continued
    paths, locks  what a path may be; one process at a time
    programs      compiled programs, found by what they compute
    fingerprints  digests of traced programs and of their arrays
    lifting       numbers that are written in a program, as arguments of it
    remembered    what was read in a traced program, for as long as the program is kept

A file is written completely or not at all; a damaged file is never read. Imported by what writes
or reads results (`training`, `history`, `metrics`, `comparison`, figures), and by what compiles;
`simulation.identities` takes fingerprints from here, and `data` takes `paths`.
"""

__all__ = [
    "arrays",
    "checkpoints",
    "fingerprints",
    "lifting",
    "locks",
    "paths",
    "programs",
    "remembered",
]
