"""Python on the pages of the site runs, page by page, and prints what the page shows.

A block ```` ```{code-block} text ```` of class `output` is what the block before it prints. Blocks
of class `measured` show what a longer run printed, and are not compared; `{code-block} python` of
class `no-run` needs files, several hosts, or minutes. Scripts that pages include are tested in
`test_examples`, the README in `test_readme`.
"""

import ast
import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# What the build writes, and what is no page.
MADE = {"_build", "gallery", "notebooks", "reference", "tables", "examples"}
RUN_ELSEWHERE = {"handbook.md"}  # by `test_readme`
PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if path.relative_to(DOCS).parts[0] not in MADE | RUN_ELSEWHERE
    and "```python" in path.read_text("utf-8")
]
BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\s*^```\{code-block\} text\n:class: output\n\n"
    r"(?P<output>.*?)^```$)?",
    flags=re.MULTILINE | re.DOTALL,
)
NOT_RUN = re.compile(r"^```\{code-block\} python\n:class: no-run\n(.*?)^```$", re.M | re.S)
# Long runs of a page, and what is run here instead.
SHORTER = {
    "start/ten_minutes.md": {"rounds=250": "rounds=10", "seeds=5": "seeds=2", "seeds=3": "seeds=2"}
}
# Even so this page compiles for half a minute; the README's test runs its first block.
LONG = {"start/ten_minutes.md"}


def blocks(text):
    """(code, output or None) of a page."""
    return [(found["code"], found["output"]) for found in BLOCK.finditer(text)]


@pytest.fixture(autouse=True)
def no_windows(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # for what a page writes
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def run(text):
    """Every block in turn, in one namespace: what was printed and is shown otherwise."""
    names, wrong = {}, []
    for code, output in blocks(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        if output is not None and printed.getvalue().strip() != output.strip():
            wrong.append((printed.getvalue(), output))
    return wrong


def name(page):
    return page.relative_to(DOCS).as_posix()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.long if name(page) in LONG else (), id=name(page))
        for page in PAGES
    ],
)
def test_page(page):
    text = page.read_text("utf-8")
    for before, after in SHORTER.get(name(page), {}).items():
        assert before in text
        text = text.replace(before, after)
    assert not run(text)


def test_other_output_is_noticed():
    page = "```python\nprint(1)\n```\n\n```{code-block} text\n:class: output\n\n2\n```\n"
    assert run(page) == [("1\n", "2\n")]


def test_code_that_is_not_run_is_python():
    texts = [path.read_text("utf-8") for path in sorted(DOCS.rglob("*.md"))]
    found = [code for text in texts for code in NOT_RUN.findall(text)]
    assert found
    for code in found:
        ast.parse(code)


def test_ten_minutes_begin_with_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    first = re.search(r"```python\n(.*?)```", readme, flags=re.DOTALL)[1]
    assert blocks((DOCS / "start" / "ten_minutes.md").read_text("utf-8"))[0][0] == first
