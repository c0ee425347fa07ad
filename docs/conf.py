"""How the site is built: `make docs`. Nothing is fetched from a network, notebooks are not run.

What stands elsewhere in the repository, or in the code, is brought in by `build_steps` before
Sphinx looks for pages: notebooks, gallery, reference and tables. git ignores those folders.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
# `build_steps` lies here; the library and the figures one folder up; the tests' catalogue in tests.
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jaxbyz  # noqa: E402

project = "jaxbyz"
author = "the authors of jaxbyz"
copyright = author
version = release = jaxbyz.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "build_steps",
]
exclude_patterns = ["_build", "examples", "build_steps", "**/.ipynb_checkpoints"]

html_theme = "sphinx_book_theme"
html_title = "jaxbyz"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "home_page_in_toc": True,
}
html_last_updated_fmt = None

# Mathematics is MathML, which browsers draw themselves: no script is fetched.
html_math_renderer = "mathml"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"
# An empty section is no error.
suppress_warnings = ["toc.empty_glob"]

# Signatures have defaults as the source writes them, and types stand beside the arguments.
autodoc_preserve_defaults = True
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
add_module_names = False
maximum_signature_line_length = 80
python_display_short_literal_types = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
# In docstrings `name` is code, and a link where it is a public name.
default_role = "py:obj"
