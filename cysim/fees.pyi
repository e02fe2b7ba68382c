"""Nothing here is for Python: see fees.pxd."""
