"""Nothing here is for Python: see accounts.pxd."""
