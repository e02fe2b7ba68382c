"""Sphinx settings: MyST pages, the furo theme, nothing fetched from elsewhere."""

import tomllib
from pathlib import Path

_project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]

project = "mmbt"
author = "The mmbt authors"
copyright = "the mmbt authors"
version = release = _project["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"mmbt {release}"
nitpicky = True
