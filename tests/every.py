"""One test for a whole list of values: thousands of tests of a millisecond each cost their reports.

    @for_every("module", MODULES)
    def test_something(module): ...

is one test, which names every module that fails, and why.
"""

import functools

import pytest


def for_every(name, values):
    """A decorator: call the test with `name=value` for every value; all failures are reported."""

    def decorate(test):
        def whole():
            failures = []
            for value in values:
                try:
                    test(**{name: value})
                except pytest.skip.Exception:
                    continue
                except AssertionError as error:
                    failures.append(f"{name} = {value}: {error}")
            assert not failures, "\n\n".join(failures)

        functools.update_wrapper(whole, test)
        del whole.__wrapped__  # its arguments would be taken for fixtures
        return whole

    return decorate
