"""Nothing here is for Python: see failures.pxd."""
