"""Nothing here is for Python: see answers.pxd."""
