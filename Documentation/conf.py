# SPDX-License-Identifier: GPL-2.0-only
"""How sphinx makes HTML of the documentation: "make html"."""

# Sphinx wants these names.
# pylint: disable=invalid-name
project = "dm-cowchain"
author = "The dm-cowchain authors"
project_copyright = "2026 " + author
exclude_patterns = ["man"]
html_theme = "alabaster"
html_theme_options = {"description": "Live block operations for any user of a block device", "page_width": "72em"}
html_show_sourcelink = False
html_copy_source = False
# The same sources make the same pages.
html_last_updated_fmt = None
# Examples are of many kinds, and none is Python.
highlight_language = "none"
