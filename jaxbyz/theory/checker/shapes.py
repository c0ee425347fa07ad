"""What a counterexample must look like before anything is computed of it.

    {"counterexample": 1, "claim": NAME, "constants": {NAME: HEX}, "instance": {NAME: ARRAY},
     "versions": anything}

Numbers are hexadecimal floats, arrays are nested lists. All parts of an instance must fit to each
other: as many Hessians as workers, as many samples of each worker, one dimension. Whatever does not
fit is a ValueError that names the place; so is an instance that would take too long.
"""

import math
from fractions import Fraction
from typing import Any

VERSION = 1
KEYS = {"counterexample", "claim", "constants", "instance", "versions"}
LONGEST = 64  # characters of a number
LARGEST = 2.0**100  # of a constant of a claim
# Of one instance: about a second each. Expectations are sums over all masks and all joint samples.
MOST_NUMBERS, MOST_OUTCOMES, MOST_COORDINATES = 4000, 5000, 12

Shape = tuple[str, ...]  # the letters of its axes; () is one number
Spec = dict[str, Any]  # name -> Shape or Spec


def _numbers(names: str) -> Spec:
    return dict.fromkeys(names.split(), ())


ROSDHB: Spec = {
    "parameters": _numbers("smoothness x fresh inflation kappa b_squared s p weight"),
    "g_squared": (),
    "curvature": ("d",),
    "gradient": ("d",),
    "deviation": ("d",),
    "spread": ("h", "d"),
    "difference": ("h", "d"),
    "error": ("d",),
}
BYZ_DM21: Spec = {
    "hessians": ("h", "d", "d"),
    "gradients": ("h", "d"),
    "noise": ("h", "N", "d"),
    "noise_slopes": ("h", "N", "d", "d"),
    "v": ("h", "d"),
    "u": ("h", "d"),
    "g": ("h", "d"),
    "error": ("d",),
    **_numbers("eta beta alpha kappa theta fraction"),
    "constants": _numbers(
        "smoothness mean_square_smoothness sample_smoothness noise_variance heterogeneity mu"
    ),
}
SPECS = {"rosdhb": ROSDHB, "byz_dm21": BYZ_DM21}
AXES = {"h": "workers", "N": "samples of each worker", "d": "coordinates"}

PLANTED = dict.fromkeys(("deviation", "drift", "floor", "noise", "decrease"), Fraction(1))
POWER, SPARE = {"power": Fraction(1)}, {"factor": Fraction(1), "spare": Fraction(0)}
# Claim -> the constants of its statement.
OWN = {
    "rosdhb/L2<=": POWER,
    "rosdhb/L3<=": POWER,
    "rosdhb/L4": POWER,
    "rosdhb/L6": PLANTED,
    "rosdhb/L6'": PLANTED,
    "byz_dm21/L1": {"three": Fraction(3)},
    "byz_dm21/L2": {"three": Fraction(3)},
    "byz_dm21/L3": {"curvature": Fraction(1)},
    **{f"byz_dm21/L7-{name}": SPARE for name in ("DM", "VR", "DM-full", "VR-full")},
    **{f"byz_dm21/L7-{name}-PL": SPARE | {"spare": Fraction(1, 2)} for name in ("DM", "VR")},
}
# Of L4-L7 of Byz-DM21: factors of single coefficients, 1 where they are not named.
COEFFICIENTS = (
    *("p_p", "p_q", "p_r", "p_s", "p_n", "q_q", "q_r", "q_s", "q_n", "r_r", "r_s", "r_n"),
    *("qb_qb", "qb_rb", "qb_s", "qb_n", "rb_rb", "rb_s", "rb_n"),
)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _mapping(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} must be an object, got {_short(value)}")
    return value


def _number(place: str, value: Any) -> None:
    """A hexadecimal float, of whatever size, also nan and inf; "0.1" would be read as 1/16."""
    try:
        plain = isinstance(value, str) and len(value) <= LONGEST and value.lstrip("-")
        if not plain or not (plain.startswith("0x") or plain in ("inf", "nan")):
            raise ValueError
        float.fromhex(value)
    except (ValueError, OverflowError):
        wanted = "the text of a hexadecimal float, such as 0x1.8p+0"
        raise ValueError(f"{place} must be {wanted}, got {_short(value)}") from None


