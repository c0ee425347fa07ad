"""README and handbook say what is true: their examples run as printed, their commands exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HANDBOOK = (ROOT / "docs" / "handbook.md").read_text(encoding="utf-8")


def blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def no_windows():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.usefixtures("optimized")
def test_the_six_lines_run_as_printed():
    first, parts, checked, failing, race, theory = blocks(HANDBOOK)
    assert blocks(README) == [first, parts]
    names = {}
    exec(first, names)
    history = names["history"]
    assert history["test_accuracy"].shape[0] == 5
    assert history.rounds[-1] == 250
    # Far above the 10 % of guessing, and below what would be a mistake in the data.
    assert 0.8 < history.final("test_accuracy") < 0.99
    names["jax"] = __import__("jax")
    exec(parts, names)
    rows = names["jax"].numpy.arange(6.0).reshape(3, 2)
    assert names["my_rule"](rows).tolist() == [2.0, 3.0]
    exec(checked, names)
    for test in [name for name in names if name.startswith("test_")]:
        names[test]()
    exec(failing, names)
    with pytest.raises(AssertionError):
        exec(names["code"], names)
    exec(race, names)
    assert names["race"].best("round", "ALIE") in names["methods"]
    exec(theory, names)
    promise, problem = names["promise"], names["problem"]
    assert promise.step_size == pytest.approx(0.1 / 8 / problem.smoothness)
    # Theorem B at B = 0 and its largest γ: 5 D0/(γT) + 15/4 κG².
    floor = 15 / 4 * names["kappa"] * problem.heterogeneity
    assert names["bound"] == pytest.approx(5 / (promise.step_size * 10_000) + floor)
    assert names["algorithm"].name == "RoSDHB"


def test_make_has_the_commands():
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"make (\w+)", README + HANDBOOK):
        assert re.search(rf"^{command}:", makefile, flags=re.MULTILINE), command


def test_the_readme_is_short_and_leads_to_what_is_there():
    assert len(README.splitlines()) < 130
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert len(links) > 15
    for link in links:
        assert link.startswith("https://arxiv.org/") or (ROOT / link).exists(), link
