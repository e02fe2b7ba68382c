"""The tokenizer's slow twin: the same rules in plain Python, with `re`, `Decimal` and `datetime`, sharing no code.

It reads a whole file's bytes at once, zoneless times as UTC, and gives rows and rejects as tuples.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, localcontext

NUMBER = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?")
ISO = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?"
                 rb"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?")
EPOCH = re.compile(rb"([0-9]{1,19})(?:\.([0-9]{1,9}))?")
SIDES = {b"": 0, b"b": 1, b"buy": 1, b"bid": 1, b"1": 1, b"+1": 1, b"s": -1, b"sell": -1, b"ask": -1, b"-1": -1,
         b"0": 0, b"a": -1, b"n": 0, b"none": 0, b"unknown": 0, b"unspecified": 0, b"offer": -1, b"buyer": 1,
         b"seller": -1, b"long": 1, b"short": -1, b"bought": 1, b"sold": -1}
FIRST, LAST = 0, int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 10**9


class Bad(Exception):
    """A row is rejected; the argument is the reason."""


class Fatal(Exception):
    """The file cannot be read; the argument is the reason."""


@dataclass
class Twin:
    """What the rules make of a file: the header is line 1, columns as named in `columns`."""

    columns: list[str]  # roles by position, "" for an ignored one
    rows: list[tuple] = field(default_factory=list)
    rejects: list[tuple[int, int, str]] = field(default_factory=list)
    repeated: int = 0
    kind: str | None = None

    def read(self, data: bytes, delimiter: bytes = b";") -> Twin:
        """Read header and rows."""
        if data.startswith(b"\xef\xbb\xbf"):
            at, data = 3, data[3:]
        else:
            at = 0
        lines, header = re.split(rb"(\r\n|\n|\r)", data), None
        number = 0
        for k in range(0, len(lines), 2):
            line, end = lines[k], lines[k + 1] if k + 1 < len(lines) else b""
            start, at, number = at, at + len(line) + len(end), number + 1
            if not line.replace(b"\t", b" " if delimiter != b"\t" else b"x").strip(b" "):
                continue
            if header is None:
                header = line
            elif line in (header, b"\xef\xbb\xbf" + header):
                self.repeated += 1
            else:
                try:
                    self.rows.append((number, start, *self.row(line, bool(end), delimiter)))
                except Bad as bad:
                    if str(bad) in ("FIELD_COUNT", "BAD_NUMBER", "BAD_TIME") and letters(line) == letters(header):
                        self.repeated += 1  # the header in other letters
                    else:
                        self.rejects.append((number, start, str(bad)))
        return self

    def row(self, line: bytes, ended: bool, delimiter: bytes) -> tuple:
        """The values of one line by role: time, local_time, instrument, values, side."""
        if len(line) > 65536:
            raise Bad("ROW_TOO_LONG")
        if not ended:
            raise Bad("TRUNCATED_TAIL")
        if b"\0" in line:
            try:
                line[:line.index(b"\0")].decode()
            except UnicodeDecodeError as error:
                # a sequence cut short by the NUL is the NUL's fault; a byte no sequence begins with is its own
                if error.reason == "invalid start byte":
                    raise Bad("BAD_BYTE") from None
            raise Bad("NUL")
        try:
            line.decode()
        except UnicodeDecodeError:
            raise Bad("BAD_BYTE") from None
        fields = self.split(line, delimiter)
        role = {name: fields[k] for k, name in enumerate(self.columns) if name}
        out: dict[str, object] = {"side": 0}
        if "px" in role:
            for name in ("px", "qty"):
                value = number(role[name])
                if value is None:
                    raise Bad("EMPTY_FIELD")
                if value <= 0:
                    raise Bad("NON_POSITIVE_PRICE" if name == "px" else "NON_POSITIVE_QTY")
                out[name] = value
            values = (out["px"], out["qty"])
            word = role.get("side", b"").lower()
            if word not in SIDES:
                raise Bad("BAD_SIDE")
            out["side"] = SIDES[word]
        else:
            values = (*level(role["bid_px"], role["bid_qty"]), *level(role["ask_px"], role["ask_qty"]))
        name = role["instrument"]
        if not name:
            raise Bad("EMPTY_FIELD")
        text = name.decode()
        if len(name) > 255 or text.strip(" ") != text or re.search("[\0-\x1f\x7f-\x9f\u2028\u2029]", text):
            raise Bad("BAD_INSTRUMENT")
        return self.time(role["time"]), text, values, out["side"]

    def split(self, line: bytes, delimiter: bytes) -> list[bytes]:
        """Fields; a quoted one may hold the delimiter. Too many are noticed before a bad quote behind them."""
        fields, rest = [], line
        while True:
            if len(fields) == len(self.columns):
                raise Bad("FIELD_COUNT")
            if rest[:1] == b'"':
                match = re.match(rb'"([^"]*)"(?=' + re.escape(delimiter) + rb"|\Z)", rest)
                if match is None:
                    raise Bad("BAD_QUOTE")
                fields.append(match[1])
                rest = rest[match.end():]
            else:
                value = rest.split(delimiter, 1)[0]
                fields.append(value)
                rest = rest[len(value):]
            if not rest:
                break
            rest = rest[len(delimiter):]
        if len(fields) != len(self.columns):
            raise Bad("FIELD_COUNT")
        return fields

    def time(self, text: bytes) -> int:
        """Exact ns; the first good row settles the kind."""
        if not text:
            raise Bad("EMPTY_FIELD")
        kind, ns = iso(text) or epoch(text) or (None, 0)
        if kind is None or not FIRST <= ns < LAST:
            if kind is None and self.kind is None and unitless(text):
                raise Fatal("AMBIGUOUS_EPOCH")
            if kind is None and self.kind is None and iso(b"2024-08-08 " + text) and text[-1:].isdigit():
                raise Fatal("NO_DATE")
            raise Bad("BAD_TIME")
        if self.kind not in (None, kind):
            raise Fatal("MIXED_TIMES")
        self.kind = kind
        return ns


def letters(line: bytes) -> list[str]:
    """Names of a header without what does not count; none where it does not begin with a letter."""
    text = line.decode()
    return [re.sub(r"[\W_]", "", name).lower() for name in text.split(";")] if re.match(r"[A-Za-z_]", text) else [text]


def number(text: bytes) -> Decimal | None:
    """An exact Decimal, None for an empty field."""
    if not text:
        return None
    match = NUMBER.fullmatch(text)
    if match is None or len(text) > 64:
        raise Bad("BAD_NUMBER")
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 200, 99999, -99999
        value = Decimal(text.decode())
        if value.is_zero():
            if match[1]:
                raise Bad("BAD_NUMBER")
            return Decimal(0)
        _, digits, exponent = value.normalize().as_tuple()
        if len(digits) > 18 or exponent < -18 or len(digits) + exponent > 18:
            raise Bad("NUMBER_RANGE")
        return value


def level(px_text: bytes, qty_text: bytes) -> tuple[Decimal, Decimal]:
    """Price and quantity of a side, (0, 0) where it is absent."""
    px = number(px_text)
    if px is not None and px < 0:
        raise Bad("NON_POSITIVE_PRICE")
    qty = number(qty_text)
    if qty is None and px is not None:
        raise Bad("EMPTY_FIELD")
    if qty is not None and qty < 0:
        raise Bad("NON_POSITIVE_QTY")
    if px is None or not qty:
        return Decimal(0), Decimal(0)
    if px == 0:
        raise Bad("NON_POSITIVE_PRICE")
    return px, qty


def iso(text: bytes) -> tuple[str, int] | None:
    """Kind and ns of an ISO time."""
    match = ISO.fullmatch(text)
    if match is None:
        return None
    try:
        when = datetime(*(int(match[k]) for k in range(1, 7)), tzinfo=UTC)
        offset = 0
        if match[8] and match[8] != b"Z":
            digits = match[8][1:].replace(b":", b"")
            hours, minutes = int(digits[:2]), int(digits[2:] or b"0")
            if hours > 23 or minutes > 59:
                return None
            offset = (hours * 60 + minutes) * (1 if match[8][:1] == b"+" else -1)
    except ValueError:
        return None
    if not 1970 <= when.year < 2200:
        return None
    ns = (int((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) - offset * 60) * 10**9
    return "iso+offset" if match[8] else "iso", ns + int((match[7] or b"").ljust(9, b"0"))


def epoch(text: bytes) -> tuple[str, int] | None:
    """Kind and ns of an epoch whose magnitude tells its unit."""
    match = EPOCH.fullmatch(text)
    if match is None:
        return None
    value = Decimal(text.decode())
    for kind, unit in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
        if 10**8 * (10**9 // unit) <= int(match[1]) < 4102444800 * (10**9 // unit):
            ns = value * unit
            return (kind, int(ns)) if ns == int(ns) else None
    return None


def unitless(text: bytes) -> bool:
    """Whether a number that could be an epoch has the magnitude of no unit."""
    match = EPOCH.fullmatch(text)
    if match is None or (len(match[1]) == 19 and int(match[1][:18]) > 9 * 10**17):
        return False
    return not any(10**k <= int(match[1]) < 4102444800 * 10**(k - 8) for k in (8, 11, 14, 17))
