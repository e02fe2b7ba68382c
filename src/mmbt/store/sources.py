"""Which raw files a command means, and in what format each is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from mmbt.errors import FileError, UsageError, did_you_mean
from mmbt.formats import RawFormat, ReadOptions, choose, formats, get
from mmbt.store.files import io_errors, sha256_of
from mmbt.store.names import printable

__all__ = ["find_sources", "known_hashes"]


def find_sources(given: Sequence[str | Path], name: str, options: ReadOptions) -> list[tuple[Path, RawFormat]]:
    """The files to convert, each with its format; a folder stands for the files in it that a format knows by name.

    Raises
    ------
    UsageError
        When a folder holds none, or a file is named twice.
    FileError
        When one does not exist or cannot be read.
    """
    if not given:
        raise UsageError("no files to convert: name a folder or files, such as `mmbt convert raw-data`")
    wanted = None if name == "auto" else get(name)
    found: dict[Path, tuple[Path, RawFormat]] = {}
    for path in map(Path, given):
        with io_errors(path, "reading"):
            try:
                path.stat()
            except FileNotFoundError:
                near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else [])
                raise FileError(f"{printable(str(path))}: no such file or folder{near}") from None
        for file in [path] if path.is_file() else _in_folder(path, wanted, options):
            real = file.resolve()
            if real in found:
                raise UsageError(f"{printable(str(file))}: the same file is given twice")
            found[real] = file, wanted or choose(file, options)
    return list(found.values())


def _in_folder(folder: Path, wanted: RawFormat | None, options: ReadOptions) -> list[Path]:
    candidates = [wanted] if wanted else list(formats().values())
    with io_errors(folder, "reading"):
        files = sorted(
            path for path in folder.iterdir() if path.is_file() and any(f.matches(path, options) for f in candidates)
        )
    if not files:
        patterns = (
            ", ".join(pattern for fmt in candidates for pattern in fmt.patterns) or "nothing by name: give the files"
        )
        raise UsageError(f"{printable(str(folder))}: no raw data in this folder; looked for {patterns}")
    return files


def known_hashes(files: Iterable[Path], known: dict[str, int]) -> dict[Path, str]:
    """The files whose SHA-256 is already `known` (with its size); only files of equal size are hashed.

    Raises
    ------
    UsageError
        When two of the files are one and the same, byte for byte.
    """
    sizes = defaultdict(list)
    for file in files:
        with io_errors(file, "reading"):
            sizes[file.stat().st_size].append(file)
    hits = {}
    for size, alike in sizes.items():
        if len(alike) == 1 and size not in known.values():
            continue
        seen: dict[str, Path] = {}
        for file in alike:
            with io_errors(file, "reading"):
                sha256, _ = sha256_of(file)
            if sha256 in seen:
                first = printable(str(seen[sha256]))
                raise UsageError(f"{printable(str(file))}: the same file as {first}, byte for byte; give it once")
            seen[sha256] = file
            if sha256 in known:
                hits[file] = sha256
    return hits
