"""What users receive, wrong in one number each: functions with the arguments of the shipped one."""

import dataclasses
import math

from jaxbyz.theory import byz_dm21, rosdhb
from jaxbyz.theory.byz_dm21 import promises as byz
from jaxbyz.theory.byz_dm21 import rates, simplified
from jaxbyz.theory.byz_dm21.closed_forms import closed_forms
from jaxbyz.theory.byz_dm21.guarantees import LinearGuarantee
from jaxbyz.theory.byz_dm21.moments import averages
from jaxbyz.theory.rosdhb import promised_rounds, promises


def _changed(make, change):
    """The shipped function, of whose promise some fields are others: change(promise) -> fields."""

    def wrong(*given, **named):
        promise = make(*given, **named)
        return dataclasses.replace(promise, **change(promise))

    return wrong


def _other_momentum(promise):
    """β² = 1 - 23γL, for L = 1 and others: 24γL = ω(2-ω) of what is right."""
    square = 1 - 23 / 24 * promise.one_minus_momentum * (2 - promise.one_minus_momentum)
    momentum = math.sqrt(square)
    return {"momentum": momentum, "one_minus_momentum": (1 - square) / (1 + momentum)}


class _Doubled(LinearGuarantee):
    """A bound that falls twice as fast."""

    def _bound(self, rounds, gap):
        return super()._bound(2 * rounds, gap)


class _Late(LinearGuarantee):
    """Twice the number of rounds."""

    def _rounds(self, room, gap):
        return 2 * super()._rounds(room, gap)


def _as(kind):
    """(promise) -> the same numbers as another kind of promise."""

    def make(promise):
        if not isinstance(promise, LinearGuarantee):
            return promise
        fields = (field.name for field in dataclasses.fields(promise))
        return kind(**{name: getattr(promise, name) for name in fields})

    return make


def _fast(point, *, mu, **named):
    return _as(_Doubled)(byz_dm21.theorem_3(point, mu=mu, **named))


def _slow_eta(point, rounds, gap):
    """√ in the place of the power 2/3."""
    return simplified.corollary_eta_2(point, rounds, gap) ** 0.75


WRONG = {  # what is planted -> (paper, the claim with it, the claim without)
    "theorem_a: β² = 1-23γL": (
        "rosdhb",
        lambda: promises.promised_a(_changed(rosdhb.theorem_a, _other_momentum)),
        promises.promised_a,
    ),
    "theorem_b: step size 10 % too long": (
        "rosdhb",
        lambda: promises.promised_b(
            _changed(rosdhb.theorem_b, lambda one: {"step_size": 1.1 * one.step_size})
        ),
        promises.promised_b,
    ),
    "theorem_c: floor one float too small": (
        "rosdhb",
        lambda: promises.promised_c(
            _changed(rosdhb.theorem_c, lambda one: {"floor": math.nextafter(one.floor, 0)})
        ),
        promises.promised_c,
    ),
    "best_c: half of it": (
        "rosdhb",
        lambda: promises.least_c(lambda w, s, rho: max(24.0, rosdhb.best_c(w, s, rho) / 2)),
        promises.least_c,
    ),
    "published_setting: c = 23000": (
        "rosdhb",
        lambda: promises.published(
            _changed(
                rosdhb.published_setting, lambda one: {"step_size": one.step_size * 23200 / 23000}
            )
        ),
        promises.published,
    ),
    "rounds: those of twice the rate": (
        "rosdhb",
        lambda: promised_rounds.fewest_rounds(_Twice),
        promised_rounds.fewest_rounds,
    ),
    "theorem_3: rate of the bound doubled": (
        "byz_dm21",
        lambda: byz.promised(3, _fast),
        lambda: byz.promised(3),
    ),
    "theorem_4: twice the rounds": (
        "byz_dm21",
        lambda: byz.fewest_rounds(_as(_Late)),
        byz.fewest_rounds,
    ),
    "corollary_eta_2: power 1/2 for 2/3": (
        "byz_dm21",
        lambda: byz.promised_corollary(2, eta_of=_slow_eta),
        lambda: byz.promised_corollary(2),
    ),
    "corollary_2: β = η^0.6 for √η": (
        "byz_dm21",
        lambda: byz.promised_corollary(
            2, _changed(byz_dm21.corollary_2, lambda one: {"beta": one.eta**0.6})
        ),
        lambda: byz.promised_corollary(2),
    ),
    "step_2: an eighth too long": (
        "byz_dm21",
        lambda: closed_forms({2: 9 / 8}),
        closed_forms,
    ),
    "average_square: a sum of T-1 rounds": (
        "byz_dm21",
        lambda: averages(lambda a, b, s, rounds: rates.average_square(a, b, s, rounds - 1)),
        averages,
    ),
}


class _Twice:
    """A promise of RoSDHB whose `rounds` are those of twice the rate."""

    def __init__(self, promise):
        self._promise = promise

    def __getattr__(self, name):
        return getattr(self._promise, name)

    def rounds(self, epsilon, gap):
        return dataclasses.replace(self._promise, rate=2 * self._promise.rate).rounds(epsilon, gap)
