"""What parts must be and return, checked before anything is computed.

A *part* is an aggregator, attack, compressor, algorithm or problem.

    constructors  `@part`: checks and records the arguments of constructors; parts made with f=None.
                  Start here.
    parts         what each kind of part must be, and the error if it is not
    returned      what functions of users return: shapes, dtypes and kinds
    recipes       what made a part, as JSON can hold it
    shown         a part as text
    callers       warnings that point at the user's line

`core` imports `returned` and `shown`; every file that makes parts imports `constructors`. Whether
parts fit together is checked by `jaxbyz.simulation.agreement`, numbers and ranges by
`jaxbyz.checks`.
"""

__all__ = ["callers", "constructors", "parts", "recipes", "returned", "shown"]
