"""Nothing but the names of the hooks is for Python: see hooks.pxd."""

HOOKS: tuple[str, ...]
