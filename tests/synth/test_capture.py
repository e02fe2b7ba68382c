"""Generated streams held against a real capture, statistic by statistic (`pytest -s` prints the table)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmbt.market import TobBatch, TradeBatch
from mmbt.synth import make_config, measure
from tests.synth.helpers import tables

CASES = {"btc-spot": ("BTC/USDT_T+0", 0.01, 1e-5), "btc-perp": ("BTC/USD_T+0", 0.1, 1.0)}
SHARES = {  # and how far apart a share may lie
    "updates of a size only": 0.02, "one-tick spread, share of time": 0.01, "one-tick spread, share of rows": 0.08,
    "quotes tied with the last": 0.02, "prints beyond the touch": 0.04, "prints at the touch": 0.1,
    "prints inside or late": 0.1, "prints tied with the last": 0.03, "imbalance foretells the move": 0.05,
    "side repeats": 0.12, "price updates of one side": 0.1,
}
FACTORS = {  # and by what factor a number may differ
    "quotes a second": 1.05, "trades a second": 1.1, "price moves a second": 1.15, "orders a second": 1.12,
    "prints an order": 1.1, "99% of orders have at most": 1.4,
    "volatility, bp a second": 1.1, "median quote gap, ms": 1.4,
    "median displayed lots": 1.25, "sd of log displayed": 1.1, "mean ticks beyond": 1.5,
    "prints a second, variance/mean": 3.0, "median print lots": 1.6, "sd of log print": 1.2,
    "mean ticks when wider": 1.6,
}


def read(folder: Path, name: str, tick: float, lot: float) -> tuple[TobBatch, TradeBatch]:
    import pandas as pd

    tob, trades = (pd.concat([pd.read_csv(path, sep=";") for path in sorted(folder.glob(f"{kind}_*.csv.xz"))])
                   for kind in ("tob", "trade"))
    tob, trades = tob[tob.instrument == name], trades[trades.instrument == name]

    def whole(column: pd.Series, unit: float) -> np.ndarray:
        return np.rint(column.to_numpy() / unit).astype(np.int64)

    def ns(column: pd.Series) -> np.ndarray:
        return pd.to_datetime(column).to_numpy().astype("datetime64[ns]").astype(np.int64)

    return (TobBatch(ns(tob.exchange_time), whole(tob.bid, tick), whole(tob.bid_size, lot), whole(tob.ask, tick),
                     whole(tob.ask_size, lot)),
            TradeBatch(ns(trades.exchange_time), whole(trades.price, tick), whole(trades.qty, lot),
                       np.where(trades.side == "B", 1, -1).astype(np.int8)))


@pytest.mark.captures
@pytest.mark.parametrize("preset", sorted(CASES))
def test_generated_stream_looks_like_the_capture(captures, preset):
    name, tick, lot = CASES[preset]
    real = measure(*read(captures / "seed-shape", name, tick, lot))
    made = measure(*tables(make_config(preset, {"duration": "1h"}))[name])
    print(f"\n{preset:36}{'real':>12}{'generated':>12}")
    for key, value in real.items():
        print(f"{key:36}{value:12.4f}{made[key]:12.4f}")
    apart = [key for key, band in SHARES.items() if abs(real[key] - made[key]) > band]
    apart += [key for key, factor in FACTORS.items() if not 1 / factor <= made[key] / real[key] <= factor]
    assert apart == []
