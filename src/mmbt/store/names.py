"""Instrument names as folder names, reversibly; and the parts of a name such as `BTC/USD_T+0`.

Kept as they are: `A-Z 0-9 _ -`, and a dot between two of `A-Z 0-9`. Every other byte of the UTF-8 text becomes `%XX`,
lower case letters too: so no two names differ by case only, and no name holds a separator, `..` or a control
character. A name whose folder would be longer than 255 bytes ends in `~` and its SHA-256; the manifest knows it in
full.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mmbt.errors import StoreError

__all__ = ["NameParts", "decode", "encode", "parse_name", "printable"]

_LONGEST = 255 - len("instrument=")
_LOOSE = re.compile(rb"[^A-Z0-9_.-]|(?<![A-Z0-9])\.|\.(?![A-Z0-9])")
_ENCODED = re.compile(r"(?:[A-Z0-9_.-]|%[0-9A-F]{2})+\Z")
_PARTS = re.compile(r"([^/]+)/([^/_]+)(?:_(.+))?\Z", re.DOTALL)


class NameParts(NamedTuple):
    """What a name says of its instrument; None where it does not."""

    base: str | None
    quote: str | None
    settlement: str | None


def encode(name: str) -> str:
    """The folder name of an instrument: ASCII, at most 244 bytes, no two alike even where case does not count."""
    if not name:
        raise ValueError("an instrument's name may not be empty")
    raw = name.encode()
    text = _LOOSE.sub(lambda match: b"".join(b"%%%02X" % byte for byte in match[0]), raw).decode()
    if len(text) <= _LONGEST:
        return text
    head = re.sub(r"%[0-9A-F]?\Z", "", text[: _LONGEST - 33])
    return f"{head}~{hashlib.sha256(raw).hexdigest()[:32].upper()}"


def decode(folder: str) -> str:
    """The name whose folder this is.

    Raises
    ------
    StoreError
        When no name has this folder, or the name was too long for one.
    """
    if _ENCODED.match(folder):
        name = unquote_to_bytes(folder).decode("utf-8", "replace")
        if encode(name) == folder:
            return name
    raise StoreError(f"{folder!r} is not the folder of an instrument's name")


def parse_name(name: str) -> NameParts:
    """Base, quote and settlement of a name of the shape `BASE/QUOTE` or `BASE/QUOTE_SETTLEMENT`."""
    match = _PARTS.match(name)
    return NameParts(*match.groups()) if match else NameParts(None, None, None)


def printable(text: str) -> str:
    """The text as it may be shown in a terminal: control characters and newlines escaped."""
    return text if text.isprintable() else repr(text)[1:-1]
