"""Nothing here is for Python: see lending.pxd."""
