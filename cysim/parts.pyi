"""Nothing here is for Python: see parts.pxd."""
