"""Nothing here is for Python: see shown.pxd."""
