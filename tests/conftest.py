import os
import resource
from pathlib import Path

# Four devices on one host, so that sharded programs are tested; must be said before jax starts.
os.environ.setdefault("XLA_FLAGS", "")
if "device_count" not in os.environ["XLA_FLAGS"]:
    os.environ["XLA_FLAGS"] += " --xla_force_host_platform_device_count=4"
# Compiling is most of the time of the tests; at LLVM's first level it takes three quarters of it.
if "backend_optimization_level" not in os.environ["XLA_FLAGS"]:
    os.environ["XLA_FLAGS"] += " --xla_backend_optimization_level=1"
# Programs are kept from run to run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

import jax
import pytest

# Modules that tests read, not tests; their names meet those of folders of tests.
collect_ignore_glob = [
    "reference/*",
    "benchmarks/*",
    "mutants/*",
    "catalogue.py",
    "*/any_size.py",
    "*/killed_run.py",
    "*/one_process.py",
]

MEMORY = 6 * 2**20  # KiB; compiled programs of all tests together can take more


def pytest_configure(config):
    # Two test runs may meet in the cache; the program is then compiled as if it were not there.
    config.addinivalue_line("filterwarnings", "ignore:Error .* persistent compilation cache")


@pytest.fixture
def x64():
    """64-bit numbers for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True, scope="module")
def _bounded_memory():
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MEMORY:
        jax.clear_caches()
