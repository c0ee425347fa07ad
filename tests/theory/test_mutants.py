"""Planted errors are noticed, and what is right is not; the committed table says by whom."""

from pathlib import Path

import pytest
from lengths import often
from mutants.table import MUTANTS, flagged, reports

from jaxbyz.theory import Budget
from jaxbyz.theory.audit import assuming
from jaxbyz.theory.engines import engines_for

pytestmark = pytest.mark.usefixtures("x64")

BUDGET = Budget(random=300, starts=8, steps=120)
TABLE = Path(__file__).with_name("MUTANTS.md")
# Some of every kind; the others are held against all engines by `make mutants` and `make test-all`.
SOME = (
    "certificate: floor × 1/10",
    "server: d/k forgotten",
    "worker: stored gradient",
)
NAMED = {f"{mutant.planted}": mutant for mutant in MUTANTS}


def noticed(claim):
    """Whether one of the engines objects; those after it are not asked."""
    return any(flagged(engine(claim, BUDGET)) for engine in engines_for(claim))


@pytest.mark.parametrize("name", often(NAMED, SOME))
def test_a_planted_error_is_noticed(name):
    assert noticed(NAMED[name].wrong())


@pytest.mark.parametrize("name", often(NAMED, SOME))
def test_the_right_version_is_not_flagged(name):
    assert not any(map(flagged, reports(NAMED[name].right(), BUDGET).values()))


@pytest.mark.parametrize("mutant", MUTANTS, ids=list(NAMED))
def test_the_right_version_assumes_what_it_must(mutant):
    assert not assuming(mutant.right())


def test_the_table_is_complete():
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line][2:]
    listed = {(row[0], row[1], row[2].replace("\\", "")): row[3:] for row in rows}
    assert set(listed) == {(m.paper, m.kind, m.planted) for m in MUTANTS}
    assert len(MUTANTS) >= 20
    for mutant, (*engines, control) in listed.items():
        assert {"refuted", "suspected"} & set(engines), mutant
        assert control == "clean", mutant


def test_planted_errors_have_names_of_their_own():
    assert len(NAMED) == len(MUTANTS)
