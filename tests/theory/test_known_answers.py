"""The audit's own parts find, attain and decide what is known in advance; wrong ones do not."""

import pytest
from mutants import machinery, received
from mutants.machinery import ANSWERS, FAR, far_away, owner
from mutants.table import flagged, reports

from jaxbyz.theory import Status
from jaxbyz.theory.audit import CLAIMS, audit
from jaxbyz.theory.engines import every_ratio, searched
from jaxbyz.theory.engines.search import starts_of

pytestmark = pytest.mark.usefixtures("x64")


def test_searches_start_far_from_the_known_worst_and_find_it():
    for sides in (1, 2):  # of two, each by itself, at different places
        claim = far_away(sides)
        family = claim.families[0]
        starts = starts_of(FAR, family)
        assert max(float(every_ratio(claim, family.make(z))[0]) for z in starts) < 0.02
    report = searched()(claim, FAR)
    assert report.weakest == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", machinery.RIGHT)
def test_a_part_of_the_audit_gives_the_known_answer(name):
    (finding,) = audit([machinery.RIGHT[name]()], FAR)
    assert finding.status is Status.SEARCHED, finding
    assert not finding.suspected


def test_every_adversary_has_a_known_answer():
    having = [claim for claim in CLAIMS if claim.adversaries is not None]
    found = {(owner(claim), name) for claim in having for name in claim.adversaries.by_name}
    assert found == set(ANSWERS)
    for claim in having:  # those of one paper are the same everywhere
        if owner(claim) == claim.paper:
            for name, adversary in claim.adversaries.by_name.items():
                assert adversary is machinery.shipped((claim.paper, name))


@pytest.mark.parametrize("name", machinery.WRONG)
def test_a_wrong_part_of_the_audit_is_noticed(name):
    wrong, _ = machinery.WRONG[name]
    assert any(map(flagged, reports(wrong(), FAR).values()))


@pytest.mark.parametrize("name", received.WRONG)
def test_a_wrong_number_that_users_receive_is_noticed(name):
    _, wrong, right = received.WRONG[name]
    assert any(map(flagged, reports(wrong(), FAR).values()))
    assert not any(map(flagged, reports(right(), FAR).values()))
