"""Which cases of a long table run every time; `make test-all` runs the others as well."""

import pytest


def often(cases, chosen):
    """Cases for `parametrize`: those whose name is chosen as they are, the others marked long."""
    names = [str(case) for case in cases]
    unknown = set(chosen) - set(names)
    assert not unknown, f"no such cases: {sorted(unknown)}"
    return [
        pytest.param(
            *(case if type(case) is tuple else (case,)),
            id=name,
            marks=() if name in chosen else pytest.mark.long,
        )
        for case, name in zip(cases, names, strict=True)
    ]
