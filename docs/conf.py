"""Sphinx settings. Build with ``make docs``."""

from __future__ import annotations

import medpsy

project = "medpsy"
author = "medpsy developers"
copyright = "medpsy developers"
version = release = medpsy.__version__

extensions = ["myst_nb"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
# Notebooks are committed with their output: fitting models is not part of building pages.
nb_execution_mode = "off"

exclude_patterns = ["_build", ".jupyter_cache"]
html_theme = "pydata_sphinx_theme"
html_title = f"medpsy {version}"
html_theme_options = {"show_prev_next": False}
