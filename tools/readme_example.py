"""Write into README.md what `mmbt convert raw-data` and `mmbt backtest --strategy linear-skew` really print."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ("convert raw-data", "backtest --strategy linear-skew")
BEGIN, END = "<!-- example: written by tools/readme_example.py -->\n", "<!-- end of example -->\n"


def main() -> None:
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "data" / "raw-data", Path(folder, "data", "raw-data"))
        shown = []
        for words in COMMANDS:
            child = subprocess.run([sys.executable, "-m", "mmbt", *words.split()], cwd=folder, check=True, text=True,
                                   capture_output=True, env=os.environ | {"COLUMNS": "110"})
            lines = (line.rstrip() for line in child.stdout.rstrip().splitlines())
            shown.append("\n".join([f"$ mmbt {words}", *lines]))
    block = "```text\n" + "\n\n".join(shown) + "\n```\n"
    readme.write_text(f"{before}{BEGIN}{block}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
