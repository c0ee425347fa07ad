"""What was once found out about a traced program, kept for as long as the program is.

A function that JAX has traced before is the same program, one Python object, wherever it is called:
in the next trace too. A program does not change, so it need not be read again.
"""

import functools
import weakref
from collections.abc import Callable
from typing import Any

from jax.extend import core


def of_programs(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function (program, *further arguments), which reads a program once for each of them.

    What it returns must not hold the program, and nobody may change it.

    >>> import jax
    >>> program = jax.make_jaxpr(lambda x: x + 1)(1.0).jaxpr
    >>> count = of_programs(lambda program: print("reads") or len(program.eqns))
    >>> count(program), count(program)
    reads
    (1, 1)
    """
    known: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def found(program: core.Jaxpr, *further: Any) -> Any:
        answers = known.setdefault(program, {})
        if further not in answers:
            answers[further] = function(program, *further)
        return answers[further]

    return found
