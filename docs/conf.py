"""How the site is built: `make docs`. Nothing is fetched from a network, notebooks are not run.

What stands elsewhere in the repository, or in the code, is brought in by `build_steps` before
Sphinx looks for pages: notebooks, gallery, reference and tables. git ignores those folders.
"""

import importlib.metadata
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
# `build_steps` lies here; the library and the figures one folder up; the tests' catalogue in tests.
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "tests")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The tables compile programs that run once: not optimised, in a quarter of the time.
flags = [os.environ.get("XLA_FLAGS", ""), "--xla_backend_optimization_level=0"]
if importlib.metadata.version("jaxlib").startswith("0.10."):
    flags.append("--xla_cpu_use_fusion_emitters=false")
os.environ["XLA_FLAGS"] = " ".join(flags).strip()

import jaxbyz  # noqa: E402

project = "jaxbyz"
author = "the authors of jaxbyz"
copyright = author
version = release = jaxbyz.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_copybutton",
    "build_steps",
]
# `examples` are programs, of which pages show parts.
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
html_context = {"default_mode": "auto"}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Mathematics is MathML, which browsers draw themselves: no script is fetched.
html_math_renderer = "mathml"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4
nb_execution_mode = "off"

# Signatures stand as the source writes them (`build_steps.docstrings`).
autodoc_typehints = "none"
autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
add_module_names = False
maximum_signature_line_length = 80
python_display_short_literal_types = True
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
