"""Which raw files a command means, and in what format each is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mmbt.errors import DataError, FileError, StoreError, UsageError, did_you_mean
from mmbt.formats import RawFormat, ReadOptions, choose, formats, get
from mmbt.formats.sources import content_sha256, head_sha256
from mmbt.store.files import io_errors, sha256_of
from mmbt.store.manifest import Source
from mmbt.store.names import printable

__all__ = ["find_sources", "recognised"]


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


def recognised(
    files: Sequence[Path], stored: Mapping[str, Source], options: ReadOptions
) -> tuple[dict[Path, Source], dict[Path, str]]:
    """Which files are in the store already, compressed or not, and the SHA-256 of the head of each file.

    A file is hashed as it lies on disk if its size is that of a stored one, and decompressed as a whole only if its
    head is that of another file. What cannot be decompressed is nobody's copy: its format says what is wrong.

    Raises
    ------
    UsageError
        When two of the files hold the same bytes.
    """
    on_disk = {(source.sha256, source.bytes): source for source in stored.values()}
    known_sizes = {source.bytes for source in stored.values()}
    size: dict[Path, int] = {}
    found: dict[Path, Source] = {}
    heads: dict[Path, str] = {}
    for file in files:
        with io_errors(file, "reading"):
            size[file] = file.stat().st_size
            if size[file] in known_sizes and (source := on_disk.get(sha256_of(file))):
                found[file] = source
        heads[file] = found[file].head_sha256 if file in found else _hash(head_sha256, file, options)
    shared = Counter(heads.values()) + Counter({source.head_sha256 for source in stored.values()})
    seen: dict[str, Path] = {}
    for file, head in heads.items():
        content = ""
        if file in found:
            content = found[file].content_sha256
        elif head and shared[head] > 1:
            content = _hash(content_sha256, file, options)
        if content in seen:
            first = printable(str(seen[content]))
            how = "byte for byte" if size[file] == size[seen[content]] else "once decompressed"
            raise UsageError(f"{printable(str(file))}: the same file as {first}, {how}; give it once")
        if content:
            seen[content] = file
        if content in stored:
            found[file] = stored[content]
    return found, heads


def _hash(of: Callable[[Path, ReadOptions], str], file: Path, options: ReadOptions) -> str:
    try:
        return of(file, options)
    except (DataError, StoreError):
        return ""
