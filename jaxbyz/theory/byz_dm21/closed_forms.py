"""The closed forms of `simplified` as they are printed at its head, written out once more.

That they bound what they are to bound is said by T1-T4 and C1-C3 (`theorems`); those hold for other
constants too, as long as these are worse. Derived here.
"""

from typing import Any

from jaxbyz.theory.byz_dm21 import simplified as shipped
from jaxbyz.theory.byz_dm21.promises import BOX, derived, setting_of
from jaxbyz.theory.claims import Claim
from jaxbyz.theory.promises import Pair, cases, spread_out, stated

FORMS = tuple(
    getattr(shipped, name)
    for row in (1, 2, 3, 4)
    for name in (f"step_{row}", f"noise_{row}", *((f"corollary_bound_{row}",) if row < 4 else ()))
)


def _steps_and_noises(given: dict[str, float]) -> list[Pair]:
    """Rows 1 to 4, and the start."""
    point, eta, beta = setting_of(given), given["eta"], given["beta"]
    alpha, kappa, el = given["alpha"], given["kappa"], given["sample_smoothness"]
    smooth, noise = given["smoothness"], given["noise_variance"]
    tilde, mu = smooth * given["above"], given["mu"] * smooth
    k, big = 2 * kappa + 1 / given["honest"], 1 + 2 * kappa
    l_kappa, el_kappa = (smooth**2 + 2 * kappa * tilde**2) ** 0.5, el * k**0.5
    fast, sway = alpha / (big**0.5 * tilde), beta**0.5 * el
    root = big**0.5
    row_2 = (alpha / (36 * root * (tilde + 2 * sway)), beta / (9 * l_kappa), eta**0.5 / 17)
    row_4 = (alpha / (66 * root * (tilde + 2.3 * sway)), beta / (12 * l_kappa), eta**0.5 / 30)
    slow = 12 * eta**4 / alpha + (720 * eta**3 + 144 * eta**5) / alpha**2
    return [
        (shipped.step_1(point, eta), min(fast / 42, eta / (11 * l_kappa))),
        (shipped.noise_1(point, eta), noise * (300 * big * eta**3 / alpha**2 + 24 * eta * k)),
        (shipped.step_2(point, eta, beta), min(*row_2[:2], row_2[2] / el_kappa)),
        (
            shipped.noise_2(point, eta, beta),
            noise * (600 * big * beta * eta**2 / alpha**2 + 48 * eta * k),
        ),
        (shipped.step_3(point, eta), min(fast / 93, eta / (19 * l_kappa))),
        (shipped.noise_3(point, eta), noise * (big * slow + 36 * eta * k)),
        (
            shipped.step_4(point, eta, beta, mu),
            min(*row_4[:2], row_4[2] / el_kappa, eta / (2 * mu)),
        ),
        (
            shipped.noise_4(point, eta, beta),
            noise * (1800 * big * beta * eta**2 / alpha**2 + 72 * eta * k),
        ),
        (
            shipped.start(point, eta, 2),
            noise * (9 * k / eta + 108 * big * eta / alpha**2),
        ),
    ]


def _corollaries(given: dict[str, float]) -> list[Pair]:
    """The right sides of corollaries 1 to 3."""
    point, rounds, gap = setting_of(given), given["rounds"], given["gap"]
    alpha, kappa, el = given["alpha"], given["kappa"], given["sample_smoothness"]
    noise, smooth = given["noise_variance"], given["smoothness"]
    tilde, k, big = smooth * given["above"], 2 * kappa + 1 / given["honest"], 1 + 2 * kappa
    l_kappa = (smooth**2 + 2 * kappa * tilde**2) ** 0.5
    time = gap / rounds  # d₀/T
    floor = 4 * kappa * given["heterogeneity"]
    pace = max(17 * el * k**0.5, 9 * l_kappa) * time  # Λd₀/T
    shared = floor + 72 * big**0.5 * (tilde + 2 * el) * time / alpha + 2 * pace
    eta_2 = min(1.0, (pace / (66 * noise * k)) ** (2 / 3))
    eta_3 = min(1.0, (2 * pace / (66 * noise * k)) ** 0.5)
    last = 816 * big * noise / alpha**2
    first = floor + 84 * big**0.5 * tilde * time / alpha + 22 * l_kappa * time
    first += 64 * (l_kappa * time * noise * k) ** 0.5
    first += 2.75 * (22 * l_kappa * time) ** 0.75 * (300 * big * noise / alpha**2) ** 0.25
    second = shared + 12.2 * pace ** (2 / 3) * (noise * k) ** (1 / 3) + last * eta_2**2.5
    third = shared + 23 * (pace * noise * k) ** 0.5 + last * eta_3**3
    return [
        (shipped.corollary_bound_1(point, rounds, gap), first),
        (shipped.corollary_bound_2(point, rounds, gap), second),
        (shipped.corollary_bound_3(point, rounds, gap), third),
    ]


def closed_forms(changed: dict[int, float] | None = None) -> Claim:
    """Every closed form is the printed one; `changed` multiplies single ones: errors to plant."""
    factors = changed or {}

    def sides(given: dict[str, float]) -> tuple[Any, Any]:
        pairs = [*_steps_and_noises(given), *_corollaries(given)]
        return stated(
            [], [(factors.get(i, 1.0) * one, other) for i, (one, other) in enumerate(pairs)]
        )

    return derived(
        name="closed forms",
        title="what `simplified` returns",
        statement="γ, 2N, N, 2(cR₀+c'R̄₀) and the bounds of corollaries are those that are printed",
        sides=sides,
        subject=cases(spread_out(40, 50, **BOX)),
        about=(*FORMS, shipped.start),
    )
