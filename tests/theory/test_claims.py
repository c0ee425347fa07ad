"""Claims know nothing of engines; status and tightness are told apart; former names still work."""

import ast
import dataclasses
from pathlib import Path

import jax.numpy as jnp
import pytest

from jaxbyz.theory import Budget, Claim, Family, Provenance, Report, Scope, Status, expectations
from jaxbyz.theory.audit import CLAIMS, Finding, audit, line, markdown
from jaxbyz.theory.byz_dm21 import direction
from jaxbyz.theory.engines import engines_for, judge, sampled, searched
from jaxbyz.theory.rosdhb import lemmas

ROOT = Path(__file__).parents[2] / "jaxbyz" / "theory"
# Who may read engines: they themselves, who puts claims and engines together, and what lies at the
# door. Everything else here is a statement, or data that statements are made of.
READERS = {"engines", "audit.py", "__main__.py", "__init__.py"}


def imports(path):
    """Modules imported anywhere in a file; relative imports stay within a room."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_statement_imports_an_engine():
    statements = [p for p in ROOT.rglob("*.py") if p.relative_to(ROOT).parts[0] not in READERS]
    assert {path.stem for path in statements} >= {"claims", "lemmas", "theorems", "rules", "runs"}
    for path in statements:
        found = [name for name in imports(path) if name.startswith("jaxbyz.theory.engines")]
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_the_test_of_imports_sees_engines_where_they_are():
    assert any(name.startswith("jaxbyz.theory.engines") for name in imports(ROOT / "audit.py"))


def test_every_claim_has_an_engine():
    assert all(engines_for(claim) for claim in CLAIMS)


def claim_of(sides, **more):
    """A claim about one number."""
    more = {"unconditional": "a test"} | more
    family = Family("numbers", 1, lambda z: z)
    return Claim(
        paper="test",
        name="t",
        title="a test",
        statement="left ≤ right",
        provenance=Provenance.DERIVED,
        source="here",
        scope=Scope.ONE_STEP,
        sides=sides,
        families=(family,),
        **more,
    )


def test_a_claim_without_families_and_subject_is_an_error():
    bare = dataclasses.replace(lemmas.descent(), families=())
    with pytest.raises(ValueError, match="families or a subject, got rosdhb/L4"):
        engines_for(bare)


# ---- tightness ---------------------------------------------------------------------------------

FEW = Budget(random=20, starts=2, steps=20)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize(
    ("used", "from_here", "tight"), [(1.0, 0.999, True), (0.9, 0.999, False), (1.0, None, False)]
)
def test_a_bound_that_is_attained_is_searched_and_tight(used, from_here, tight):
    claim = claim_of(lambda z: (used * jnp.ones(()), jnp.ones(())), tight_from=from_here)
    (finding,) = audit([claim], FEW)
    assert finding.status is Status.SEARCHED
    assert finding.tight is tight
    assert (" tight " in line(finding)) is tight
    assert ("| yes |" in markdown([finding])) is tight
    # Random instances alone never say so.
    assert not sampled()(claim, FEW).tight
    report = searched()(claim, FEW)
    assert report.tight is tight
    assert ("tight" in str(report).split(":")[0]) is tight


@pytest.mark.usefixtures("x64")
def test_what_may_be_violated_is_not_tight():
    claim = claim_of(lambda z: (2.0, 1.0))
    report = judge(claim, "test", lambda: (2.0, jnp.zeros(1), "found"), tight=0.999)
    assert "suspected violation" in report.evidence
    assert not report.tight
    reports = (report, Report("test/t", Status.SEARCHED, "e", "", 1.0, tight=True))
    refuted = Report("test/t", Status.REFUTED, "e", "", 2.0, exact=True)
    assert Finding(claim, reports[1:], 0.0).tight
    # Another engine's word does not outweigh what one suspects.
    suspected = Finding(claim, reports, 0.0)
    assert not suspected.tight
    assert suspected.status is Status.INCONCLUSIVE
    assert not Finding(claim, (*reports, refuted), 0.0).tight


@pytest.mark.parametrize(
    ("status", "tightness"), [(Status.INCONCLUSIVE, 1.0), (Status.SEARCHED, None)]
)
def test_a_report_cannot_be_tight_without_support(status, tightness):
    with pytest.raises(ValueError, match="tight=True needs a tightness and a status above"):
        Report("test/t", status, "e", "", tightness, tight=True)


@pytest.mark.usefixtures("x64")
def test_sides_have_one_shape_or_one_is_a_number():
    assert sampled()(claim_of(lambda z: (jnp.ones(2), 1.0)), FEW).status is Status.SEARCHED
    # [2] and [2, 1] would be divided, as [2, 2].
    with pytest.raises(AssertionError, match="shape"):
        sampled()(claim_of(lambda z: (jnp.ones(2), jnp.ones((2, 1)))), FEW)


@pytest.mark.parametrize(
    ("claim", "wrong"), [(lemmas.descent(), "gradient"), (direction(), "v")], ids=["rosdhb", "byz"]
)
def test_arrays_of_a_state_have_the_shapes_that_stand_beside_them(claim, wrong):
    family = claim.families[0]
    state = family.make(jnp.ones(family.size))
    assert state.checked() is state
    with pytest.raises(AssertionError, match="shape"):
        state._replace(**{wrong: jnp.ones(5)}).checked()


# ---- former names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "former", [lambda: Status.TIGHT, lambda: Status["TIGHT"], lambda: Status(5)]
)
def test_tight_was_a_status(former):
    with pytest.warns(
        DeprecationWarning, match=r"now Status\.SEARCHED \(whether .*: report\.tight\)"
    ):
        assert former() is Status.SEARCHED
    assert "TIGHT" not in Status.__members__
    with pytest.raises(AttributeError, match="LOOSE"):
        Status.LOOSE  # noqa: B018


def test_a_claim_had_its_engines():
    claim = lemmas.descent()
    with pytest.warns(DeprecationWarning, match="engines_for"):
        engines = claim.checks
    assert [e.__qualname__ for e in engines] == [e.__qualname__ for e in engines_for(claim)]


def test_a_claim_was_given_its_engines():
    def one(claim, budget):
        return Report(claim.key, Status.INCONCLUSIVE, "mine", "")

    with pytest.warns(DeprecationWarning, match=r"audit\(engines=\)"):
        claim = claim_of(lambda z: (0.0, 1.0), checks=(one,))
    assert engines_for(claim) == (one,)
    assert engines_for(dataclasses.replace(claim, name="other")) == (one,)


def test_one_round_was_called_play():
    with pytest.warns(DeprecationWarning, match="one_round"):
        assert expectations.play is expectations.one_round
    with pytest.raises(AttributeError, match="no attribute 'plays'"):
        expectations.plays  # noqa: B018


@pytest.mark.usefixtures("x64")
def test_a_claim_that_raises_is_reported_and_others_are_examined():
    def wrong(z):
        raise KeyError("no such number")

    bad, good = claim_of(wrong), claim_of(lambda z: (z[0] * 0, z[0] * 0 + 1))
    findings = audit([bad, good], Budget(random=5, starts=1, steps=2))
    assert findings[0].suspected
    assert "KeyError: 'no such number'" in line(findings[0])
    assert findings[1].status is Status.SEARCHED
