"""The pinned stream every party replays: one instrument, about 144 events a second, 22% of them prints, as on BTC spot.

It is `mmbt synth`'s preset `btc-spot`, made once a run from a seed and kept as plain columns beside the same events in
hftbacktest's format, so that every party, in a process of its own, reads the same market:

    DIR/meta.json                                            seed, instrument, counts
    DIR/tob-{ts,bid_px,bid_qty,ask_px,ask_qty}.npy           quotes
    DIR/trades-{ts,px,qty,side}.npy                          prints
    DIR/hftbacktest.npy, hftbacktest.npz (compressed)        the same for the peer (benchmarks/peers/events.py)

`python -m benchmarks.stream DIR EVENTS [--seed N] [--peer] [--raw DIR]` makes one.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch

if TYPE_CHECKING:
    from mmbt.synth import SynthConfig

__all__ = ["SEED", "Stream", "generate", "load", "save", "synth_config"]

SEED = 20220921
EVENTS_PER_SECOND = 143.5


@dataclass(frozen=True)
class Stream:
    """One instrument's quotes and prints."""

    instrument: Instrument
    tob: TobBatch
    trades: TradeBatch

    @property
    def events(self) -> int:
        """Quotes and prints together: what every party's rate is counted in."""
        return len(self.tob.ts) + len(self.trades.ts)

    @property
    def market(self) -> ArrayMarket:
        """The stream as the engine takes it."""
        return ArrayMarket([(self.instrument, self.tob, self.trades)])

    def head(self, events: int) -> Stream:
        """About the first `events` events, whole instants: what parties warm up on."""
        rows = min(len(self.tob.ts) - 1, events * len(self.tob.ts) // self.events)
        quotes, prints = (int(np.searchsorted(table.ts, self.tob.ts[rows])) for table in (self.tob, self.trades))
        return Stream(self.instrument, TobBatch(*(column[:quotes] for column in self.tob if column is not None)),
                      TradeBatch(*(column[:prints] for column in self.trades if column is not None)))

    def describe(self) -> dict[str, Any]:
        """What the parties and the reader of the results must know."""
        tob, trades = self.tob, self.trades
        seconds = (int(max(tob.ts[-1], trades.ts[-1])) - int(tob.ts[0])) / 1e9
        return {
            "instrument": asdict(self.instrument), "events": self.events, "tob_events": len(tob.ts),
            "trade_events": len(trades.ts), "seconds": seconds, "events_per_s": self.events / seconds,
            "print_share": len(trades.ts) / self.events,
            "low_px": int(tob.bid_px.min()), "high_px": int(tob.ask_px.max()),
            "last_bid": int(tob.bid_px[-1]), "last_ask": int(tob.ask_px[-1]),
        }


def synth_config(events: int, seed: int = SEED) -> SynthConfig:
    """The synthetic market that gives about `events` events."""
    from mmbt.synth import make_config

    return make_config("btc-spot", {"seed": seed, "duration": f"{max(1, round(events / EVENTS_PER_SECOND))}s"})


def generate(events: int, seed: int = SEED) -> Stream:
    """A stream of about `events` events in memory."""
    from mmbt.synth import generate_market

    market = generate_market(synth_config(events, seed))
    instrument = market.instruments[0]
    return Stream(instrument, next(market.tob(instrument.name)), next(market.trades(instrument.name)))


def save(stream: Stream, directory: Path, *, seed: int = SEED, peer: bool = False) -> None:
    """Write the stream and, with `peer`, the same events for hftbacktest."""
    directory.mkdir(parents=True, exist_ok=True)
    for table, batch in (("tob", stream.tob), ("trades", stream.trades)):
        for name, column in batch._asdict().items():
            if column is not None:  # no generated row has a time of receipt
                np.save(directory / f"{table}-{name}.npy", np.ascontiguousarray(column))
    meta = {"preset": "btc-spot", "seed": seed, **stream.describe()}
    if peer:
        from benchmarks.peers.events import hftbacktest_events

        events = hftbacktest_events(stream)
        meta["hftbacktest_events"] = len(events)
        np.save(directory / "hftbacktest.npy", events)
        np.savez_compressed(directory / "hftbacktest.npz", data=events)  # as its own converters write it
    (directory / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")


def load(directory: Path) -> Stream:
    """The stream a directory holds, in memory."""
    meta = json.loads((directory / "meta.json").read_text())

    def columns(table: str, names: tuple[str, ...]) -> list[np.ndarray]:
        return [np.load(directory / f"{table}-{name}.npy") for name in names]

    return Stream(Instrument(**meta["instrument"]), TobBatch(*columns("tob", TobBatch._fields[:5])),
                  TradeBatch(*columns("trades", TradeBatch._fields[:4])))


def main() -> None:
    """Make one stream from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("events", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--peer", action="store_true", help="the same events for hftbacktest")
    parser.add_argument("--raw", type=Path, help="and as raw files in the seed's format, into this folder")
    options = parser.parse_args()
    save(generate(options.events, options.seed), options.directory, seed=options.seed, peer=options.peer)
    if options.raw:
        from mmbt.synth import generate as write_raw

        write_raw(synth_config(options.events, options.seed), options.raw)


if __name__ == "__main__":
    main()
