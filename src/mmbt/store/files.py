"""The file system as the store needs it: errors with a plain message, hashed and synced writes, a lock that dies with
its holder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from mmbt.errors import FileError, StoreError
from mmbt.store.names import printable

__all__ = [
    "READERS",
    "WRITER",
    "HashedSink",
    "Sink",
    "inside",
    "io_errors",
    "locked",
    "remove_tree",
    "same_file",
    "sha256_of",
    "shared",
    "sync_folder",
    "try_lock",
    "write_atomically",
]

WRITER = ".mmbt.lock"  # held by the one converter at work; its presence also marks a folder as a store
READERS = ".mmbt.readers"  # shared by open readers; while any holds it, files they may need are not swept


@contextmanager
def io_errors(path: Path, doing: str, need: int | None = None) -> Iterator[None]:
    """Turn an OSError into a `FileError` that names the path and, when the disk is full, the bytes needed."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        where = printable(str(error.filename or path))
        why = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            free = shutil.disk_usage(_existing(path)).free
            amount = f"; {need:,} bytes are needed" if need else ""
            raise FileError(
                f"{doing} {where}: {why} ({free:,} bytes are free{amount}); free some space and run it again: "
                "nothing was changed"
            ) from error
        hint = {
            errno.EACCES: "; check its permissions",
            errno.EROFS: "; choose another folder",
            errno.ENOTDIR: "; a part of the path is a file",
            errno.ELOOP: "; a symbolic link points to itself",
            errno.ENAMETOOLONG: "; the path is too long",
        }.get(error.errno or 0, "")
        raise FileError(f"{doing} {where}: {why}{hint}") from error


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


class Sink:
    """What pyarrow writes a file into, from its beginning to its end; `size` bytes have come so far."""

    size = 0
    closed = False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        if self.closed:  # pyarrow tries again when it collects a writer that failed
            raise ValueError("the file is closed")
        view = memoryview(data).cast("B")
        self.put(view)
        self.size += len(view)
        return len(view)

    def put(self, data: memoryview) -> None:
        """Take the bytes that go to `size`."""
        raise NotImplementedError

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


class HashedSink(Sink):
    """A new file that is hashed as it is written and synced when it is closed."""

    def __init__(self, path: Path):
        self._hash = hashlib.sha256()
        self._file: BinaryIO = path.open("xb", buffering=0)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def put(self, data: memoryview) -> None:
        self._hash.update(data)
        while data:
            data = data[write_some(self._file, data) :]

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            try:
                os.fsync(self._file.fileno())
            finally:
                self._file.close()


def write_some(file: BinaryIO, data: Any) -> int:
    """One write to the disk. Every byte the store writes passes here, so that tests can fail any one of them."""
    return file.write(data)


def sha256_of(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def sync_folder(path: Path) -> None:
    """Make the folder's entries last through a crash of the machine."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(path: Path, data: bytes, temp: Path) -> None:
    """Put `data` at `path` in one step: whoever looks sees the old file or the new one."""
    with temp.open("wb", buffering=0) as file:
        left = memoryview(data)
        while left:
            left = left[write_some(file, left) :]
        os.fsync(file.fileno())
    temp.replace(path)
    sync_folder(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder of ours, if it is there."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def inside(root: Path, relative: str) -> Path:
    """The path `relative` under `root`.

    Raises
    ------
    StoreError
        When it leads out of `root`, by `..`, by being absolute, or through a symbolic link.
    """
    path = root / relative
    if not looks_inside(relative) or not path.resolve().is_relative_to(root.resolve()):
        raise StoreError(
            f"{printable(str(root))}: the path {relative!r} leads out of the store; the manifest was tampered with"
        )
    return path


def looks_inside(relative: str) -> bool:
    """Whether a path, symbolic links aside, stays under the folder it is relative to."""
    return bool(relative) and not relative.startswith("/") and ".." not in relative.split("/")


@contextmanager
def locked(root: Path, wait_s: float = 1.0) -> Iterator[None]:
    """Hold the store for writing. The kernel drops the lock when the process ends, however it ends.

    Raises
    ------
    FileError
        When another converter holds it; the message has its pid.
    """
    path = root / WRITER
    deadline = time.monotonic() + wait_s
    while True:
        root.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            while not try_lock(fd):
                if time.monotonic() >= deadline:
                    holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
                    raise FileError(
                        f"{printable(str(root))}: another mmbt convert (pid {holder}) is writing this store; "
                        "wait for it or choose another --out"
                    )
                time.sleep(0.02)
            if same_file(fd, path):
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                yield
                return
        finally:
            os.close(fd)


@contextmanager
def shared(root: Path, exclusive: bool = False) -> Iterator[bool]:
    """Hold the readers' lock; gives whether it was to be had. A reader shares it, a sweeper wants it alone."""
    try:
        fd = os.open(root / READERS, os.O_RDONLY | os.O_CLOEXEC | (os.O_CREAT if exclusive else 0), 0o644)
    except OSError:
        yield exclusive  # no lock file: read-only media or a copied store; nobody sweeps those under a reader
        return
    try:
        if exclusive:
            yield try_lock(fd)
        else:
            fcntl.flock(fd, fcntl.LOCK_SH)  # waits for a sweep at most
            yield True
    finally:
        os.close(fd)


def try_lock(fd: int) -> bool:
    """Lock an open file without waiting; whether it was to be had. The kernel drops it when the process ends."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def same_file(fd: int, path: Path) -> bool:
    """Whether an open file is still the one at its path."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
