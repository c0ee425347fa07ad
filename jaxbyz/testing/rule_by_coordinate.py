"""What `Aggregator.by_coordinate` declares of a rule, beside two equivariances.

That coordinates do not influence one another ("coordinate-local") and that the rule is homogeneous
("scale") is tried as for rules that claim it. What is left: a coordinate's place does not matter,
and there is no state, no key and no detail.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxbyz.core import Aggregated, Aggregator
from jaxbyz.testing.report import Battery, Case

NEEDS = ("scale", "coordinate-local")  # the equivariances that it implies


def check_by_coordinate(
    battery: Battery, rule: Aggregator, rows: np.ndarray, whole: Aggregated, rounding: float
) -> None:
    """On one ordinary input [n, d], of which the rule made `whole`, eagerly."""
    name, d = "by coordinate", rows.shape[1]
    case = Case("Gaussian rows 0", {"rows": rows})
    code = """
assert not jax.tree.leaves(rule.init(rows.shape[1])) and not aggregate(rows).details
"""
    with battery.attempt(name, case, code):
        state, details = jax.tree.leaves(rule.init(d)), whole.details
        found = f"{len(state)} arrays of state and details {sorted(details)}"
        reason = "what one coordinate becomes is all that the rule says"
        battery.demand(name, case, not state and not details, found, reason, code)
    code = """
first, second = (
    rule.apply(jax.random.key(key), rule.init(rows.shape[1]), jnp.asarray(rows))[1].value
    for key in (7, 8)
)
assert np.array_equal(first, second)
"""
    with battery.attempt(name, case, code), jax.disable_jit():
        other = rule.apply(jax.random.key(8), rule.init(d), jnp.asarray(rows))[1].value
        same = np.array_equal(np.asarray(whole.value), np.asarray(other))
        battery.demand(name, case, same, "another result by another key", "no chance", code)
    code = """
some = np.array([-1, 0])
found, value = (np.asarray(aggregate(x).value, np.float64) for x in (rows[:, some], rows))
assert np.abs(found - value[some]).max() <= ALLOWED
"""
    with battery.attempt(name, case, code), jax.disable_jit():
        some = np.array([-1, 0])
        key, given = jax.random.key(7), jnp.asarray(rows[:, some])
        alone = np.asarray(rule.apply(key, rule.init(2), given)[1].value, np.float64)
        error = np.abs(alone - np.asarray(whole.value, np.float64)[some]).max()
        reason = "the last and the first coordinate alone, up to rounding"
        battery.judge(name, [case], error, rounding * np.abs(rows).max(), reason, code)
