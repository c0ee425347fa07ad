"""Old names of what was renamed: they work for one release, and warn of the new name."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any


def renamed(
    module: str, names: Mapping[str, str], namespace: Mapping[str, Any]
) -> Callable[[str], Any]:
    """`__getattr__` of a module some of whose names were replaced.

    Args:
        module: its name.
        names: old -> new.
        namespace: the module's `globals()`.

    >>> old = renamed("here", {"Cell": "Curves"}, {"Curves": 1})
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     old("Cell")
    1
    >>> str(caught[0].message)
    'here.Cell is now here.Curves; the old name goes with the next release'
    """

    def __getattr__(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn_renamed(f"{module}.{name}", f"{module}.{names[name]}")
        return namespace[names[name]]

    return __getattr__


def renamed_field(owner: Any, old: str, new: str) -> Any:
    """The value of a renamed field, read under its old name; warns of the new one.

    >>> class Info:
    ...     rejected = 3
    ...     bad = property(lambda self: renamed_field(self, "bad", "rejected"))
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     Info().bad
    3
    >>> str(caught[0].message)
    'Info.bad is now Info.rejected; the old name goes with the next release'
    """
    kind = type(owner).__name__
    warn_renamed(f"{kind}.{old}", f"{kind}.{new}", level=4)
    return getattr(owner, new)


def warn_renamed(old: str, new: str, level: int = 3) -> None:
    """Warn of an old name at the line of the caller's caller, or `level` - 3 frames above it."""
    message = f"{old} is now {new}; the old name goes with the next release"
    warnings.warn(message, DeprecationWarning, stacklevel=level)
