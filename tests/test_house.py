"""One word for one thing, functions of one page, packages that say what is in them, and the map.

The words are those of the glossary in CONTRIBUTING.md.
"""

import ast
import re
from pathlib import Path

import pytest
from every import for_every

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jaxbyz"
TREES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
every = for_every("file", list(TREES))

# A word that no name may hold -> the word of the glossary.
FORBIDDEN = {
    "admit": "sanitize",
    "admitted": "sanitized",
    "agent": "worker",
    "announce": "broadcast",
    "announced": "broadcast",
    "announces": "broadcasts",
    "bad": "rejected (a row), faulty (an honest worker)",
    "client": "worker",
    "clients": "worker",
    "climb": "search",
    "coordinator": "server",
    "defence": "aggregator",
    "defense": "aggregator",
    "entrance": "sanitize",
    "game": "run",
    "games": "runs",
    "gar": "aggregator",
    "heard": "received",
    "lane": "run, one of many that are mapped",
    "ledger": "metrics",
    "lie": "forge",
    "liars": "Byzantine workers; forged (their rows)",
    "lies": "forged",
    "mirror": "estimate",
    "mirrors": "estimates",
    "neutralize": "sanitize",
    "nodes": "workers",
    "oversized": "rejected",
    "peer": "worker",
    "play": "run",
    "played": "run",
    "refused": "rejected",
    "unheard": "rejected",
}
# Where such a word is the old name of something, kept for one release, or not our own.
ALLOWED = {
    ("core.py", "bad"): "old name of `rejected`",
    ("testing/attack.py", "refused"): "old name of `rejected`",
    ("algorithms/byz_dasha_page.py", "mirror"): "old name of `server_estimate`",
    ("algorithms/error_feedback.py", "mirror"): "old name of `server_estimate`",
    ("algorithms/estimates.py", "mirrors"): "old name of `estimates`",
    ("simulation/devices.py", "client"): "of a device of JAX",
}
# Of these, what sentences may have: files lie in folders, a test may be a bad one.
IN_SENTENCES = {"bad", "lie", "lies", "play", "refused"}
LONGEST = 80  # lines of a function's body, its docstring not counted
DOCSTRING = 15  # lines of a package's docstring


def names(tree):
    """Functions, classes, arguments, variables, fields and attributes of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


def words(name):
    """`_HonestRow_mean.x` -> honest, row, mean, x."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().replace(".", "_").split("_")


def forbidden(tree, file):
    found = {*names(tree), Path(file).stem}
    return {
        (file, name): FORBIDDEN[word] for name in found for word in words(name) if word in FORBIDDEN
    }


def body_lines(function):
    """Lines of a body without its docstring."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_words_are_found_in_names():
    tree = ast.parse("def run(bad_rows, *, heardOf=1):\n    self.Ledger = client(mirrors=badge)")
    found = forbidden(tree, "attacks/games.py")
    assert {name for _, name in found} == {
        "bad_rows", "heardOf", "Ledger", "client", "mirrors", "games"
    }  # fmt: skip


@every
def test_names_are_those_of_the_glossary(file):
    wrong = forbidden(TREES[file], file)
    wrong = {name: word for name, word in wrong.items() if name not in ALLOWED}
    assert not wrong, f"write instead: {wrong}"


def forbidden_in_docstrings(tree):
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, documented)]
    found = {word for text in texts if text for word in re.findall(r"[a-z]+", text.lower())}
    return found & (FORBIDDEN.keys() - IN_SENTENCES)


def test_words_are_found_in_docstrings():
    code = "'Files lie here.'\nclass A:\n  def f():\n    '''Announced\n\n    to liars.'''"
    assert forbidden_in_docstrings(ast.parse(code)) == {"announced", "liars"}


@every
def test_docstrings_use_the_words_of_the_glossary(file):
    assert not forbidden_in_docstrings(TREES[file])


def test_every_exception_is_needed():
    found = set().union(*(forbidden(tree, file) for file, tree in TREES.items()))
    assert set(ALLOWED) <= found


def test_the_glossary_has_the_forbidden_words():
    missing = [word for word in FORBIDDEN if not re.search(rf"\b{word}\b", CONTRIBUTING)]
    assert not missing


@every
def test_no_function_is_longer_than_a_page(file):
    long = {
        node.name: body_lines(node)
        for node in ast.walk(TREES[file])
        if isinstance(node, ast.FunctionDef) and body_lines(node) > LONGEST
    }
    assert not long


def test_lines_of_a_body_are_counted():
    code = "def f(\n    x,\n):\n    '''One\n\n    two.'''\n    y = x\n\n    return y"
    assert body_lines(ast.parse(code).body[0]) == 3


PACKAGES = [file for file in TREES if file.endswith("__init__.py")]


@for_every("file", PACKAGES)
def test_packages_say_what_is_in_them(file):
    said = ast.get_docstring(TREES[file])
    assert len(said.splitlines()) <= DOCSTRING
    assert re.search(r"\b[Ss]tart\b", said), "where does one start reading?"
    assert re.search(r"\b[Ii]mport(s|ed)?\b", said), "who may import it?"


# One file for each algorithm; the top of the library names only where to go next.
@for_every("file", sorted({*PACKAGES} - {"__init__.py", "algorithms/__init__.py"}))
def test_packages_name_their_files(file):
    said = set(re.findall(r"[a-z_0-9]+", ast.get_docstring(TREES[file])))
    files = {path.stem for path in (PACKAGE / file).parent.glob("[a-z]*.py")}
    assert files <= said


def defined(tree, prefix=""):
    """Names of all functions and classes, also inside others: `build`, `_Rounds.step`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
            yield prefix + node.name
            yield from defined(node, f"{prefix}{node.name}.")
        else:
            yield from defined(node, prefix)


def test_the_paths_of_a_gradient_and_a_claim_exist():
    steps = re.findall(r"^\| `jaxbyz/(\S+)` \| `(\S+)` \|", CONTRIBUTING, flags=re.MULTILINE)
    assert len(steps) > 30
    wrong = [(file, name) for file, name in steps if name not in defined(TREES[file])]
    assert not wrong


def test_files_named_for_contributors_exist():
    files = re.findall(r"`((?:jaxbyz|tests|paper_figs)/[\w/.]+)`", CONTRIBUTING)
    assert not [file for file in files if "NAME" not in file and not (ROOT / file).exists()]


def test_every_failure_is_named():
    """`for_every` says what fails, and not what is skipped or passes."""

    @for_every("number", [0, 1, 2, 3])
    def test(number):
        if number == 1:
            pytest.skip("one")
        assert number < 2, f"{number} is large"

    with pytest.raises(AssertionError) as caught:
        test()
    said = str(caught.value)
    assert "number = 2: 2 is large" in said
    assert "number = 3: 3 is large" in said
    assert "number = 0" not in said
    assert "number = 1" not in said
