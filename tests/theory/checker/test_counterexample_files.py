"""Files of counterexamples: what does not fit is refused by name, and nothing hangs."""

import copy
import json
import time

import pytest

from jaxbyz.theory import checker
from jaxbyz.theory.checker import shapes


def hexed(value):
    """Numbers as the files have them."""
    if isinstance(value, dict):
        return {name: hexed(part) for name, part in value.items()}
    if isinstance(value, list):
        return [hexed(part) for part in value]
    return float(value).hex()


def file_of(claim, constants, instance):
    parts = {"constants": hexed(constants), "instance": hexed(instance)}
    return {"counterexample": 1, "claim": claim, **parts, "versions": {}}


PARAMETERS = {"smoothness": 1, "x": 0.5, "fresh": 0.5, "inflation": 2, "kappa": 1, "b_squared": 1,
              "s": 0.25, "p": 0.5, "weight": 1}  # fmt: skip
STATE = {  # R = δ and H = L: left = ‖δ‖², right = power · 1.25 ‖δ‖²
    "parameters": PARAMETERS,
    "g_squared": 1,
    "curvature": [1, 1],
    "gradient": [0, 0],
    "deviation": [1, 2],
    "spread": [[1, 0], [-1, 0]],
    "difference": [[0.5, 0], [-0.5, 0]],
    "error": [0, 0],
}
ROWS = [[1, 0], [-1, 0]]
ZERO = [[0, 0], [0, 0]]
BYZ = {  # V = R = 1, nothing else: left = 1, right = 2 three
    "hessians": [[[1, 0], [0, 1]]] * 2,
    "gradients": ZERO,
    "noise": [ZERO] * 2,
    "noise_slopes": [[ZERO] * 2] * 2,
    "v": ROWS,
    "u": ROWS,
    "g": ROWS,
    "error": [0, 0],
    **dict.fromkeys(("eta", "beta", "alpha", "kappa", "theta", "fraction"), 1),
    "constants": dict.fromkeys(
        ("smoothness", "mean_square_smoothness", "sample_smoothness", "noise_variance",
         "heterogeneity", "mu"), 1),
}  # fmt: skip
FILES = {
    "rosdhb": file_of("rosdhb/L4", {"power": 0}, STATE),
    "byz": file_of("byz_dm21/L1", {"three": 0.25}, BYZ),
}


def outcome(record, folder):
    """Exit code and what is printed of one file."""
    path = folder / "file.json"
    path.write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    lines = []
    code = checker.front_door.main([str(path)], checker._counterexample, write=lines.append)
    return code, "".join(lines)


def changed(name, *path, to):
    """The file with one part changed; `to` is the new part, or a function of the old one."""
    record = copy.deepcopy(FILES[name])
    part = record
    for key in path[:-1]:
        part = part[key]
    if to is None:
        del part[path[-1]]
    else:
        part[path[-1]] = to(part[path[-1]]) if callable(to) else to
    return record


def test_constants_that_are_not_those_of_the_claim_are_printed(tmp_path):
    code, said = outcome(FILES["rosdhb"], tmp_path)
    assert code == 0
    assert "refutes a variant: power = 0: violated: left 5, right 0" in said
    code, said = outcome(FILES["byz"], tmp_path)
    assert code == 0
    assert "refutes a variant: three = 0.25: violated: left 1, right 0.5" in said
    half = file_of("byz_dm21/L4-DM", {"r_n": 1, "rb_n": 2}, BYZ)
    code, said = outcome(half, tmp_path)
    assert code == 1
    assert "does not refute a variant: rb_n = 2: NOT violated" in said
    for name, constant, own in (("rosdhb", "power", 1), ("byz", "three", 3)):
        code, said = outcome(changed(name, "constants", constant, to=hexed(own)), tmp_path)
        assert code == 1
        assert ": NOT violated: left" in said
        assert "variant" not in said


