"""The command line. Nothing imports it; it imports everything else, and only inside the command that needs it."""

from mmbt.cli.app import main

__all__ = ["main"]
