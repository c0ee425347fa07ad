"""Which theorem covers given parameters, and with which bound. Derived here."""

import math
from collections.abc import Callable
from typing import Any

from jaxbyz import checks
from jaxbyz.theory.byz_dm21.guarantees import AverageGuarantee
from jaxbyz.theory.byz_dm21.parameters import theorem_1, theorem_2, theorem_3, theorem_4
from jaxbyz.theory.byz_dm21.setting import Setting


def certify(
    point: Setting,
    *,
    recursive: bool,
    step_size: float,
    eta: float,
    beta: float | None = None,
    start_batch: int = 1,
    mu: float | None = None,
) -> AverageGuarantee | None:
    """The theorem that covers given parameters, at the best θ, or None if none does.

    The best θ of 400, from 10⁻³ to 10³ on a logarithmic scale, is the one with the least
    floor + noise among those whose step size reaches γ. Derived here.

    Args:
        point: constants of the hypotheses.
        recursive: False: Byz-DM21; True: Byz-VR-DM21.
        step_size: γ.
        eta: η.
        beta: β; default η.
        start_batch: how many sampled gradients the first estimates are the mean of.
        mu: the constant of PL; None: no PL.

    Raises:
        ValueError: an argument outside its range.

    >>> point = Setting(0.1, 0.25, 8, 1.0, 1.0, noise_variance=1e-3, heterogeneity=1.0)
    >>> promise = certify(point, recursive=False, step_size=1e-3, eta=0.05)
    >>> promise.theorem, promise.theta < 1, promise.floor < 4 * 0.25
    ('Theorem 1', True, True)
    >>> certify(point, recursive=False, step_size=0.1, eta=0.05) is None
    True
    """
    checks.interval("step_size", step_size, 0, math.inf, closed="neither")
    checks.interval("eta", eta, 0, 1, closed="right")
    checks.interval("beta", eta if beta is None else beta, 0, 1, closed="right")
    make: Callable[..., AverageGuarantee] = theorem_2 if recursive else theorem_1
    given: dict[str, Any] = {"eta": eta, "beta": beta, "start_batch": start_batch}
    if mu is not None:
        make, given = theorem_4 if recursive else theorem_3, given | {"mu": mu}
    thetas = [10 ** (-3 + 6 * i / 399) for i in range(400)]
    if mu is None:
        thetas = [t for t in thetas if (1 + t) ** 2 * point.kappa * point.growth < 1]
    widest = [make(point, theta=theta, **given) for theta in thetas]
    reached = [promise for promise in widest if promise.step_size >= step_size]
    if not reached:
        return None
    best = min(reached, key=lambda promise: promise.floor + promise.noise)
    return make(point, theta=best.theta, step_size=step_size, **given)
