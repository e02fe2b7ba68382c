"""The benchmarks are programs beside the packages; they are looked for last, so that no checkout shadows an install."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
