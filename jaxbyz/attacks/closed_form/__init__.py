"""Attacks in closed form: a formula of what the honest workers send in this round.

`sign_flips` (also IPM), `alie`, `min_max` (also min-sum), `mimic`, `rop`, `coordinates` (all the
harm in few coordinates), `rule_specific` (made for one rule), `lower_bounds` (attain one). Start
with `sign_flips`. Imported by `jaxbyz.attacks`, from which everybody takes their functions.
"""

__all__ = [
    "alie", "coordinates", "lower_bounds", "mimic", "min_max", "rop", "rule_specific",
    "sign_flips",
]  # fmt: skip
