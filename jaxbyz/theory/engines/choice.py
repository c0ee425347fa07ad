"""Which engines are held against a claim: read off what the claim is, and said nowhere else.

| the claim has                     | engines                                                   |
|-----------------------------------|-----------------------------------------------------------|
| a subject                         | the one for its type, see `OF_SUBJECT`                    |
| families, and is an identity      | random instances                                          |
| families and adversaries          | random instances, adversaries (with a search of their own)|
| families and a grid               | random instances, the grid, instance search               |
| families alone                    | random instances, instance search                         |
| a reduction                       | polynomials, beside those above                           |
| a certificate as its subject      | its proof, and instances that use much of its constant    |
"""

from jaxbyz.theory import subjects
from jaxbyz.theory.claims import Budget, Claim, Scope
from jaxbyz.theory.engines.exact import enumerated, nonnegative, proved
from jaxbyz.theory.engines.frequencies import near_uniform
from jaxbyz.theory.engines.instances import worst_instances
from jaxbyz.theory.engines.polynomials import by_polynomials
from jaxbyz.theory.engines.search import Engine, evaluated, gridded, sampled, searched
from jaxbyz.theory.engines.statistics import betting
from jaxbyz.theory.engines.worst_adversary import worst_adversary
from jaxbyz.theory.engines.worst_input import worst_input
from jaxbyz.theory.reports import Report, Status


def _cases(claim: Claim, budget: Budget) -> Report:
    assert isinstance(claim.subject, subjects.Cases)
    return (enumerated if claim.subject.exact else evaluated)(claim, budget)


def _unknown(claim: Claim, budget: Budget) -> Report:
    assert isinstance(claim.subject, subjects.Unknown)
    return Report(claim.key, Status.INCONCLUSIVE, "none", claim.subject.why)


OF_SUBJECT: dict[type, Engine] = {
    subjects.Cases: _cases,
    subjects.WorstInput: worst_input,
    subjects.QuadraticForm: nonnegative,
    subjects.Frequencies: near_uniform,
    subjects.SampledMean: betting,
    subjects.Unknown: _unknown,
}


def engines_for(claim: Claim) -> tuple[Engine, ...]:
    """The engines of a claim, in the order in which they are asked.

    Raises:
        ValueError: the claim has neither families nor a subject.

    >>> from jaxbyz.theory.rosdhb.lemmas import descent, drift_identity
    >>> len(engines_for(descent())), len(engines_for(drift_identity()))
    (2, 1)
    """
    if isinstance(claim.subject, subjects.Brought):
        return claim.subject.engines
    if isinstance(claim.subject, subjects.Certificate):
        return (proved, worst_instances)
    if claim.subject is not None:
        return (OF_SUBJECT[type(claim.subject)],)
    if not claim.families:
        raise ValueError(f"claim must have families or a subject, got {claim.key} without")
    if claim.scope is Scope.IDENTITY:
        return (sampled(),)
    if claim.adversaries is not None:
        return (sampled(), worst_adversary())
    further = (by_polynomials,) if claim.reduction else ()
    return (sampled(), *((gridded(),) if claim.grid else ()), searched(), *further)
