"""The reader: selections, batches without a copy, and threads that always end."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mmbt.errors import StoreError, UsageError
from mmbt.store import Catalog, convert, open_store
from mmbt.store.prefetch import Prefetched
from tests.store.helpers import BASE, DAY, quotes, tob, trades

X = "BTC/USD_T+0"


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Three days of two instruments."""
    days = [row for day in range(3) for row in quotes(50, start=BASE + day * DAY)]
    books = tob(tmp_path / "tob.csv", [*days, *((row[0], "ETH/USD", *row[2:]) for row in days[:50])])
    prints = trades(tmp_path / "trade.csv", [(BASE + i, X, 100 + i, 1, "BS"[i % 2]) for i in range(5)])
    convert([books, prints], tmp_path / "store")
    return open_store(tmp_path / "store")


def prefetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "mmbt-prefetch"]


def stamps(catalog: Catalog, **selection: object) -> list[int]:
    with catalog.select([X], **selection) as market:  # type: ignore[arg-type]
        return [ts for batch in market.tob(X) for ts in batch.ts.tolist()]


def test_the_catalog_tells_what_there_is(catalog: Catalog) -> None:
    assert catalog.names == [X, "ETH/USD"]
    assert catalog.default_instrument() == X
    btc, eth = catalog.summaries()
    assert (btc.tob_rows, btc.trade_rows, btc.dates) == (150, 5, ("2022-09-21", "2022-09-22", "2022-09-23"))
    assert (btc.first_ts, btc.last_ts) == (BASE, BASE + 2 * DAY + 49 * 10**6)
    assert (eth.tob_rows, eth.trade_rows) == (50, 0)
    instrument = catalog.instrument(X)
    assert (instrument.tick_size, instrument.lot_size, instrument.base, instrument.quote) == (
        "0.1",
        "0.1",
        "BTC",
        "USD",
    )
    assert catalog.verify() == len(catalog.manifest.partitions) == 5


def test_days_and_times_are_selected(catalog: Catalog) -> None:
    everything = stamps(catalog)
    assert len(everything) == 150
    assert stamps(catalog, dates=("2022-09-22", "2022-09-22")) == everything[50:100]
    assert stamps(catalog, dates=("2022-09-22", None)) == everything[50:]
    assert stamps(catalog, start=everything[10], end=everything[60]) == everything[10:60]
    assert stamps(catalog, batch_rows=7) == everything
    for wrong in ({"dates": ("2022-10-01", None)}, {"dates": ("2022-9-1", None)}, {"start": 5, "end": 5},
                  {"dates": ("2022-09-22", "2022-09-21")}):  # fmt: skip
        with pytest.raises(UsageError):
            stamps(catalog, **wrong)


def test_columns_come_without_a_copy(catalog: Catalog) -> None:
    with catalog.select([X], prefetch=0) as market:
        (batch, *_) = list(market.tob(X))
        (prints,) = list(market.trades(X))
    assert batch.local_ts is None
    for column in batch[:5]:
        assert column.dtype == np.int64
        assert column.flags.c_contiguous
        assert not column.flags.owndata
    assert prints.side.dtype == np.int8
    assert prints.side.tolist() == [1, -1, 1, -1, 1]


def test_batch_size_and_prefetch_do_not_show(catalog: Catalog) -> None:
    for prefetch in (0, 1, 5):
        for batch_rows in (1, 7, 64, None):
            with catalog.select([X], batch_rows=batch_rows, prefetch=prefetch) as market:
                batches = list(market.tob(X))
            assert np.concatenate([batch.bid_px for batch in batches]).tolist()[:3] == [1000, 1011, 1022]
            assert sum(len(batch.ts) for batch in batches) == 150


def test_an_instrument_that_was_not_selected_is_an_error(catalog: Catalog) -> None:
    with catalog.select([X]) as market, pytest.raises(UsageError, match="not selected"):
        market.tob("ETH/USD")


def test_threads_end_with_the_market(catalog: Catalog) -> None:
    with catalog.select([X], batch_rows=1, prefetch=1) as market:
        quotes_ = market.tob(X)
        prints = market.trades(X)
        next(quotes_)
        next(prints)
        assert len(prefetchers()) == 2
    assert not prefetchers()
    with pytest.raises(StopIteration):
        next(quotes_)


def test_threads_end_with_their_reader_and_on_its_error(catalog: Catalog) -> None:
    def read_a_little() -> None:
        with catalog.select([X], batch_rows=1, prefetch=1) as market:
            for _ in market.tob(X):
                raise KeyError("the reader's own")

    with pytest.raises(KeyError, match="own"):
        read_a_little()
    market = catalog.select([X], batch_rows=1, prefetch=1)
    next(market.tob(X))
    gc.collect()
    for _ in range(100):
        if not prefetchers():
            break
        time.sleep(0.02)
    assert not prefetchers()
    market.close()
    market.close()


def test_an_error_in_the_thread_is_raised_at_its_place() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise StoreError("damaged")

    ahead = Prefetched(source(), 1)
    assert next(ahead) == 1
    with pytest.raises(StoreError, match="damaged"):
        next(ahead)
    with pytest.raises(StopIteration):
        next(ahead)
    assert not prefetchers()


def test_the_thread_reads_no_further_than_its_queue() -> None:
    made = []

    def source() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    ahead = Prefetched(source(), 3)
    next(ahead)
    time.sleep(0.2)
    assert len(made) <= 6
    ahead.close()


def test_a_reader_keeps_its_files_while_a_conversion_replaces_them(catalog: Catalog, tmp_path: Path) -> None:
    market = catalog.select([X], batch_rows=10, prefetch=1)
    rows = market.tob(X)
    first = next(rows)
    finer = tob(tmp_path / "tob_2.csv", [(BASE, X, "100.001", 1, 109, 1)])
    convert([finer], catalog.root)
    assert len(first.ts) + sum(len(batch.ts) for batch in rows) == 150  # the old store, to its end
    market.close()
    assert sum(len(batch.ts) for batch in open_store(catalog.root).select([X]).tob(X)) == 151
    convert([tob(tmp_path / "tob_3.csv", [(BASE + 1, X, 100, 1, 109, 1)])], catalog.root)
    named = {p.path for p in open_store(catalog.root).manifest.partitions}
    assert {path.relative_to(catalog.root).as_posix() for path in catalog.root.rglob("part-*")} == named


@pytest.mark.slow
def test_C18_memory_does_not_grow_with_rows(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import resource, sys; from pathlib import Path; from mmbt.store import convert, open_store\n"
        "convert([sys.argv[1]], sys.argv[2])\n"
        "market = open_store(sys.argv[2]).select()\n"
        "rows = sum(len(batch.ts) for batch in market.tob(market.instruments[0].name))\n"
        "print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peak = {}
    block = "".join(f"{{}};{X};{100 + i % 7}.{i % 10};1.{i % 9};108.5;2\n" for i in range(1000))
    for count in (1_000_000, 8_000_000):
        path = tmp_path / f"tob_{count}.csv"
        with path.open("w") as file:
            file.write("exchange_time;instrument;bid;bid_size;ask;ask_size\n")
            for k in range(count // 1000):
                file.write(block.format(*range(BASE + k * 10**6, BASE + (k + 1) * 10**6, 1000)))
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(tmp_path / f"s{count}")],
            capture_output=True,
            text=True,
            check=True,
        )
        rows, peak[count] = map(int, done.stdout.split())
        assert rows == count
    assert peak[8_000_000] < min(512, peak[1_000_000] + 32)
