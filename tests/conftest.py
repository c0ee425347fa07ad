import contextlib
import gc
import os
import platform
import resource
import time
from importlib.metadata import version
from pathlib import Path

import pytest

# Eight devices on one host, so that sharded programs are tested; must be said before jax starts.
flags = [os.environ.get("XLA_FLAGS", "")]
if "device_count" not in flags[0]:
    flags.append("--xla_force_host_platform_device_count=8")
# Compiling is most of the time of the tests. At LLVM's first level, with XLA's older emitters of
# fused loops where it still has them, and each program made in one piece and not on all cores, it
# takes half of that time, and without LLVM's optimisation a third. But then products and sums are
# joined, a·b + c with one rounding, in some programs and not in others, and places and processes no
# longer agree bit by bit. So what joins them is not used: on x86, instructions younger than AVX.
# Tests that compute for longer than they compile are `optimized`.
# A level that is given stays: `make test-all` compiles as users do.
if "backend_optimization_level" not in flags[0]:
    flags.append("--xla_backend_optimization_level=1")
    if version("jaxlib").startswith("0.10."):
        flags.append("--xla_cpu_use_fusion_emitters=false")
        flags.append("--xla_cpu_parallel_codegen_split_count=1")
        if platform.machine() in ("x86_64", "AMD64"):
            flags.append("--xla_cpu_max_isa=AVX")
            os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ["XLA_FLAGS"] = " ".join(flags).strip()
# Programs are kept from run to run, however small: outside of the checkout, for its next clone
# too, and in the environment, for the processes that tests start.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxbyz-tests"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# Which lines of Python an instruction comes from is written into programs, ten frames for each, and
# read by nobody here: without that, lowering takes less.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
DAYS = 30  # after which a program that nobody read is deleted

import jax  # noqa: E402

# Modules that tests read, not tests; their names meet those of folders of tests.
collect_ignore_glob = [
    "reference/*",
    "benchmarks/*",
    "mutants/*",
    "catalogue.py",
    "*/any_size.py",
    "*/killed_run.py",
    "*/one_process.py",
    "*/some_rows.py",
]

MEMORY = 6 * 2**20  # KiB; compiled programs of all tests together can take more

# Tracing makes many small objects, few of them in cycles, and Python looks for cycles after every
# 700 new ones: a third of the time in which tests are found, and a tenth of that in which they run.
# So it looks less often.
gc.set_threshold(50_000, 20, 10)


def pytest_configure(config):
    # Two test runs may meet in the cache; the program is then compiled as if it were not there.
    config.addinivalue_line("filterwarnings", "ignore:Error .* persistent compilation cache")
    if not hasattr(config, "workerinput"):  # once for all workers
        forget(CACHE)


def pytest_collection_finish():
    gc.freeze()  # a million objects that stay to the end: they are not looked at again


def forget(folder):
    """Delete what was read last (to the day, which is what file systems note) so long ago."""
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another run deletes too
            if path.stat().st_atime < time.time() - DAYS * 86400:
                path.unlink()


@pytest.fixture
def x64():
    """64-bit numbers for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def x32():
    """32-bit numbers for one test, whatever JAX is set to."""
    with jax.enable_x64(False):
        yield


@pytest.fixture
def optimized():
    """Programs of one test at LLVM's first level: they run for longer than that takes."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True, scope="module")
def _bounded_memory():
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MEMORY:
        jax.clear_caches()
        gc.collect()
