"""`python -m mmbt` is the command `mmbt`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    # `-m` puts the current directory first: a file there named after a library would run in its place.
    if sys.path and sys.path[0] == str(Path.cwd()):
        del sys.path[0]

    from mmbt.cli import main

    sys.exit(main())
