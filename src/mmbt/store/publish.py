"""The steps by which a conversion reaches the store, so that it is whole at every instant.

1. Under the writers' lock, everything is written and synced in one temporary folder inside the store.
2. The files are renamed to their final names, which hold their own SHA-256: nothing the present manifest names is
   changed.
3. The manifest is switched by one rename. Before it readers see the old store, after it the new one.
4. Files that no manifest names any more are removed, unless a reader holds the store; then the next conversion
   removes them.

Killed before 3, the store is the old one and the next conversion removes what is left over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mmbt.errors import FileError, MmbtError, StoreError
from mmbt.store.files import READERS, WRITER, io_errors, locked, remove_tree, shared, sync_folder
from mmbt.store.manifest import MANIFEST, Manifest
from mmbt.store.names import printable
from mmbt.store.quarantine import QUARANTINE
from mmbt.store.schema import TABLES

__all__ = ["publish", "workspace"]

_TEMP = ".convert-tmp"
_FOLDERS = (*TABLES, QUARANTINE)


@contextmanager
def workspace(root: Path) -> Iterator[Path]:
    """The store held for writing: gives a temporary folder in it that is gone afterwards.

    Raises
    ------
    StoreError
        When the folder holds something else than a store.
    FileError
        When it cannot be written, or another converter is at work.
    """
    with io_errors(root, "writing"):
        _check_target(root)
        new = not root.exists()
        with locked(root):
            temp = root / _TEMP
            try:
                _sweep(root)
                remove_tree(temp)
                temp.mkdir()
                yield temp
            except BaseException:
                with suppress(MmbtError, OSError):  # files moved already, when it failed before the switch
                    _sweep(root)
                raise
            finally:
                with suppress(OSError):
                    remove_tree(temp)
                if new and not (root / MANIFEST).exists():
                    _retreat(root)


def publish(root: Path, temp: Path, manifest: Manifest, files: dict[Path, str]) -> None:
    """Move finished files to their paths in the store and switch to the new manifest."""
    folders: set[Path] = set()
    with io_errors(root, "writing"):
        for file, relative in files.items():
            final = root / relative
            if final.parent not in folders:
                final.parent.mkdir(parents=True, exist_ok=True)
                folders.add(final.parent)
            file.replace(final)
        for folder in {place for leaf in folders for place in (leaf, *leaf.parents) if place.is_relative_to(root)}:
            sync_folder(folder)
        with shared(root, exclusive=True):
            pass  # the readers' lock file exists from the first manifest on
        manifest.save(root, temp / MANIFEST)
        _sweep(root)


def _check_target(root: Path) -> None:
    if root.is_symlink() and not root.exists():
        raise FileError(f"{printable(str(root))}: a symbolic link that leads nowhere; choose another --out")
    if root.exists() and not root.is_dir():
        raise FileError(f"{printable(str(root))}: is a file, not a folder; choose another --out")
    if (
        root.is_dir()
        and not (root / WRITER).exists()
        and not (root / MANIFEST).exists()
        and next(root.iterdir(), None) is not None
    ):
        raise StoreError(f"{printable(str(root))}: holds other files and is no store; choose another --out")


def _sweep(root: Path) -> None:
    with shared(root, exclusive=True) as alone:
        if not alone:
            return
        manifest = Manifest.load(root)
        named = set()
        if manifest is not None:
            named = {partition.path for partition in manifest.partitions}
            named |= {source.quarantine["path"] for source in manifest.sources.values() if source.quarantine}
        for folder in _FOLDERS:
            for place, _, files in os.walk(root / folder, topdown=False):
                here = Path(place)
                for file in files:
                    if (here / file).relative_to(root).as_posix() not in named:
                        (here / file).unlink()
                with suppress(OSError):  # not empty: it stays
                    here.rmdir()


def _retreat(root: Path) -> None:
    with suppress(OSError):
        for folder in _FOLDERS:
            remove_tree(root / folder)
        for name in (READERS, WRITER):
            (root / name).unlink(missing_ok=True)
        root.rmdir()
