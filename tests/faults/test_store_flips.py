"""Fault C23: every flipped bit is found, wherever it lies, and the message names the file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mmbt.errors import StoreError
from mmbt.store import convert, open_store
from tests.store.helpers import BASE, quotes, tob, trades

X = "BTC/USD_T+0"


def read_all(root: Path) -> int:
    with open_store(root).select([X], prefetch=0) as market:
        return sum(len(batch.ts) for batch in market.tob(X)) + sum(len(batch.ts) for batch in market.trades(X))


def flip(folder: Path, times: int, seed: int) -> None:
    root = folder / "s"
    convert(
        [
            tob(folder / "tob.csv", quotes(4000)),
            trades(folder / "trade.csv", [(BASE + i, X, 100, 1 + i % 3, "B") for i in range(900)]),
        ],
        root,
    )
    files = [root / partition.path for partition in open_store(root).manifest.partitions] + [root / "manifest.json"]
    assert read_all(root) == 4900
    rng = random.Random(seed)
    for _ in range(times):
        path = rng.choice(files)
        whole = path.read_bytes()
        # the first and last bytes are magic and footer, few but the ones page checksums do not cover
        at = rng.choice(
            [rng.randrange(len(whole)), rng.randrange(4), len(whole) - 1 - rng.randrange(min(len(whole), 3000))]
        )
        bad = bytearray(whole)
        bad[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(StoreError) as error:
            read_all(root)
        assert path.name in str(error.value)
        path.write_bytes(whole)
    assert read_all(root) == 4900


def test_C23_300_flipped_bits_are_all_found(memory_path: Path) -> None:
    flip(memory_path, 300, seed=23)


@pytest.mark.slow
def test_C23_10000_flipped_bits_are_all_found(memory_path: Path) -> None:
    flip(memory_path, 10_000, seed=24)


def test_C23_the_message_says_which_row_group(tmp_path: Path) -> None:
    convert([tob(tmp_path / "tob.csv", quotes(300_000))], tmp_path / "s")
    (partition,) = open_store(tmp_path / "s").manifest.partitions
    path = tmp_path / "s" / partition.path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match=r"part-.*damaged in row group 1"):
        open_store(tmp_path / "s").verify()
