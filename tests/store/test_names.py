"""Instrument names become folder names and back (fault C17)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmbt.errors import StoreError
from mmbt.store.names import decode, encode, parse_name, printable

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(TEXT)
def test_C17_names_are_encoded_reversibly_and_safely(name: str) -> None:
    folder = encode(name)
    assert re.fullmatch(r"[A-Z0-9_.%~-]+", folder)
    assert "/" not in folder
    assert ".." not in folder
    assert not folder.startswith(".")
    assert not folder.endswith(".")
    assert len(folder.encode()) <= 255 - len("instrument=")
    if "~" not in folder:
        assert decode(folder) == name


@given(TEXT, TEXT)
def test_C17_no_two_names_collide_where_case_does_not_count(one: str, other: str) -> None:
    assert (encode(one).casefold() == encode(other).casefold()) == (one == other)


def test_C17_readable_where_it_can_be() -> None:
    assert encode("BTC/USDT_T+0") == "BTC%2FUSDT_T%2B0"
    assert encode("BRK.B") == "BRK.B"
    assert encode("kPEPE") == "%6BPEPE"
    assert encode("..") == "%2E%2E"
    assert encode("~") == "%7E"


def test_C17_long_names_keep_apart() -> None:
    one, other = encode("я" * 200 + "a"), encode("я" * 200 + "b")
    assert one != other
    assert len(one) <= 244
    with pytest.raises(StoreError):
        decode(one)


@pytest.mark.parametrize("folder", ["", "btc", "A/B", "%2e", "A..B", "%FF", "%41"])
def test_foreign_folders_are_no_names(folder: str) -> None:
    with pytest.raises(StoreError):
        decode(folder)


def test_parts_of_a_name() -> None:
    assert parse_name("BTC/USD_T+0") == ("BTC", "USD", "T+0")
    assert parse_name("USD/RUB") == ("USD", "RUB", None)
    assert parse_name("AIG") == (None, None, None)


def test_X6_control_characters_are_shown_escaped() -> None:
    assert printable("a\x1b[31m\n") == "a\\x1b[31m\\n"
    assert printable("BTC/USD") == "BTC/USD"
