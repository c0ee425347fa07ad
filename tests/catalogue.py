"""Every instance once: a new part is one line here, and goes through every property of its kind."""

from collections.abc import Callable
from typing import NamedTuple

from jaxbyz import aggregators, attacks, compressors
from jaxbyz.core import Aggregator, Attack, Compressor
from reference import aggregators as reference


class AggregatorEntry(NamedTuple):
    name: str
    make: Callable[[int], Aggregator]  # f -> rule
    reference: Callable  # (rows [n, d], f) -> [d], in NumPy
    # P permutation (tie-free rows for selections), T translation, S positive scaling,
    # O orthogonal maps, L coordinate-local
    invariances: str
    kappa: Callable[[int, int], float] | None = None  # exact: (n, f) -> κ
    bound: Callable[[int, int], float] | None = None  # published upper bound of κ, loose
    mean_without_byzantine: bool = False  # f = 0 is the mean
    least: Callable[[int], int] = lambda f: 2 * f + 1  # least n

    def __str__(self):
        return self.name


def _r(n, f):
    return f / (n - 2 * f)


def _median_kappa(n, f):
    return (n - f) / (n // 2 + 1 - f) - 1


# The published bounds are those of Allouah et al., AISTATS 2023.
def _mixed(inner):
    return lambda n, f: 8 * f / (n - f) * (inner(n, f) + 1)


def _krum_bound(n, f):
    return 6 * (1 + _r(n, f))


def _median_bound(n, f):
    return 4 * (1 + _r(n, f)) ** 2


_ = AggregatorEntry
AGGREGATORS = (
    _("mean", lambda f: aggregators.mean(), reference.mean, "PTSOL",
      mean_without_byzantine=True, least=lambda f: 1),
    _("trimmed mean", aggregators.trimmed_mean, reference.trimmed_mean, "PTSL",
      kappa=_r, mean_without_byzantine=True),
    _("trimmed mean, trim f+1", lambda f: aggregators.trimmed_mean(f, trim=f + 1),
      lambda rows, f: reference.trimmed_mean(rows, f, f + 1), "PTSL",
      kappa=lambda n, f: (f + 1) / (n - 2 * f - 1), least=lambda f: 2 * f + 3),
    _("coordinate median", aggregators.coordinate_median, reference.coordinate_median, "PTSL",
      kappa=_median_kappa, bound=_median_bound),
    _("geometric median", aggregators.geometric_median, reference.geometric_median, "PTSO",
      bound=_median_bound),
    _("krum", aggregators.krum, reference.krum, "PTSO", bound=_krum_bound),
    _("nnm, trimmed mean", lambda f: aggregators.nnm(f, aggregators.trimmed_mean(f)),
      reference.nnm(reference.trimmed_mean), "PTS",
      bound=_mixed(_r), mean_without_byzantine=True),
    _("nnm, coordinate median", lambda f: aggregators.nnm(f, aggregators.coordinate_median(f)),
      reference.nnm(reference.coordinate_median), "PTS",
      bound=_mixed(_median_kappa), mean_without_byzantine=True),
    _("nnm, krum", lambda f: aggregators.nnm(f, aggregators.krum(f)),
      reference.nnm(reference.krum), "PTSO",
      bound=_mixed(_krum_bound), mean_without_byzantine=True),
    _("nnm, geometric median", lambda f: aggregators.nnm(f, aggregators.geometric_median(f)),
      reference.nnm(reference.geometric_median), "PTSO",
      bound=_mixed(_median_bound), mean_without_byzantine=True),
)  # fmt: skip


class CompressorEntry(NamedTuple):
    name: str
    make: Callable[[int], Compressor]  # k -> compressor
    unbiased: bool  # has omega, and it is exact for every x
    contractive: bool  # has alpha, attained by some x
    random: bool  # the subset is drawn by `random_subset`

    def __str__(self):
        return self.name


COMPRESSORS = (
    CompressorEntry("identity", lambda k: compressors.identity(), True, True, False),
    CompressorEntry("rand-k", compressors.rand_k, True, False, True),
    CompressorEntry("seeded rand-k", compressors.seeded_rand_k, True, False, True),
    CompressorEntry("top-k", compressors.top_k, False, True, False),
)


class AttackEntry(NamedTuple):
    name: str
    make: Callable[[], Attack]
    labels: bool = False  # for problems whose data has labels 0..9
    harmless: bool = False  # changes nothing but the number of workers

    def __str__(self):
        return self.name


ATTACKS = (
    AttackEntry("none", attacks.no_attack, harmless=True),
    AttackEntry("sign flip", attacks.sign_flip),
    AttackEntry("IPM", attacks.ipm),
    AttackEntry("ALIE", lambda: attacks.alie(z=1.5)),
    AttackEntry("IPM searched", attacks.ipm_search),
    AttackEntry("label flip", lambda: attacks.label_flip(10), labels=True),
)
