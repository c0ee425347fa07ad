"""A planted fault is found by the property that it breaks, and its reproducer shows it."""

import contextlib

import pytest

from jaxbyz.testing import PropertyFailed


def finds(check, property, name, part, sound=None, **claims):
    """The check of a faulty part names the property; its code fails, and not of a sound part."""
    with pytest.raises(PropertyFailed) as caught:
        check(part, **claims)
    failure = caught.value
    assert failure.property == property, str(failure)
    assert property in str(failure)
    assert failure.reproducer.splitlines()[0] == "import jax"
    assert fails(failure.reproducer, {name: part}), failure.reproducer
    if sound is not None:
        assert not fails(failure.reproducer, {name: sound}), failure.reproducer
    return failure


def fails(code, namespace):
    with contextlib.suppress(AssertionError, ValueError, TypeError):
        exec(code, namespace)
        return False
    return True
