"""What parts promise one another, judged before anything is computed.

    constructors  `@part`: arguments of constructors are judged, recorded, and may wait for f
    parts         what an aggregator, an algorithm, an attack … must be; one sentence if it is not
    returned      what functions of users return: shapes, dtypes and kinds
    agreement     whether an algorithm, a problem and an attack suit one another. Start here.
    recipes       what made a part, in what JSON can hold
    callers       warnings that point at the user's line

`constructors` is imported by every file that makes parts, `agreement` by what runs them. Numbers
and ranges are judged by `jaxbyz.checks`.
"""

__all__ = ["agreement", "callers", "constructors", "parts", "recipes", "returned"]
