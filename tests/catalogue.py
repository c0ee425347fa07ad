"""Every instance once: a new part is one line here, and goes through every property of its kind."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from reference import aggregators as reference

from jaxbyz import aggregators, attacks, compressors
from jaxbyz.core import Aggregator, Attack, Compressor


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
    takes_f: bool = True  # f goes to the rule as it is
    unanimous: bool = True  # n equal rows are the result
    majority: bool = True  # n-f equal rows are the result
    ties: bool = True  # which rows win a tie is defined
    any_size: bool = True  # bounded by 2 of 7 rows of any size (others: see parts/any_size.py)

    def __str__(self):
        return self.name


KEY_SEED = 7  # of the key with which every rule is called


def _bucket_order(n):
    return np.asarray(jax.random.permutation(jax.random.split(jax.random.key(KEY_SEED))[0], n))


def _drawn_coordinates(d, dims, iterations):
    keys = jax.random.split(jax.random.key(KEY_SEED), iterations)
    return [np.asarray(jax.random.permutation(key, d))[:dims] for key in keys]


def _dnc_reference(rows, f):
    d = rows.shape[1]
    return reference.dnc(rows, f, _drawn_coordinates(d, 2, 3) if d > 2 else None)


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
      mean_without_byzantine=True, least=lambda f: 1, takes_f=False, majority=False,
      any_size=False),
    _("trimmed mean", aggregators.trimmed_mean, reference.trimmed_mean, "PTSL",
      kappa=_r, mean_without_byzantine=True),
    _("trimmed mean, trim f+1", lambda f: aggregators.trimmed_mean(f, trim=f + 1),
      lambda rows, f: reference.trimmed_mean(rows, f, f + 1), "PTSL",
      kappa=lambda n, f: (f + 1) / (n - 2 * f - 1), least=lambda f: 2 * f + 3),
    _("coordinate median", aggregators.coordinate_median, reference.coordinate_median, "PTSL",
      kappa=_median_kappa, bound=_median_bound),
    _("lower median", aggregators.lower_median, reference.lower_median, "PTSL",
      kappa=lambda n, f: _median_kappa(n, f) if n % 2 else n / (n - 2 * f)),
    _("meamed", aggregators.meamed, reference.meamed, "PTSL", mean_without_byzantine=True),
    _("phocas", aggregators.phocas, reference.phocas, "PTSL", mean_without_byzantine=True),
    _("geometric median", aggregators.geometric_median, reference.geometric_median, "PTSO",
      bound=_median_bound),
    _("krum", aggregators.krum, reference.krum, "PTSO", bound=_krum_bound),
    _("krum, margin 2, power 1", lambda f: aggregators.krum(f, margin=2, power=1),
      lambda rows, f: reference.multi_krum(rows, f, 1, 2, 1), "PTSO",
      least=lambda f: max(2 * f + 1, f + 3) if f else 1),
    _("multi-krum", aggregators.multi_krum, reference.multi_krum, "PTSO",
      mean_without_byzantine=True),
    _("multi-krum, power 4", lambda f: aggregators.multi_krum(f, power=4),
      lambda rows, f: reference.multi_krum(rows, f, power=4), "PTSO",
      mean_without_byzantine=True),
    # With f = 1 its last round counts one neighbour each of three rows: two of them tie always.
    _("bulyan for half of f", lambda f: aggregators.bulyan(f // 2),
      lambda rows, f: reference.bulyan(rows, f // 2), "TS", mean_without_byzantine=True,
      least=lambda f: 4 * (f // 2) + 3 if f > 1 else 1, takes_f=False, majority=False,
      any_size=False),
    _("cge", aggregators.cge, reference.cge, "PSO", mean_without_byzantine=True, any_size=False),
    _("nearest mean, coordinate median",
      lambda f: aggregators.nearest_mean(f, aggregators.coordinate_median()),
      reference.nearest_mean, "PTS", mean_without_byzantine=True),
    _("aksel", aggregators.aksel, reference.aksel, "PTS"),
    _("monna", lambda f: aggregators.monna(f, trusted=0), reference.monna, "TSO",
      mean_without_byzantine=True, majority=False,
      any_size=False),
    _("mda", aggregators.mda, reference.mda, "PTSO",
      bound=lambda n, f: 8 * f**2 / (n - f), mean_without_byzantine=True),
    _("mva", aggregators.mva, reference.mva, "PTSO",
      bound=lambda n, f: 4 * _r(n, f), mean_without_byzantine=True),
    _("smea", aggregators.smea, reference.smea, "PTSO",
      bound=lambda n, f: 4 * _r(n, f), mean_without_byzantine=True),
    _("caf", aggregators.caf, reference.caf, "PTSO", mean_without_byzantine=True, ties=False),
    _("dnc", aggregators.dnc, reference.dnc, "PTSO", mean_without_byzantine=True, ties=False),
    _("dnc, 2 coordinates, 3 times", lambda f: aggregators.dnc(f, dims=2, iterations=3),
      _dnc_reference, "PTS", mean_without_byzantine=True, ties=False),
    _("smoothed weiszfeld", lambda f: aggregators.smoothed_weiszfeld(8, nu=1.0),
      lambda rows, f: reference.smoothed_weiszfeld(rows, 8, 1.0), "PO",
      least=lambda f: 1, takes_f=False, majority=False,
      any_size=False),
    _("centered clipping", lambda f: aggregators.centered_clipping(tau=1.0, iterations=3),
      lambda rows, f: reference.centered_clipping(rows, np.zeros(rows.shape[1]), 1.0, 3), "PO",
      least=lambda f: 1, takes_f=False, unanimous=False, majority=False,
      any_size=False),
    _("centered clipping from coordinate median",
      lambda f: aggregators.centered_clipping_from(aggregators.coordinate_median(f), 1.0, 2),
      lambda rows, f: reference.centered_clipping(rows, reference.coordinate_median(rows), 1.0, 2),
      "PT", majority=False,
      any_size=False),
    _("clip, trimmed mean", lambda f: aggregators.clip(1.0, aggregators.trimmed_mean(f)),
      reference.clip(reference.trimmed_mean, 1.0), "P", unanimous=False, any_size=False),
    _("arc, trimmed mean", lambda f: aggregators.arc(f, aggregators.trimmed_mean(f)),
      reference.arc(reference.trimmed_mean), "PS", mean_without_byzantine=True, any_size=False),
    _("bucketing, coordinate median",
      lambda f: aggregators.bucketing(2, aggregators.coordinate_median()),
      reference.bucketing(reference.coordinate_median, 2, _bucket_order), "TSL",
      least=lambda f: 1, takes_f=False, majority=False,
      any_size=False),
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
    law: str  # of what its key decides: nothing, a "subset", or "coins", one for each coordinate
    error: Callable[[np.ndarray, int], float]  # E‖C(x) - x‖² exactly: (x [d], k), in NumPy
    worst: Callable[[int, int], list[float]] | None  # (d, k) -> x that attains its constants
    unbiased: bool = False  # has omega
    contractive: bool = False  # has alpha

    def __str__(self):
        return self.name


def _square(x):
    return float(x @ x)


def _dithering(x, norm, s):
    part = np.modf(s * np.abs(x) / norm)[0] if norm else 0 * x
    return norm**2 / s**2 * float((part * (1 - part)).sum())


def _natural(x, k):
    part, exponent = np.frexp(np.abs(x))  # |x| = part 2^exponent, part in [1/2, 1)
    up = np.where(x == 0, 0, 2 * part - 1)
    return float((up * (1 - up) * np.ldexp(0.5, exponent) ** 2).sum())


def _top(x, k):
    return float((np.sort(np.abs(x))[: max(0, len(x) - k)] ** 2).sum())


def _scaled(error, omega):
    def of_scaled(x, k):
        a = 1 / (1 + omega(len(x), k))
        return a**2 * error(x, k) + (1 - a) ** 2 * _square(x)

    return of_scaled


def _ones(d, k):
    return [1.0] * d


def _one(d, k):
    return [1.0] + [0.0] * (d - 1)


_ = CompressorEntry
COMPRESSORS = (
    _("identity", lambda k: compressors.identity(), "nothing",
      lambda x, k: 0.0, _ones, unbiased=True, contractive=True),
    _("rand-k", compressors.rand_k, "subset",
      lambda x, k: (len(x) / k - 1) * _square(x), _ones, unbiased=True),
    _("seeded rand-k", compressors.seeded_rand_k, "subset",
      lambda x, k: (len(x) / k - 1) * _square(x), _ones, unbiased=True),
    _("bernoulli", lambda k: compressors.bernoulli(k / 8), "coins",
      lambda x, k: (8 / k - 1) * _square(x), _ones, unbiased=True),
    _("top-k", compressors.top_k, "nothing", _top, _ones, contractive=True),
    _("sign", lambda k: compressors.sign(), "nothing",
      lambda x, k: float(((np.abs(x) - 1) ** 2).sum()), None),
    _("scaled sign", lambda k: compressors.scaled_sign(), "nothing",
      lambda x, k: _square(x) - np.abs(x).sum() ** 2 / len(x), _one, contractive=True),
    _("QSGD, 1 level", lambda k: compressors.qsgd(levels=1), "coins",
      lambda x, k: _dithering(x, np.linalg.norm(x), 1), _ones, unbiased=True),
    _("QSGD, 4k levels", lambda k: compressors.qsgd(levels=4 * k), "coins",
      lambda x, k: _dithering(x, np.linalg.norm(x), 4 * k), None, unbiased=True),
    _("ternary", lambda k: compressors.ternary(), "coins",
      lambda x, k: _dithering(x, np.abs(x).max(), 1),
      lambda d, k: [1.0] + [1 / (1 + d**0.5)] * (d - 1), unbiased=True),
    _("natural", lambda k: compressors.natural(), "coins",
      _natural, lambda d, k: [4 / 3 * 2.0**j for j in range(d)], unbiased=True, contractive=True),
    _("scaled rand-k", lambda k: compressors.scaled(compressors.rand_k(k)), "subset",
      lambda x, k: (1 - k / len(x)) * _square(x), _ones, contractive=True),
    _("scaled ternary", lambda k: compressors.scaled(compressors.ternary()), "coins",
      _scaled(lambda x, k: _dithering(x, np.abs(x).max(), 1), lambda d, k: (d**0.5 - 1) / 2),
      lambda d, k: [1.0] + [1 / (1 + d**0.5)] * (d - 1), contractive=True),
    # For d = 6.
    _("blockwise top-k",
      lambda k: compressors.blockwise((2, 4), lambda size: compressors.top_k(min(k, size))),
      "nothing", lambda x, k: _top(x[:2], k) + _top(x[2:], k),
      lambda d, k: [0.0] * 2 + [1.0] * 4, contractive=True),
)  # fmt: skip


class AttackEntry(NamedTuple):
    name: str
    make: Callable[[], Attack]
    labels: bool = False  # for problems whose data has labels 0..9
    harmless: bool = False  # changes nothing but the number of workers
    rejected: bool = False  # its messages are, by the server
    equal: bool = True  # all Byzantine rows are the same
    searched: bool = False  # tries many lies through the server: compile it

    def __str__(self):
        return self.name


_ = AttackEntry
ATTACKS = (
    _("none", attacks.no_attack, harmless=True, equal=False),
    _("sign flip", attacks.sign_flip),
    _("sign flip, own", attacks.sign_flip_own, equal=False),
    _("sign flip, other", attacks.sign_flip_other, equal=False),
    _("cancel the mean", attacks.cancel_mean),
    _("IPM", attacks.ipm),
    _("ALIE", lambda: attacks.alie(z=1.5)),
    _("ALIE, time-coupled", lambda: attacks.alie_time_coupled(z=1.5)),
    _("Gaussian", lambda: attacks.gaussian(1.0, 10.0), equal=False),
    _("noise", lambda: attacks.noise(5.0), equal=False),
    _("huge", lambda: attacks.huge(1e30)),
    _("infinite", attacks.infinite, rejected=True),
    _("not a number", attacks.not_a_number, rejected=True),
    _("mimic", lambda: attacks.mimic(3)),
    _("mimic, variance", lambda: attacks.mimic_variance(warmup=2)),
    _("min-max", attacks.min_max),
    _("min-sum", attacks.min_sum),
    _("ROP", lambda: attacks.rop(pi=0.5, lam=0.9, angle=180, z=2.0)),
    _("one coordinate", lambda: attacks.one_coordinate(1, 10.0)),
    _("sparse", lambda: attacks.sparse(lambda x: attacks.most_varied(x, 0.5), 5.0, 1.0)),
    _("local poisoning", attacks.local_poisoning, equal=False),
    _("local poisoning, ends", attacks.local_poisoning_ends),
    _("anti-CGE", attacks.anti_cge),
    _("stall", attacks.stall),
    _("tight, trimmed mean", attacks.tight_trimmed_mean),
    _("IPM searched", attacks.ipm_search, searched=True),
    _("IPM line search", attacks.ipm_line_search, searched=True),
    _("ALIE line search", attacks.alie_line_search, searched=True),
    _("line search", lambda: attacks.line_search("sign", attacks.mean_sign), searched=True),
    _("strength search", lambda: attacks.strength_search("list", attacks.mean_unit, [-2.0, 3.0]),
      searched=True),
    _("ascent", lambda: attacks.ascent(3, 2, tangents=4, begin=[attacks.ipm()]), equal=False,
      searched=True),
    _("certified", lambda: attacks.certified(attacks.sign_flip(), directions=[]), searched=True),
    _("on the mask", lambda: attacks.on_mask(attacks.sign_flip(), fraction=0.7)),
    _("steered", lambda: attacks.steer(attacks.alie(z=1.5))),
    _("after", lambda: attacks.after(1, attacks.sign_flip()), equal=False),
    _("one of", lambda: attacks.one_of([attacks.ipm(), attacks.sign_flip()], 1)),
    _("forged", lambda: attacks.forged("twice", lambda honest: -2 * honest[0])),
    _("from view", lambda: attacks.from_view("server", lambda key, view: view.server.x - 3)),
    _("backdoor", lambda: attacks.backdoor(lambda images: images.at[:, :1].set(1.0), 3),
      labels=True, equal=False),
    _("label flip", lambda: attacks.label_flip(10), labels=True, equal=False),
)  # fmt: skip
