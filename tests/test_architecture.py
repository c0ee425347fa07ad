"""Who may import whom, who may talk to devices, and what every public name has.

messages, column_passes, partitioned, sanitize, checks → core, contracts → compressors, aggregators,
attacks, problems, data, faulty_rounds → algorithms → simulation → training and what users meet; an
arrow reads "is imported by".
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from every import for_every

ROOT = Path(__file__).parents[1] / "jaxbyz"

LEVELS = {
    "messages": 0,
    "column_passes": 0,
    "partitioned": 0,
    "sanitize": 0,
    "deprecations": 0,
    "checks": 0,
    "contracts": 0,
    "contracts.callers": 0,
    "contracts.returned": 0,
    "contracts.shown": 0,
    "seeds": 0,
    "core": 1,
    "storage": 1,
    "contracts.recipes": 1,
    "contracts.parts": 1,
    "contracts.constructors": 1,
    "faulty_rounds": 2,
    "compressors": 2,
    "aggregators": 2,
    "attacks": 2,
    "problems": 2,
    "data": 2,
    "algorithms": 3,
    "simulation": 4,
    "comparison": 5,
    "grids": 5,
}
TRAINING = 5  # training, history, checkpoints, plotting, … : whatever else is at the top
BESIDE = {"theory", "testing"}  # read everything, are read by nobody below paper_figs and tests
SIBLINGS = {
    ("problems", "data"),
    ("contracts.returned", "checks"),
    ("seeds", "checks"),
    ("column_passes", "partitioned"),
    ("partitioned", "seeds"),
    ("contracts.recipes", "core"),
    ("contracts.parts", "core"),
    ("contracts.parts", "contracts.recipes"),
    ("contracts.constructors", "core"),
    ("contracts.constructors", "contracts.parts"),
    ("contracts.constructors", "contracts.recipes"),
}  # who may import whom within one level
NOT_FOR_ALGORITHMS = {"attacks", "problems", "simulation", "theory"}

WHERE = {
    "flax": lambda module: room(module) == "problems",
    "optax": lambda module: (
        room(module) == "algorithms"
        or module in {"jaxbyz.problems.classification", "jaxbyz.grids.parts"}
    ),
    "orbax": lambda module: room(module) == "storage",
    "matplotlib": lambda module: level(module) == TRAINING,
    "pandas": lambda module: level(module) == TRAINING,
    "tqdm": lambda module: level(module) == TRAINING,
    "sklearn": lambda module: room(module) == "data",
    # SciPy comes with jax; the programs of worst columns are classic.
    "scipy": lambda module: module == "jaxbyz.aggregators.analysis.exact_columns",
}
COLLECTIVES = {
    "all_gather",
    "all_gather_invariant",
    "all_to_all",
    "axis_index",
    "axis_size",
    "pbroadcast",
    "pcast",
    "pmap",
    "pmax",
    "pmean",
    "pmin",
    "ppermute",
    "pshuffle",
    "psum",
    "psum_scatter",
    "ragged_all_to_all",
    "shard_map",
}


def module_name(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
every = for_every("module", list(TREES))


def room(module):
    """jaxbyz.attacks.data -> attacks; the package itself has none.

    `core` uses `contracts.returned`, and all else in `contracts` uses the core: each file there is
    a room.
    """
    first, *rest = [*module.split("."), ""][1:]
    return f"{first}.{rest[0]}" if first == "contracts" and rest[:-1] else first


def level(module):
    return LEVELS.get(room(module), TRAINING)


def imports(module):
    """Names of all modules imported anywhere in a file, lazily or not."""
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:  # from jaxbyz import checks names a module
                full = f"{base}.{alias.name}"
                yield full if full in FILES else base


def own_imports(module):
    return [name for name in imports(module) if name.split(".")[0] == "jaxbyz"]


def test_all_rooms_are_known():
    assert set(LEVELS) <= {room(module) for module in FILES}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages <= {*LEVELS, *BESIDE}


@every
def test_imports_go_down(module):
    if room(module) in {"", *BESIDE}:
        pytest.skip("reads everything")
    for target in own_imports(module):
        mine, other = room(module), room(target)
        allowed = (
            level(target) < level(module)
            or mine == other
            or (mine, other) in SIBLINGS
            or level(target) == level(module) == TRAINING
        )
        assert allowed, f"{module} imports {target}"
        assert other not in {"", *BESIDE}, f"{module} imports {target}"


@every
def test_algorithms_see_no_attack_no_problem_and_no_simulation(module):
    if room(module) == "algorithms":
        assert not {room(target) for target in own_imports(module)} & NOT_FOR_ALGORITHMS


@every
def test_libraries_are_used_where_they_belong(module):
    if room(module) in BESIDE:
        pytest.skip("beside the layers")
    for target in imports(module):
        library = target.split(".")[0]
        assert WHERE.get(library, lambda module: True)(module), f"{module} imports {target}"


@every
def test_devices_meet_in_one_file_only(module):
    if module == "jaxbyz.simulation.placement":
        return
    names = {node.attr for node in ast.walk(TREES[module]) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(TREES[module]) if isinstance(node, ast.Name)}
    assert not names & COLLECTIVES


def calls(module):
    """Names of the functions called in a file, except in what runs as a script."""
    skipped = set()
    for node in TREES[module].body:
        if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test):
            skipped |= set(ast.walk(node))
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Call) and node not in skipped:
            yield ast.unparse(node.func)


@every
def test_the_library_does_not_print(module):
    if not module.endswith("__main__"):
        assert "print" not in calls(module)


@every
def test_parts_and_algorithms_are_not_compiled_by_themselves(module):
    # `batches` is what is called step by step with many small steps.
    # `compiled` is where a session is compiled, for whoever drives it from the host, with `seeds`;
    # `programs` keeps what was compiled; `finite_sums` has a model traced once in a program.
    free = room(module) == "data" or module in {
        "jaxbyz.seeds",
        "jaxbyz.compressors.batch_aware",
        "jaxbyz.problems.finite_sums",
        "jaxbyz.simulation.compiled",
        "jaxbyz.storage.programs",
    }
    if level(module) < TRAINING and not free:
        assert not {"jax.jit", "jit", "open", "jax.debug.print"} & set(calls(module))


@pytest.mark.parametrize("module", ["jaxbyz.theory.audit", "paper_figs.race"])
def test_importing_starts_no_device(module):
    """Otherwise flags, numbers of devices and `jax.distributed` could not be set after it."""
    # JAX refuses this setting once it has started.
    code = f"import jax, {module}; jax.config.update('jax_num_cpu_devices', 1)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent, env=without_flags())


def test_importing_loads_nothing_that_waits_until_it_is_used():
    """What takes long to import is imported by the functions that use it."""
    late = ["flax.nnx", "matplotlib", "orbax", "pandas", "scipy.optimize", "sklearn", "tqdm"]
    code = f"import sys, jaxbyz; sys.exit(str([name for name in {late} if name in sys.modules]))"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT.parent, env=without_flags(), capture_output=True,
        text=True,
    ).stderr  # fmt: skip
    assert said.strip() == "[]"


def without_flags():
    return {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}


def public(module):
    """What `__all__` lists, [] where there is none."""
    for node in TREES[module].body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def bound(module):
    """Names bound at the top of a file."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


@every
def test_every_module_and_public_name_has_a_docstring(module):
    tree = TREES[module]
    assert ast.get_docstring(tree), f"{module} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{module}.{node.name} has no docstring"


@every
def test_public_names_exist_once(module):
    names = public(module)
    assert len(names) == len(set(names))
    missing = set(names) - set(bound(module))
    assert not {name for name in missing if f"{module}.{name}" not in TREES}


def test_packages_say_what_is_public():
    for module, path in FILES.items():
        if path.name == "__init__.py":
            assert public(module), f"{module} has no __all__"


def test_the_version_is_that_of_the_installed_package():
    import importlib.metadata

    import jaxbyz

    assert jaxbyz.__version__ == importlib.metadata.version("jaxbyz")
