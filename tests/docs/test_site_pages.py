"""The pages that are made from the code: nothing is left out, and everything can be read."""

import doctest
import inspect
import re

import pytest
from build_steps import (
    attacks_table,
    conventions,
    docstrings,
    methods_table,
    names,
    parts_tables,
    reference,
    sources,
    texts,
)

import jaxbyz as jb
from jaxbyz.core import Aggregator, Algorithm, Attack, Compressor, Robustness, View
from jaxbyz.messages import Either

LONGEST = 100  # letters of one argument in a signature


def test_every_public_name_has_one_entry():
    entry = re.compile(r"^\.\. (?:auto\w+|py:data):: (\w+)$|^\.\. py:currentmodule:: (\S+)$", re.M)
    found = []
    for page in names.GROUPS:
        module = None
        for name, changed in entry.findall(reference.pages()[f"{page}.rst"]):
            module = changed or module
            if name:
                found.append(f"{module}.{name}")
    homes = {one.home for one in names.public().values()}
    assert sorted(found) == sorted(home for home in homes if not home.startswith("module-"))
    assert {f"jaxbyz.{name}" for name in jb.__all__} <= set(names.public())


def test_what_can_be_called_is_no_number():
    """A jitted function too has a signature: `aggregators.replace_rejected`. Types are no calls."""
    values = re.findall(r"^\.\. py:data:: (\w+)$", "\n".join(reference.pages().values()), re.M)
    assert values
    by_name = {one.name: one.value for one in names.public().values()}
    called = {name for name in values if callable(by_name[name])}
    assert called == {"Adversary", "Engine"}


def test_one_thing_under_two_names_is_described_once():
    public = names.public()
    assert public["jaxbyz.rosdhb"].home == "jaxbyz.algorithms.rosdhb"
    assert public["jaxbyz.simulation.build"].home == "jaxbyz.build"
    assert public["jaxbyz.attacks.one_of"].home != public["jaxbyz.aggregators.one_of"].home


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("jb.train", "jaxbyz.train"),
        ("train(...)", "jaxbyz.train"),
        ("jb.aggregators.kappa(rule, n, f)", "jaxbyz.aggregators.kappa"),
        ("Report", None),  # of testing, or of theory
        ("sign", None),  # an argument too
        ("x", None),
    ],
)
def test_code_in_texts_is_understood(text, home):
    one = names.by_text()(text)
    assert (None if one is None else one.home) == home


def test_signatures_can_be_read():
    for one in names.public().values():
        if names.is_function(one.value):
            written, result = docstrings.signature(one.value)
            assert " at 0x" not in written, one.full
            assert result is not None, one.full
            longest = max(written.split(", "), key=len)
            assert len(longest) <= LONGEST, (one.full, longest)
    assert "map_seeds: Callable[..., Any]=jax.vmap" in docstrings.signature(jb.train)[0]


def test_fields_have_the_comments_beside_them():
    written = dict(zip(*[iter(docstrings.fields(View)[3:-1])] * 2, strict=True))
    assert written["``honest`` : ``Array``"] == "    [h, d] decoded honest messages of this round"
    above = "\n".join(docstrings.fields(Robustness))
    assert "(n, f) -> c:  ‖R(X) - x̄_S‖ ≤ c diameter(S)" in above
    below = "\n".join(docstrings.fields(jb.core.Server))
    assert "step(key, state, broadcast, messages [n, ...]) -> (state, info)" in below
    assert docstrings.fields(Either)


def test_blocks_and_tables_of_docstrings_keep_their_lines():
    told = [
        "Why:",
        "",
        "    a   b",
        "      c",
        "",
        "| x | y |",
        "|---|---|",
        "",
        "Args:",
        "    x: *one*",
    ]
    made = docstrings.plain(told)
    assert made[:8] == [
        "Why:",
        "",
        ".. code-block:: text",
        "",
        "    a   b",
        "      c",
        "",
        ".. code-block:: text",
    ]
    assert made[-2:] == ["Args:", "    x: \\*one\\*"]


def makers(package, kind):
    """Public constructors of a kind of part."""
    return {
        name
        for name in package.__all__
        if inspect.isfunction(getattr(package, name))
        and docstrings.signature(getattr(package, name))[1] == kind.__name__
    }


def linked(page):
    return set(re.findall(r"<jaxbyz\.\w+\.(\w+)>`", page))


def test_no_part_is_missing_in_the_tables():
    made = {text.split("(")[0] for text in methods_table.methods()}
    assert made | set(methods_table.NOT_ALONE) == set(jb.algorithms.__all__)
    assert makers(jb.algorithms, Algorithm) <= set(jb.algorithms.__all__)
    assert makers(jb.compressors, Compressor) <= linked(parts_tables.compressors())
    assert makers(jb.aggregators, Aggregator) - linked(parts_tables.rules()) == {
        "one_of",
        "stateless",
    }
    assert makers(jb.attacks, Attack) - linked(attacks_table.page()) == set()


def test_what_methods_ask_of_their_compressor():
    asked = {name: methods_table.needs(name) for name in ("rosdhb_local", "byz_ef21", "robust_sgd")}
    assert asked == {
        "rosdhb_local": "unbiased (ω)",
        "byz_ef21": "contractive (α)",
        "robust_sgd": "none: dense",
    }


@pytest.mark.parametrize("one", conventions.RULES + conventions.ATTACKS, ids=lambda one: one.what)
def test_what_others_write_exists_here(one):
    kind = Aggregator if one in conventions.RULES else Attack
    assert isinstance(conventions.evaluate(one), kind)


def test_a_folder_holds_what_was_made_and_nothing_else(tmp_path):
    folder = tmp_path / "made"
    sources.place(folder, {"a.md": "a", "b.bin": b"b", "c.py": sources.ROOT / "docs" / "conf.py"})
    written = (folder / "a.md").stat().st_mtime_ns
    sources.place(folder, {"a.md": "a", "b.bin": b"other"})
    assert sorted(path.name for path in folder.iterdir()) == ["a.md", "b.bin"]
    assert (folder / "a.md").stat().st_mtime_ns == written
    assert (folder / "b.bin").read_bytes() == b"other"


@pytest.mark.parametrize(
    "module", [docstrings, names, texts, attacks_table], ids=lambda m: m.__name__
)
def test_examples(module):
    assert doctest.testmod(module).failed == 0
