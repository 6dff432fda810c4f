# SPDX-License-Identifier: Apache-2.0
"""The configuration of Sphinx for the site."""

import importlib.metadata
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "fpga-nova"
author = "the authors of fpga-nova"
copyright = author  # noqa: A001
release = version = importlib.metadata.version("fpga-nova")

extensions = [
    "myst_parser",
    "openstackdocstheme",
    "oslo_config.sphinxext",
    "reno.sphinxext",
    "sphinx.ext.graphviz",
    "site_directives",
]
exclude_patterns = ["_*", "man/*"]
nitpicky = True
# They would make one dash of the two before an option.
smartquotes = False

# GitHub's names of headings, so that a link works in both places.
myst_heading_anchors = 4
# The domain of oslo.config raises KeyError for a target that it does not know (oslo.config 10.7).
myst_ref_domains = ["std"]

graphviz_output_format = "svg"

html_theme = "openstackdocs"
html_theme_options = {
    # The page loads nothing from other sites, and reports to none.
    "analytics_tracking_code": "",
    "display_badge": False,
    "root_title": project,
    "sidebar_search": True,
}
# They take the place of the theme's header, footer and sidebar, which lead to OpenStack's own site.
templates_path = ["_templates"]
html_show_copyright = False
openstackdocs_auto_name = False
openstackdocs_auto_version = False
openstackdocs_pdf_link = False