REFUSED = {  # the file -> what is said
    "no version": (changed("rosdhb", "counterexample", to=None), "counterexample must be 1"),
    "another version": (changed("rosdhb", "counterexample", to=2), "counterexample must be 1"),
    "a version that is true": (changed("rosdhb", "counterexample", to=True), "got True"),
    "no claim of ours": (changed("rosdhb", "claim", to="rosdhb/L9"), "claim must be one of"),
    "a claim that is a list": (changed("rosdhb", "claim", to=["x"]), "claim must be one of"),
    "no instance": (changed("rosdhb", "instance", to=None), "missing ['instance']"),
    "one key more": (FILES["rosdhb"] | {"more": 1}, "unknown ['more']"),
    "no constants": (changed("rosdhb", "constants", to={}), "missing ['power']"),
    "constants in a list": (changed("rosdhb", "constants", to=[]), "constants must be an object"),
    "another constant": (
        changed("byz", "constants", to=hexed({"three": 3, "r_n": 1})), "got ['r_n']"),
    "nan": (changed("rosdhb", "constants", "power", to="nan"), "constants.power must be finite"),
    "a huge constant": (changed("rosdhb", "constants", "power", to=hexed(1e300)), "<= 2^100"),
    "a decimal": (changed("rosdhb", "constants", "power", to="0.1"), "hexadecimal float"),
    "a number": (changed("rosdhb", "instance", "g_squared", to=1.0), "hexadecimal float"),
    "beyond all floats": (changed("rosdhb", "instance", "g_squared", to="0x1p+9999"), "g_squared"),
    "a long text": (changed("rosdhb", "instance", "g_squared", to="0x" + "1" * 99), "g_squared"),
    "one coordinate more": (
        changed("rosdhb", "instance", "error", to=hexed([0, 0, 0])), "must have 2 (coordinates)"),
    "one worker more": (
        changed("rosdhb", "instance", "difference", to=lambda rows: rows + rows[:1]),
        "must have 2 (workers)"),
    "a number for a row": (
        changed("rosdhb", "instance", "spread", 0, to=hexed(1)), "instance.spread[0]"),
    "a row for a number": (
        changed("rosdhb", "instance", "parameters", "s", to=hexed([1])), "parameters.s"),
    "a parameter less": (
        changed("rosdhb", "instance", "parameters", "s", to=None), "missing ['s']"),
    "no rows": (changed("rosdhb", "instance", "spread", to=[]), "must be a list that is not empty"),
    "one Hessian more": (
        changed("byz", "instance", "hessians", to=lambda rows: rows + rows[:1]),
        "instance.gradients must have 3 (workers)"),
    "unequal samples": (
        changed("byz", "instance", "noise", 1, to=lambda rows: rows + rows[:1]),
        "instance.noise[1] must have 2 (samples of each worker) entries, got 3"),
    "slopes of another number of samples": (
        changed("byz", "instance", "noise_slopes", 0, to=lambda rows: rows[:1]), "samples"),
    "a Hessian that is not square": (
        changed("byz", "instance", "hessians", 0, to=lambda rows: rows[:1]), "coordinates"),
    "an array more": (
        changed("byz", "instance", to=lambda given: given | {"w": []}), "unknown ['w']"),
    "twice the same key": ('{"claim": "rosdhb/L4", "claim": "rosdhb/L6"}', "keys must stand once"),
    "empty": ("", ""),
    "null": ("null", ""),
    "a list": ("[]", ""),
    "deeply nested": ('{"claim": "x", "instance": ' + "[" * 50_000 + "]" * 50_000 + "}", ""),
    "nested within bounds": (
        changed("rosdhb", "instance", "spread", to=json.loads("[" * 300 + "]" * 300)), "spread"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_unusable_and_says_why(name, tmp_path):
    record, words = REFUSED[name]
    code, said = outcome(record, tmp_path)
    assert code == 2
    assert "unusable: " in said
    assert words in said
    assert len(said) < 1500


@pytest.mark.parametrize(
    ("name", "path", "value", "failed"),
    [
        ("rosdhb", ("parameters", "smoothness"), 0, "no denominator is 0"),
        ("rosdhb", ("parameters", "inflation"), 0, "no denominator is 0"),
        ("rosdhb", ("parameters", "s"), 0, "no denominator is 0"),
        ("rosdhb", ("g_squared",), float("nan"), "all numbers are finite"),
        ("byz", ("theta",), 0, "no denominator is 0"),
        ("byz", ("alpha",), float("inf"), "all numbers are finite"),
    ],
)
def test_zero_denominators_and_infinities_are_no_counterexamples(
    name, path, value, failed, tmp_path
):
    code, said = outcome(changed(name, "instance", *path, to=hexed(value)), tmp_path)
    assert code == 1
    assert f"not a counterexample: {failed} does not hold" in said


def large(workers, samples, d):
    """An instance of Byz-DM21 of this size."""
    rows, square = [[0] * d] * workers, [[0] * d] * d
    more = {name: rows for name in ("gradients", "v", "u", "g")}
    more |= {"hessians": [square] * workers, "noise": [[[0] * d] * samples] * workers}
    more |= {"noise_slopes": [[square] * samples] * workers, "error": [0] * d}
    return file_of("byz_dm21/L4-DM", {}, BYZ | more)


def wide(d, workers=2):
    """An instance of RoSDHB of this size."""
    rows = [[0] * d] * workers
    more = {name: [0] * d for name in ("curvature", "gradient", "deviation", "error")}
    return file_of("rosdhb/L4", {"power": 0}, STATE | more | {"spread": rows, "difference": rows})


TOO_LARGE = {
    "30 coordinates": (wide(30), "coordinates must be <= 12, got 30"),
    "many workers": (wide(12, 40), "got 2^12 masks × 40 × 12"),
    "8 workers × 8 samples": (large(8, 8, 2), "outcomes must be <= 5000, got 8^8 samples"),
    "many numbers": (wide(2, 5000), "instance must have <= 4000 numbers"),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_would_take_too_long_is_refused_at_once(name, tmp_path):
    record, words = TOO_LARGE[name]
    began = time.process_time()
    code, said = outcome(record, tmp_path)
    assert code == 2
    assert words in said
    assert time.process_time() - began < 5  # 2^30 masks take days


def test_the_fault_of_one_file_does_not_stop_the_next(tmp_path, capsys):
    paths = []
    for i, record in enumerate((REFUSED["unequal samples"][0], "", FILES["byz"])):
        path = tmp_path / f"{i}.json"
        path.write_text(record if isinstance(record, str) else json.dumps(record))
        paths.append(str(path))
    assert checker.main(paths) == 2
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert "refutes a variant" in lines[2]


def test_every_claim_of_the_checker_has_a_shape_and_its_own_constants():
    for claim in checker.CLAIMS:
        assert claim.split("/")[0] in shapes.SPECS
        assert shapes.constants_of(claim, hexed(shapes.OWN.get(claim, {}))) is not None
        assert not shapes.variant(claim, shapes.OWN.get(claim, {}))
    assert set(shapes.OWN) <= set(checker.CLAIMS)


def test_left_equal_to_right_violates_nothing():
    """V = 1 = 2 three at three = 1/2, exactly; a part in 2^40 less is a violation."""
    for constant, violated in ((0.5, False), (0.5 - 2.0**-40, True)):
        verdict = checker.verify(file_of("byz_dm21/L1", {"three": constant}, BYZ))
        assert verdict.failed is None
        assert verdict.violated is violated
        assert (verdict.left == verdict.right) is not violated
