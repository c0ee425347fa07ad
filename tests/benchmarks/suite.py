"""Where the time of the tests goes, by file: a plugin of pytest.

    make test ARGS="-p tests.benchmarks.suite"

One line a file: seconds of all its tests by the clock and on the processor (that of the worker
process alone, without processes that a test starts), and of these the seconds that JAX traced,
lowered and compiled; programs that were compiled, and those that were read from the cache instead.
"""

import collections
import time

import pytest

STEPS = {
    "/jax/core/compile/jaxpr_trace_duration": "traced",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowered",
    "/jax/core/compile/backend_compile_duration": "compiled",
}
READ = "/jax/compilation_cache/cache_hits"

so_far: dict[str, float] = collections.Counter()  # of this process


def _step(event, seconds, **_):
    if event in STEPS:
        so_far[STEPS[event]] += seconds
        if STEPS[event] == "compiled":
            so_far["programs"] += 1


def _read(event, **_):
    so_far["cached"] += event == READ


def pytest_configure():
    # Not before tests/conftest.py has said how to compile and where programs are kept: a plugin is
    # imported earlier, and JAX reads these settings when it is.
    import jax

    jax.monitoring.register_event_duration_secs_listener(_step)
    jax.monitoring.register_event_listener(_read)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    item.user_properties.append(("before", dict(so_far, processor=time.process_time())))
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "teardown":
        now, before = dict(so_far, processor=time.process_time()), dict(item.user_properties)
        report.spent = {name: now[name] - before["before"].get(name, 0.0) for name in now}
    return report


COLUMNS = ("clock", "processor", "traced", "lowered", "compiled", "programs", "cached", "tests")


def pytest_terminal_summary(terminalreporter):
    files = collections.defaultdict(collections.Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                spent = files[report.nodeid.partition("::")[0]]
                spent["clock"] += report.duration
                spent["tests"] += report.when == "teardown"
                spent.update(getattr(report, "spent", {}))
    files["all"] = sum(files.values(), collections.Counter())
    terminalreporter.section("where the time goes")
    terminalreporter.line(" ".join(f"{name:>9}" for name in COLUMNS))
    for name, spent in sorted(files.items(), key=lambda file: -file[1]["clock"]):
        numbers = " ".join(f"{spent[column]:9.1f}" for column in COLUMNS[:5])
        counts = " ".join(f"{spent[column]:9.0f}" for column in COLUMNS[5:])
        terminalreporter.line(f"{numbers} {counts}  {name}")
