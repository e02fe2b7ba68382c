"""Every code block of README and docs runs, page by page, in a folder that holds nothing but the sample data.

In a page, in order: a python block runs as a script; a console block runs its `$` lines; a {code-block}
whose caption is a file name is written to that file. Blocks of other kinds (sh, toml, text) are shown, not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)]
FENCE = re.compile(r"^(`{3,}|:{3,})(\S*)[ ]*(\S*)\n(.*?)^\1$", re.M | re.S)
EXAMPLE = ("mmbt convert raw-data", "mmbt backtest --strategy linear-skew")
CAPTION = re.compile(r"\A:caption: (\S+)\n+")


class Block(NamedTuple):
    kind: str  # python, console or file
    name: str  # of the file
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = []
    for match in FENCE.finditer(text):
        kind, body = match[2], match[4]
        line = text.count("\n", 0, match.start()) + 1
        caption = CAPTION.match(body)
        if kind == "{code-block}" and caption:
            found.append(Block("file", caption[1], body[caption.end() :], line))
        elif kind in {"python", "console"}:
            found.append(Block(kind, "", body, line))
    return found


def run(block: Block, folder: Path, environment: dict[str, str]) -> None:
    if block.kind == "file":
        (folder / block.name).write_text(block.text, "utf-8")
        return
    if block.kind == "python":
        command = [sys.executable, "-c", block.text]
    else:
        commands = [line[2:] for line in block.text.splitlines() if line.startswith("$ ")]
        command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(commands)]
    child = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    said = child.stdout[-2000:] + child.stderr[-4000:]
    assert child.returncode == 0, f"line {block.line}: exit {child.returncode}\n{said}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "data" / "raw-data", tmp_path / "data" / "raw-data")
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """`mmbt` and `python` are those of this interpreter, wherever they are installed."""
    tools = tmp_path_factory.mktemp("bin")
    for name, words in (("mmbt", "-m mmbt"), ("python", ""), ("pytest", "-m pytest -p no:cacheprovider")):
        (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n', "utf-8")
        (tools / name).chmod(0o755)
    return os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "110"}


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run(page: Path, folder: Path, environment: dict[str, str]) -> None:
    for block in blocks(page):
        run(block, folder, environment)


def test_every_page_is_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in PAGES[1:]} - {"index"}
    assert {page for page in pages if f"\n{page}\n" not in index} == set()


def test_relative_links_lead_somewhere() -> None:
    link = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
    pages = [*PAGES, ROOT / "CONTRIBUTING.md"]
    targets = [(page, target) for page in pages for target in link.findall(page.read_text("utf-8"))]
    assert not [(str(page), target) for page, target in targets if not (page.parent / target).exists()]


def test_the_example_in_the_readme_is_what_the_program_prints(folder: Path, environment: dict[str, str]) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    said = [subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True,
                           check=True).stdout for command in EXAMPLE]
    changing = re.compile(r"^(rate|memory|results) ")
    missing = [line.rstrip() for line in "\n".join(said).splitlines()
               if not changing.match(line) and line.rstrip() not in text]
    assert not missing, "run tools/readme_example.py"
