"""Nothing here is for Python: see columns.pxd."""
