"""Nothing here is for Python: see senses.pxd."""