def _array(place: str, value: Any, shape: Shape, sizes: dict[str, int]) -> None:
    """Nested lists of this shape; each letter has one length in the whole instance."""
    if not shape:
        return _number(place, value)
    if not isinstance(value, list) or not value:
        raise ValueError(f"{place} must be a list that is not empty, got {_short(value)}")
    known = sizes.setdefault(shape[0], len(value))
    if len(value) != known:
        raise ValueError(f"{place} must have {known} ({AXES[shape[0]]}) entries, got {len(value)}")
    for i, part in enumerate(value):
        _array(f"{place}[{i}]", part, shape[1:], sizes)
    return None


def _names(place: str, value: Any, spec: Spec) -> dict[str, Any]:
    given = _mapping(place, value)
    missing, unknown = sorted(set(spec) - set(given)), sorted(set(given) - set(spec))
    if missing or unknown:
        raise ValueError(f"{place} must have {[*spec]}; missing {missing}, unknown {unknown}")
    return given


def _parts(place: str, value: Any, spec: Spec, sizes: dict[str, int]) -> None:
    given = _names(place, value, spec)
    for name, part in spec.items():
        if isinstance(part, dict):
            _parts(f"{place}.{name}", given[name], part, sizes)
        else:
            _array(f"{place}.{name}", given[name], part, sizes)


def _affordable(paper: str, sizes: dict[str, int]) -> None:
    """A refusal of what would take longer than some seconds."""
    workers, coordinates = sizes["h"], sizes["d"]
    outcomes = 2**coordinates if paper == "rosdhb" else sizes["N"] ** workers
    what = f"2^{coordinates} masks" if paper == "rosdhb" else f"{sizes['N']}^{workers} samples"
    if coordinates > MOST_COORDINATES:
        raise ValueError(f"coordinates must be <= {MOST_COORDINATES}, got {coordinates}")
    if outcomes > MOST_OUTCOMES:
        raise ValueError(f"outcomes must be <= {MOST_OUTCOMES}, got {what}")
    if outcomes * workers * coordinates > 10 * MOST_OUTCOMES:
        raise ValueError(
            f"outcomes × workers × coordinates must be <= {10 * MOST_OUTCOMES}, got {what} × "
            f"{workers} × {coordinates}"
        )


def _count(value: Any, left: int = MOST_NUMBERS) -> int:
    """How many more numbers there may be."""
    if left < 0:
        raise ValueError(f"instance must have <= {MOST_NUMBERS} numbers, got more")
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return left - 1
    for part in value:
        left = _count(part, left)
    return left


def constants_of(claim: str, given: Any) -> dict[str, Fraction]:
    """The constants of a file as fractions, if they are those that the claim has.

    Raises:
        ValueError: one is missing, unknown, not finite or beyond 2^100.
    """
    own = OWN.get(claim, {})
    factors = COEFFICIENTS if claim.startswith("byz_dm21/L") and claim[10] in "4567" else ()
    known = _mapping("constants", given)
    missing, allowed = sorted(set(own) - set(known)), [*own, *factors]
    unknown = sorted(set(known) - set(allowed))
    if missing or unknown:
        raise ValueError(
            f"constants must be among {allowed}, with {[*own]}; missing {missing}, got {unknown}"
        )
    found = {}
    for name, text in known.items():
        _number(f"constants.{name}", text)
        value = float.fromhex(text)
        if not (math.isfinite(value) and abs(value) <= LARGEST):
            raise ValueError(f"constants.{name} must be finite and <= 2^100, got {value}")
        found[name] = Fraction(value)
    return found


def variant(claim: str, constants: dict[str, Fraction]) -> str:
    """Which constants differ from those of the claim, with their values; empty: none.

    >>> variant("rosdhb/L4", {"power": Fraction(0)})
    'power = 0'
    """
    own = OWN.get(claim, {})
    differ = [name for name, value in constants.items() if value != own.get(name, 1)]
    return ", ".join(f"{name} = {float(constants[name]):.12g}" for name in differ)


def fits(record: Any) -> None:
    """Every key, shape and relation of a record whose claim is known.

    Raises:
        ValueError: naming what does not fit, or what would take too long.
    """
    version = _mapping("file", record).get("counterexample")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"counterexample must be {VERSION}, its version, got {_short(version)}")
    missing = sorted(KEYS - {"versions"} - set(record))
    unknown = sorted(set(record) - KEYS)
    if missing or unknown:
        raise ValueError(f"file must have {sorted(KEYS)}; missing {missing}, unknown {unknown}")
    _count(record["instance"])
    paper = record["claim"].split("/")[0]
    sizes: dict[str, int] = {}
    _parts("instance", record["instance"], SPECS[paper], sizes)
    _affordable(paper, sizes)
