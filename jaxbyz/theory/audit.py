"""The audit: every claim, every engine that is held against it, one line each."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import jax

from jaxbyz.theory import byz_dm21, robustness, rosdhb
from jaxbyz.theory.assumptions import difference
from jaxbyz.theory.claims import Budget, Claim, Scope
from jaxbyz.theory.engines import Engine, engines_for
from jaxbyz.theory.precision import require_x64
from jaxbyz.theory.reports import Report, Status, strongest

CLAIMS: tuple[Claim, ...] = (*robustness.CLAIMS, *rosdhb.CLAIMS, *byz_dm21.CLAIMS)

QUICK = Budget(random=500, starts=8, steps=150)
FULL = Budget(random=5000, starts=32, steps=600)


@dataclasses.dataclass(frozen=True)
class Finding:
    """What all engines together say of one claim."""

    claim: Claim
    reports: tuple[Report, ...]
    seconds: float

    @property
    def status(self) -> Status:
        """The strongest support, or REFUTED; nothing above INCONCLUSIVE while one is suspected."""
        best = strongest(self.reports)
        return min(best, Status.INCONCLUSIVE) if self.suspected else best

    @property
    def tight(self) -> bool:
        """Whether some engine came up to the bound, and nothing refutes it."""
        return self.status > Status.INCONCLUSIVE and any(report.tight for report in self.reports)

    @property
    def suspected(self) -> bool:
        """Whether some engine saw a violation that nothing exact has settled."""
        return any("suspected violation" in report.evidence for report in self.reports)

    @property
    def tightness(self) -> float | None:
        """The largest left/right that any engine met, of the weakest statement of the claim.

        For identities and for violations the largest of all.
        """
        known = [report for report in self.reports if report.tightness is not None]
        largest = max((report.tightness for report in known), default=None)  # type: ignore[type-var]
        violated = self.suspected or self.status is Status.REFUTED
        if largest is None or violated or self.claim.scope is Scope.IDENTITY:
            return largest
        sides = [report.sides or (report.tightness,) for report in known]
        count = max(map(len, sides))
        # Sides of one claim are the same for all engines.
        return min(
            max(column) for column in zip(*(s for s in sides if len(s) == count), strict=True)
        )

    @property
    def evidence(self) -> str:
        """The worst adversary, if there are any, and that of the engine whose status it is.

        Of a claim with other hypotheses than it must have: that.
        """
        other = next((report for report in self.reports if report.engine == "hypotheses"), None)
        if other is not None:
            return f"{other.engine}: {other.evidence}"
        best = [report for report in self.reports if report.status is self.status]
        top = max(
            best, key=lambda one: (one.tight, -1.0 if one.tightness is None else one.tightness)
        )
        said = f"{top.engine}: {top.evidence}"
        if self.claim.unproved and self.status < Status.CERTIFIED:
            said += f"; not exact: {self.claim.unproved}"
        worst = next((report for report in self.reports if report.adversary), None)
        if worst is None:
            return said
        used = "" if worst.tightness is None else f" {worst.tightness:.6g}"
        return f"worst adversary: {worst.adversary}{used}; {said}"


def chosen(paper: str | None = None, name: str | None = None) -> tuple[Claim, ...]:
    """The claims of a paper, or of a name (several papers may have one of this name).

    Raises:
        ValueError: there is none.

    >>> [claim.key for claim in chosen("rosdhb", "L4")]
    ['rosdhb/L4']
    """
    found = tuple(
        claim
        for claim in CLAIMS
        if (paper is None or claim.paper == paper) and (name is None or claim.name == name)
    )
    if not found:
        papers = sorted({claim.paper for claim in CLAIMS})
        names = [claim.name for claim in CLAIMS if paper in (None, claim.paper)]
        raise ValueError(
            f"paper and claim must be among {papers} and {names}, got {paper!r} and {name!r}"
        )
    return found


def assuming(claim: Claim) -> tuple[Report, ...]:
    """A report if a claim assumes less or more than it must, else none; see `assumptions`."""
    found = difference(claim)
    if not found:
        return ()
    said = f"suspected violation; its hypotheses are {found}"
    return (Report(claim.key, Status.INCONCLUSIVE, "hypotheses", said),)


def _asked(engine: Engine, claim: Claim, budget: Budget) -> Report:
    """What an engine reports; an error that it ends with is a report too, and no other claim's."""
    try:
        return engine(claim, budget)
    except Exception as error:  # of a claim that somebody wrote, it may be any
        said = f"suspected violation; ended with {type(error).__name__}: {error}"
        name = getattr(engine, "__name__", "engine")
        return Report(claim.key, Status.INCONCLUSIVE, name, said)


def audit(
    claims: Iterable[Claim] = CLAIMS,
    budget: Budget = QUICK,
    tell: Callable[[Finding], None] | None = None,
    parallel: int = 2,
    engines: Callable[[Claim], Iterable[Engine]] = engines_for,
) -> list[Finding]:
    """Hold claims against all engines that apply to them.

    Args:
        claims: which ones.
        budget: how hard to look.
        tell: called with every finding, in the order of the claims.
        parallel: how many claims are examined at the same time; most of the time is compiling.
        engines: which ones are held against a claim.

    Raises:
        RuntimeError: JAX is not in its 64-bit mode.
    """
    require_x64()

    def examine(claim: Claim) -> Finding:
        began = time.perf_counter()
        with jax.enable_x64(True):  # a setting of the thread
            reports = [_asked(engine, claim, budget) for engine in engines(claim)]
        return Finding(claim, (*reports, *assuming(claim)), time.perf_counter() - began)

    findings = []
    with ThreadPoolExecutor(parallel) as pool:
        waiting = [pool.submit(examine, claim) for claim in claims]
        try:
            for done in waiting:  # in the order of the claims
                findings.append(done.result())
                if tell is not None:
                    tell(findings[-1])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return findings


def line(finding: Finding) -> str:
    """One line: claim, status, left/right of the weakest side, tight or not, seconds, evidence."""
    used = "" if finding.tightness is None else f"{finding.tightness:.6g}"
    mark = "!" if finding.suspected else " "
    tight = "tight" if finding.tight else ""
    return (
        f"{finding.claim.key:26s} {finding.status.name:14s}{mark}{used:>12s} {tight:5s} "
        f"{finding.seconds:6.1f} s  {finding.evidence}"
    )


def _conditions(claim: Claim) -> str:
    """Its hypotheses, or why it has none."""
    if claim.hypotheses:
        return "; ".join(hypothesis.name for hypothesis in claim.hypotheses)
    return f"always: {claim.unconditional}" if claim.unconditional else ""


def markdown(findings: Sequence[Finding]) -> str:
    """A table with the statements, their hypotheses and where they come from."""
    rows = [
        "| claim | statement | if | provenance | status | largest left/right | tight | evidence "
        "| s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for finding in findings:
        claim = finding.claim
        used = "" if finding.tightness is None else f"{finding.tightness:.6g}"
        cells = [
            claim.key, f"{claim.title}: {claim.statement}", _conditions(claim),
            claim.provenance.value, finding.status.name, used, "yes" if finding.tight else "",
            finding.evidence, f"{finding.seconds:.1f}",
        ]  # fmt: skip
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)
