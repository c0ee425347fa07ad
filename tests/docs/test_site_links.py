"""What `make docs` finds in a built site: planted here, without building one."""

import pytest
from build_steps.check import addresses, main, undescribed
from build_steps.links import dead, read_site

GOOD = """<html><head><link rel="stylesheet" href="_static/a.css?v=1">
<link rel="canonical" href="https://example.org/index.html"></head>
<body id="start"><a href="#start">here</a> <a href="sub/page.html#spot">there</a>
<a href="sub/">its index</a> <a href="https://example.org/x">elsewhere</a>
<a href="mailto:a@b.c">to write</a> <img src="data:image/png;base64,AA"></body></html>"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text("")
    (tmp_path / "_static" / "template.html").write_text('<a href="{{ nowhere }}">')
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "sub" / "page.html").write_text('<p id="spot"><a href="../index.html">back</a></p>')
    (tmp_path / "sub" / "index.html").write_text("<p>")
    return tmp_path


def found(site):
    return [line.split(": ", 1)[1] for line in dead(site, read_site(site))]


def test_links_that_lead_somewhere_are_no_fault(site):
    assert found(site) == []


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ('<a href="page2.html">', "page2.html: no such file"),
        ('<a href="page.html#other">', "page.html#other: no such anchor"),
        ('<a href="#other">', "#other: no such anchor"),
        ('<a href="../../outside.html">', "../../outside.html: leads out of the site"),
        ('<img src="../picture.png">', "../picture.png: no such file"),
        ('<script src="https://example.org/a.js">', "https://example.org/a.js: is fetched from"),
        ('<link rel="stylesheet" href="//example.org/a.css">', "//example.org/a.css: is fetched"),
    ],
)
def test_a_planted_fault_is_found(site, planted, told):
    page = site / "sub" / "page.html"
    page.write_text(page.read_text() + "\n" + planted)
    (line,) = found(site)
    assert line.startswith(told)
    assert next(dead(site, read_site(site))).startswith("sub/page.html:2: ")


def test_addresses_of_objects_are_found(site):
    assert list(addresses(site, read_site(site))) == []
    (site / "sub" / "index.html").write_text("map_seeds=&lt;function vmap at 0x7f21b0c3d4e0&gt;")
    assert list(addresses(site, read_site(site))) == ["sub/index.html: at 0x7f21b0c3d4e0"]


def test_a_name_without_its_place_is_found(site):
    (site / "reference").mkdir()
    page = site / "reference" / "running.html"
    page.write_text('<dt id="jaxbyz.train">')
    missing = list(undescribed(site, read_site(site)))
    assert "jaxbyz.compare: not described on reference/running.html" in missing
    assert not any(line.startswith("jaxbyz.train:") for line in missing)


def test_a_site_without_pages_fails(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1
    assert "jaxbyz.train: not described" in capsys.readouterr().out
