"""hftbacktest 2.4.4 on the pinned stream; runs in its own environment (`make -C benchmarks peers`).

    .bench-venv/bin/python -m benchmarks.peers.hft CASE DIR [--depth hashmap|roi] [--seconds 1.0]

prints one JSON line. The quoting strategy is the one we run on our side, linear-skew: every 100 ms it states both
quotes around (bid + ask) / 2 - skew * position; an order whose price stays is kept, one whose price moved is cancelled
and placed anew (post-only). Zero latency, no fees, risk-averse queue model, no partial fills: the cheapest choices it
offers. Everything is compiled on the head of the stream before the clock starts; `startup` measures that apart.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import hftbacktest
import numpy as np
from hftbacktest import GTX, LIMIT, BacktestAsset
from hftbacktest.types import BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, LOCAL_EVENT, SELL_EVENT, TRADE_EVENT, event_dtype
from numba import njit

from benchmarks.measure import WARM_UP_EVENTS, peak_rss_mb, repeat
from benchmarks.peers import events as ours

CASES = ("idle", "quotes", "python-timer", "python-event", "disk", "startup")
BUILD = {"hashmap": hftbacktest.HashMapMarketDepthBacktest, "roi": hftbacktest.ROIVectorMarketDepthBacktest}
FOREVER = 10**17  # ns: three years
INTERVAL = 100_000_000

assert (ours.DEPTH, ours.TRADE, ours.EXCHANGE, ours.LOCAL, ours.BUY, ours.SELL) == (
    DEPTH_EVENT, TRADE_EVENT, EXCH_EVENT, LOCAL_EVENT, BUY_EVENT, SELL_EVENT)
assert event_dtype == ours.EVENT


def idle(hbt):
    """Replay, nothing to do."""
    return hbt.elapse(FOREVER)


def linear_skew(hbt, half_spread, skew, lot_size):
    """Both quotes re-set every 100 ms; the number of decisions."""
    depth = hbt.depth(0)
    tick_size = depth.tick_size
    bid_id, ask_id, bid_px, ask_px = 0, 0, 0, 0
    next_id = 1
    decisions = 0
    while hbt.elapse(INTERVAL) == 0:
        hbt.clear_inactive_orders(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        decisions += 1
        if bid >= ask:
            continue
        centre = (bid + ask) / 2 - skew * round(hbt.position(0) / lot_size)
        lower, upper = centre - half_spread, centre + half_spread
        new_bid = math.floor(lower) if lower < ask else ask - 1
        new_ask = math.ceil(upper) if upper > bid else bid + 1
        orders = hbt.orders(0)
        bid_live, ask_live = bid_id in orders, ask_id in orders
        if bid_live and new_bid != bid_px:
            hbt.cancel(0, bid_id, False)
            bid_live = False
        if ask_live and new_ask != ask_px:
            hbt.cancel(0, ask_id, False)
            ask_live = False
        if not bid_live:
            bid_id, bid_px = next_id, new_bid
            next_id += 1
            hbt.submit_buy_order(0, bid_id, bid_px * tick_size, lot_size, GTX, LIMIT, False)
        if not ask_live:
            ask_id, ask_px = next_id, new_ask
            next_id += 1
            hbt.submit_sell_order(0, ask_id, ask_px * tick_size, lot_size, GTX, LIMIT, False)
    return decisions


def every_event(hbt):
    """Plain Python woken by each feed event, reading bid and ask."""
    depth, wait = hbt.depth(0), hbt.wait_next_feed
    while wait(False, FOREVER) == 2:
        bid, ask = depth.best_bid_tick, depth.best_ask_tick  # noqa: F841
    return 0


def count_wakeups(hbt):
    """How often `every_event` is woken: once for all events of one instant."""
    count = 0
    while hbt.wait_next_feed(False, FOREVER) == 2:
        count += 1
    return count


def main() -> None:
    """Run one case and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.hft")
    parser.add_argument("case", choices=CASES)
    parser.add_argument("stream", type=Path)
    parser.add_argument("--depth", choices=tuple(BUILD), default="roi")
    parser.add_argument("--file", choices=("hftbacktest.npz", "hftbacktest.npy"), default="hftbacktest.npz")
    parser.add_argument("--seconds", type=float, default=1.0, help="repeat until that much CPU time was measured")
    parser.add_argument("--half-spread", type=float, default=0.5)
    parser.add_argument("--skew", type=float, default=0.01)
    options = parser.parse_args()

    meta = json.loads((options.stream / "meta.json").read_text())
    tick_size, lot_size = float(meta["instrument"]["tick_size"]), float(meta["instrument"]["lot_size"])
    px_unit = float(meta["instrument"]["price_unit"])

    def open_backtest(data):
        asset = (
            BacktestAsset().data(data).linear_asset(1.0).constant_order_latency(0, 0).risk_adverse_queue_model()
            .no_partial_fill_exchange().trading_value_fee_model(0, 0).tick_size(tick_size).lot_size(lot_size)
            .roi_lb(meta["low_px"] * px_unit).roi_ub(meta["high_px"] * px_unit)
        )
        return BUILD[options.depth]([asset])

    compiled = njit(linear_skew)
    run = {
        "idle": idle,
        "quotes": lambda hbt: compiled(hbt, options.half_spread, options.skew, lot_size),
        "python-timer": lambda hbt: linear_skew(hbt, options.half_spread, options.skew, lot_size),
        "python-event": every_event,
    }.get(options.case, lambda hbt: compiled(hbt, options.half_spread, options.skew, lot_size))
    file = str(options.stream / options.file)
    report = {"version": hftbacktest.__version__, "depth": options.depth}

    if options.case == "startup":  # a short file: what is measured is import and compilation
        run(open_backtest(file))
        print(json.dumps({**report, "first_event_ns": time.monotonic_ns(), "cpu_s": time.process_time()}))
        return

    rows = np.load(options.stream / "hftbacktest.npy", mmap_mode="r" if options.case == "disk" else None)
    data = file if options.case == "disk" else rows
    head = rows[:WARM_UP_EVENTS].copy()  # hftbacktest keeps only the address: the array must outlive the backtest

    def replay(data):
        hbt = open_backtest(data)
        report["decisions"] = run(hbt)
        report.update(fills=int(hbt.state_values(0).num_trades), position=round(hbt.position(0) / lot_size),
                      last_bid=hbt.depth(0).best_bid_tick, last_ask=hbt.depth(0).best_ask_tick)
        hbt.close()

    replay(head)
    report["start_up_cpu_s"] = time.process_time()
    report |= repeat(lambda: replay(data), options.seconds)
    report |= {"events": meta["events"], "own_events": meta["hftbacktest_events"], "peak_rss_mb": peak_rss_mb()}
    if options.case == "python-event":  # compiled, after the clock stopped
        hbt = open_backtest(data)
        report["wakeups"] = njit(count_wakeups)(hbt)
        hbt.close()
    # A replay that did not see the whole stream would be quick for the wrong reason.
    assert (report["last_bid"], report["last_ask"]) == (meta["last_bid"], meta["last_ask"]), (report, meta)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
