"""What parts must be and return, checked before anything is computed.

A *part* is an aggregator, attack, compressor, algorithm or problem.

    agreement     whether an algorithm, a problem and an attack fit together. Start here.
    constructors  `@part`: checks and records the arguments of constructors; parts made with f=None
    parts         what each kind of part must be, and the error if it is not
    returned      what functions of users return: shapes, dtypes and kinds
    recipes       what made a part, as JSON can hold it
    callers       warnings that point at the user's line

`constructors` is imported by every file that makes parts, `agreement` by what runs them. Numbers
and ranges are checked by `jaxbyz.checks`.
"""

__all__ = ["agreement", "callers", "constructors", "parts", "recipes", "returned"]
