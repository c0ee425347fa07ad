"""What happens around Sphinx: a small extension, and one file for each thing that it does.

sources     what is brought in before Sphinx looks for pages. Start here.
names       the public names, and the page that each stands on
reference   a page for each group of names, with `automodule` and its like
docstrings  docstrings and signatures as Sphinx reads them
code_links  code that is a public name becomes a link
tables      methods, rules, attacks and compressors, as the code describes them
conventions how other libraries write the same
gallery     the figures and their verdicts
mathml      formulas without a script
links       every internal link and anchor of the finished site: `python -m build_steps.links`
"""

from typing import Any


def setup(app: Any) -> dict[str, Any]:
    """Connect the parts with Sphinx."""
    from build_steps import code_links, docstrings, mathml, sources

    app.connect("builder-inited", sources.bring)
    docstrings.connect(app)
    code_links.connect(app)
    mathml.connect(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
