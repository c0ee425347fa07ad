"""The neighbourhood is a property of the rule: a population on which it is attained.

The trimmed mean has exactly κ = f/(n-2f). Let ∇f_i(x) = x - c_i where, in every coordinate, f
honest workers have c = (n-2f)/f and the other n-2f have c = -1, so that mean c = 0 and ζ² = d/κ.
Byzantine workers send a value above all others (`attacks.tight_trimmed_mean`). The rule then drops
it f times above and the f smallest values below, and keeps n-2f equal ones: the stationary point
is x = -1, where ‖∇f‖² = d = κ ζ², exactly (derived here).

Every method whose honest rows converge to the honest gradients stops there, whether it uses full
gradients or momentum, and whether it compresses. Momentum and full gradients remove the part of the
error that is due to noise. No method gets below κζ² on this population, so no theorem can promise
less.
"""

import numpy as np

from jaxbyz import checks
from jaxbyz.problems.quadratics import Quadratics, quadratics_from_arrays


def worst_population(n: int, f: int, dimension: int) -> Quadratics:
    """Quadratics on which the trimmed mean, attacked, stops at ‖∇f‖² = κ ζ² = d.

    Equal Hessians I, so B = 0; to be attacked with `jaxbyz.attacks.tight_trimmed_mean()`.

    Args:
        n: number of workers.
        f: number of Byzantine workers, 1 ≤ f < n/2.
        dimension: d.

    Raises:
        ValueError: an argument outside its range.

    >>> problem = worst_population(n=7, f=2, dimension=3)
    >>> problem.honest, problem.heterogeneity
    (5, 4.5)
    """
    f = checks.count("f", f, minimum=1)
    n = checks.count("n", n, minimum=2 * f + 1)
    d = checks.count("dimension", dimension, minimum=1)
    centres = np.concatenate([np.full(f, (n - 2 * f) / f), np.full(n - 2 * f, -1.0)])
    return quadratics_from_arrays(
        np.broadcast_to(np.eye(d), (n - f, d, d)),
        np.broadcast_to(centres[:, None], (n - f, d)),
        byzantine=f,
    )
