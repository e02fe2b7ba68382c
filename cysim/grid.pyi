"""Nothing here is for Python: see grid.pxd."""
