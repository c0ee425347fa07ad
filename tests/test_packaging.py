"""What is built of this repository: an sdist and a wheel with what belongs in them, which work."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Of a checkout, not of the repository.
NOT_OURS = shutil.ignore_patterns(
    ".git", ".venv*", ".*cache", "*.egg-info", "__pycache__", "build", "dist", "_build", "results",
    ".ipynb_checkpoints", "node_modules",
)  # fmt: skip
BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""
USE = """
import json, pathlib, runpy, sys
import jaxbyz as jb, optax
problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
sgd = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean())
history = jb.train(sgd, problem, attack=jb.ipm(), rounds=2, evaluate_every=1, progress=False)
package = pathlib.Path(jb.__file__).parent
stored = sorted((package / "theory" / "proofs" / "stored").glob("*.json"))
from jaxbyz.__main__ import main
race = main(["race", "--example"])
sys.argv = ["checker", str(stored[0])]
try:
    runpy.run_path(str(package / "theory" / "checker"), run_name="__main__")
    verified = 0
except SystemExit as over:
    verified = over.code
print(json.dumps({
    "package": str(package), "typed": (package / "py.typed").exists(), "version": jb.__version__,
    "rounds": history.rounds.tolist(), "verified": verified,
    "stored": len(stored), "race": race,
}), file=sys.stderr)
"""


def build(what, where, target):
    """The name of what setuptools builds of a folder; whatever is in this environment."""
    command = [sys.executable, "-c", BUILD, what, str(target)]
    said = subprocess.run(command, cwd=where, check=True, capture_output=True, text=True).stdout
    return target / said.splitlines()[-1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, the wheel that is built of it, and an editable wheel."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.split(".")[0]) < 77:
        pytest.skip("setuptools >= 77 builds this package")
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "copy", ignore=NOT_OURS)
    sdist = build("build_sdist", folder / "copy", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    source = folder / sdist.name.removesuffix(".tar.gz")
    (folder / "editable").mkdir()
    editable = build("build_editable", folder / "copy", folder / "editable")
    return source, build("build_wheel", source, folder), editable


def ours(folder):
    """Files of the package, and data that lie beside them."""
    paths = (
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return {path.relative_to(folder.parent).as_posix() for path in paths}


def test_the_source_distribution_has_everything(built):
    source, _, _ = built
    have = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert ours(ROOT / "jaxbyz") <= have
    for name in ("README.md", "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE",
                 "Makefile", "pyproject.toml", ".ci/run", "tests/conftest.py",
                 "notebooks/quickstart.ipynb", "paper_figs/gallery/README.md",
                 "docs/examples/README.md"):  # fmt: skip
        assert name in have
    assert not [name for name in have if "__pycache__" in name or "paper_figs/results" in name]


def test_the_wheel_has_the_package_and_nothing_else(built):
    _, wheel, _ = built
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    assert names == ours(ROOT / "jaxbyz")
    assert "License-Expression: MIT" in text
    assert "arxiv.org/abs/2508.17129" in text


def test_the_wheel_works_where_nothing_else_of_the_repository_is(built, tmp_path):
    _, wheel, _ = built
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-compile", "--target", str(tmp_path / "site"), str(wheel)],
        check=True,
    )  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    said = json.loads(done.stderr.splitlines()[-1])
    assert Path(said["package"]) == tmp_path / "site" / "jaxbyz"
    assert said["typed"]
    assert said["rounds"] == [0, 1, 2]
    assert said["verified"] == said["race"] == 0
    assert said["stored"] >= 31


def test_an_editable_install_is_a_path_which_mypy_follows(built):
    """mypy and editors do not run the import hooks that setuptools writes otherwise."""
    source, _, editable = built
    with zipfile.ZipFile(editable) as archive:
        (link,) = (name for name in archive.namelist() if name.endswith(".pth"))
        assert archive.read(link).decode().strip() == str(source.parent / "copy")
        assert not [name for name in archive.namelist() if "finder" in name]
