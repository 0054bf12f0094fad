"""The site: Sphinx over the notebooks and docs of this repository (`make site`).

The source folder is the root of the repository and only this configuration lies in docs/, so links
between lessons, documents and code are the same on the site, in an editor and in JupyterLab.
Nothing is executed and nothing is fetched: lessons show their stored outputs.
"""

import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs" / "_ext")]

project = "TagVIS-lite"
author = "the TagVIS-lite authors"
html_title = "TagVIS-lite"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "lessons",
    "docstrings",
    "modules",
    "mathml",
    "live",
]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "docs/api/*.md", "benchmarks/README.md", "notebooks/*.ipynb"]
exclude_patterns = ["**/.*", ".*", "build", "dist", "runs", "data", "tagvis_lite", "tests"]

nb_execution_mode = "off"
nb_merge_streams = True
# The picture of a live view is an output of its own; its script would come from another host.
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

napoleon_use_ivar = True  # one list of a class's attributes
napoleon_custom_sections = [("Traits", "Attributes")]  # what a view shares with the browser
default_role = "code"  # docstrings mark code by single backticks
autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
viewcode_follow_imported_members = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_math_renderer = "mathml"
html_static_path = ["_static", str(files("ziamath") / "fonts" / "STIXTwoMath-Regular.ttf")]
html_css_files = ["site.css"]
html_extra_path = ["_root"]
html_copy_source = False
html_show_sourcelink = False
html_domain_indices = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
highlight_language = "none"  # blocks that name no language are drawings and listings
