"""The hot store: a folder of cached partitions, each named after the SHA-256 of the Parquet file it was made of.

So a cached file is never stale: a partition that changes gets another name. Files are made when they are first asked
for, and safe against whatever happens meanwhile:

- Everything is written to `NAME.tmp`, synced, and renamed; a file under its final name is whole.
- The temporary file is its own lock: whoever holds it builds, others wait and use what he made. When he dies the
  kernel lets go, and the next one starts it over.
- What nobody holds, and in a store's own folder what its manifest does not name, is removed by the next build.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mmbt.errors import FileError, MmbtError, StoreError
from mmbt.store.files import io_errors, same_file, sync_folder, try_lock
from mmbt.store.hotfile import VERSION, HotFile, Unfit, file_bytes, write
from mmbt.store.manifest import Manifest, Partition
from mmbt.store.names import printable
from mmbt.store.schema import column_names
from mmbt.store.stored import row_groups

__all__ = ["HOT", "HotCache"]

HOT = ".hot"
WAIT_S = 60.0
_SUFFIX = f".v{VERSION}.arrow"
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


def _warn(message: str) -> None:
    warnings.warn(message, RuntimeWarning, stacklevel=2)


class HotCache:
    """The cached partitions of one store.

    They lie in `.hot` inside the store, or, where that cannot be written, in `mmbt/hot` of the user's cache folder
    (`XDG_CACHE_HOME`, else `~/.cache`). The environment variable `MMBT_HOT` names another folder.

    Parameters
    ----------
    root
        The store's folder.
    warn
        Told of what went wrong without stopping the work; None: a `RuntimeWarning`.
    """

    def __init__(self, root: Path, warn: Callable[[str], None] | None = None):
        self.root = root
        self.warn = warn or _warn

    @property
    def folders(self) -> list[Path]:
        """Where cached files are looked for; they are made in the first that can be written."""
        named = os.environ.get("MMBT_HOT")
        if named:
            return [Path(named)]
        folders = [self.root / HOT]
        with suppress(RuntimeError):  # nobody's home
            folders.append(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mmbt" / "hot")
        return folders

    def open(self, partition: Partition) -> HotFile:
        """The partition's cached file, made first if there is none.

        Raises
        ------
        FileError
            When it cannot be made.
        StoreError
            When the partition itself is damaged.
        """
        for _ in range(3):
            if (found := self.find(partition)) is not None:
                return found
            self._build(partition)
        raise FileError(
            f"{printable(str(self.folders[0]))}: a cached file cannot be read, or is removed as soon as it is written; "
            "clear the hot store with `mmbt hot clear`"
        )

    def find(self, partition: Partition) -> HotFile | None:
        """The partition's cached file if there is one that can be read; an unfit one is discarded."""
        for folder in self.folders:
            path = folder / _name(partition)
            try:
                return HotFile(path, partition)
            except Unfit as error:
                self.discard(path, error)
            except OSError:
                continue
        return None

    def discard(self, path: Path, why: Unfit) -> None:
        """Remove a cached file that was found unfit, so that the next one to ask makes it anew."""
        self.warn(f"{why}; this cached copy is discarded, the store itself is as it was")
        with suppress(OSError):
            path.unlink()

    def files(self, partitions: Sequence[Partition]) -> dict[Path, Partition | None]:
        """Every cached file there is, with the one of these partitions it belongs to: None for those of no one."""
        known = {_name(partition): partition for partition in partitions}
        return {path: known.get(path.name) for folder in self.folders for path in sorted(folder.glob("*.arrow"))}

    def clear(self, partitions: Sequence[Partition], everything: bool = False) -> list[Path]:
        """Remove the cached files of these partitions, or all there are; those in use live on until they are closed.

        Files of no partition are removed from the store's own folder in any case. Returns what was removed.

        Raises
        ------
        FileError
            When one cannot be removed.
        """
        removed = []
        for path, partition in self.files(partitions).items():
            if everything or partition is not None or path.parent == self.root / HOT:
                with io_errors(path, "removing"):
                    path.unlink(missing_ok=True)
                removed.append(path)
        for folder in self.folders:
            _sweep_temporary(folder)
        with suppress(OSError):  # not empty, or not there
            (self.root / HOT).rmdir()
        return removed

    def _build(self, partition: Partition) -> None:
        folders = self.folders
        for folder in folders:
            try:
                self._build_in(folder, partition)
            except FileError as error:
                if folder == folders[-1] or getattr(error.__cause__, "errno", None) not in _NOT_OURS:
                    raise
            else:
                return

    def _build_in(self, folder: Path, partition: Partition) -> None:
        final = folder / _name(partition)
        temp = final.with_suffix(".tmp")
        need = file_bytes(partition)
        with io_errors(temp, "caching in", need):
            folder.mkdir(parents=True, exist_ok=True)
            self._sweep(folder)
            with _alone(temp, final) as file:
                if file is None:
                    return
                try:
                    if shutil.disk_usage(folder).free < need:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(temp))
                    names = list(column_names(partition.table, partition.local))
                    write(file, temp, partition, row_groups(self.root, partition, names))
                    os.fsync(file.fileno())
                    temp.replace(final)
                except BaseException:
                    temp.unlink(missing_ok=True)
                    raise
            sync_folder(folder)

    def _sweep(self, folder: Path) -> None:
        """Remove rests of killed builders, and from the store's own folder what its manifest does not name."""
        _sweep_temporary(folder)
        if folder == self.root / HOT:
            with suppress(MmbtError, OSError):
                manifest = Manifest.load(self.root)
                named = {_name(partition) for partition in manifest.partitions} if manifest else set()
                for path in folder.glob("*.arrow"):
                    if manifest and path.name not in named:
                        path.unlink(missing_ok=True)


def _name(partition: Partition) -> str:
    if not partition.sha256.isalnum():
        raise StoreError(f"{partition.path}: the manifest has no SHA-256 for it; it was tampered with")
    return partition.sha256 + _SUFFIX


@contextmanager
def _alone(temp: Path, final: Path) -> Iterator[BinaryIO | None]:
    """The temporary file, empty and ours alone; None once another process has finished what it is for.

    Raises
    ------
    FileError
        When another process keeps it for too long.
    """
    deadline = time.monotonic() + WAIT_S
    while not final.exists():
        fd = os.open(temp, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "r+b", buffering=0) as file:
            while not try_lock(fd):
                if time.monotonic() >= deadline:
                    raise FileError(f"{printable(str(temp))}: another process has been writing it for {WAIT_S:.0f} s")
                time.sleep(0.02)
            if same_file(fd, temp) and not final.exists():
                file.truncate(0)
                yield file
                return
    yield None


def _sweep_temporary(folder: Path) -> None:
    with suppress(OSError):
        for temp in folder.glob("*.tmp"):
            with temp.open("rb") as file:
                if try_lock(file.fileno()) and same_file(file.fileno(), temp):
                    temp.unlink()
