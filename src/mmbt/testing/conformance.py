"""Rules that every strategy must keep, as tests that anyone's strategy inherits.

    from mmbt.testing.conformance import StrategyConformance

    class TestMySkew(StrategyConformance):
        strategy = MySkew

Each strategy is run on small generated markets, with every preset of fill rules, with and without latency. It must not
raise, not even on markets that are empty, one-sided, locked or crossed; give the same result every time and for every
size of batches; know nothing of the future; share no state between instances; and trade in the engine as in the slow
reference simulator.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mmbt.market import ArrayMarket, Instrument, TobBatch, TradeBatch
from mmbt.strategies.base import Strategy
from mmbt.testing.markets import tables_of

__all__ = ["StrategyConformance", "Trace", "small_market"]

START = 1_663_718_400 * 10**9  # 2022-09-21T00:00:00Z
MS = 10**6
SESSION_GAP = 3000 * MS
PRESETS: dict[str, dict[str, str]] = {
    "seed": {"cross": "through", "trade": "through", "aggressor": "auto", "size": "full"},
    "conservative": {"cross": "through", "trade": "through", "aggressor": "auto", "size": "displayed"},
    "optimistic": {"cross": "touch", "trade": "touch", "aggressor": "ignore", "size": "full"},
}

QUOTER_PARAMS = ("half_spread_ticks", "skew_ticks_per_lot", "size", "max_position", "levels", "step_ticks")
_COUNTER = itertools.count(1)
Int64s = NDArray[np.int64]
Tables = list[tuple[Instrument, TobBatch, TradeBatch]]


class Trace(NamedTuple):
    """What a run did, as plain rows: enough to tell any two runs apart."""

    result_hash: str
    fills: list[dict[str, Any]]
    orders: list[dict[str, Any]]

    def until(self, ts: int) -> Trace:
        """The part with time <= `ts`; without the hash, which speaks for the whole run, and without later mark-outs."""
        fills = [{key: value for key, value in row.items() if not key.startswith("mid2_")} for row in self.fills]
        return Trace("", [row for row in fills if row["ts"] <= ts], [row for row in self.orders if row["ts"] <= ts])


class StrategyConformance:
    """Base of a test class: set `strategy`, or override `make_strategy` when it needs parameters.

    Attributes
    ----------
    strategy
        The class under test.
    values
        Parameters to run it with, where its defaults will not do.
    instruments, watch
        Names of the instruments that are traded, and only watched.
    synthetic
        Synthetic quotes that it looks at or hedges through, as ``PAIR = LEG * LEG / LEG``; its legs are among both.
    seeds
        One small market is generated from each.
    """

    strategy: ClassVar[type[Strategy]]
    values: ClassVar[Mapping[str, Any]] = {}
    instruments: ClassVar[tuple[str, ...]] = ("BTC/USD_T+0",)
    watch: ClassVar[tuple[str, ...]] = ()
    synthetic: ClassVar[tuple[str, ...]] = ()
    seeds: ClassVar[tuple[int, ...]] = (1, 2, 3)

    def make_strategy(self) -> Strategy:
        """A fresh instance, as the runs use it."""
        return self.strategy(**self.values)

    def make_reference(self) -> Strategy:
        """A fresh instance for the reference simulator, which knows no native code.

        A strategy with the built-in quoter is restated from its parameters of the quoter's names; override this for
        one with native code of its own.
        """
        from cysim import Quoter
        from mmbt.testing.reference import ReferenceQuoter

        strategy = self.make_strategy()
        native = strategy.native()
        if native is None:
            return strategy
        if not isinstance(native, Quoter):
            raise NotImplementedError(f"{type(strategy).__name__} is native: override make_reference with a twin in "
                                      "Python, which the reference simulator can run")

        rule = {name: value for name, value in strategy.params if name in QUOTER_PARAMS}
        return ReferenceQuoter(interval=strategy.interval_ns, **rule)

    def tables(self, seed: int) -> Tables:
        """The generated market of a seed: override it for a strategy that needs another kind of market."""
        return small_market(seed, (*self.instruments, *self.watch))

    # --- parameters --------------------------------------------------------------------------------------------------

    def test_params_survive_a_round_trip(self) -> None:
        params = self.make_strategy().params
        assert type(params)(**params.model_dump()) == params
        assert type(params).model_validate_json(params.model_dump_json()) == params

    def test_params_are_frozen(self) -> None:
        params = self.make_strategy().params
        for name in type(params).model_fields:
            try:
                setattr(params, name, getattr(params, name))
            except ValidationError:
                continue
            raise AssertionError(f"{type(params).__qualname__}.{name} can be changed after the run was recorded")

    def test_unknown_params_are_refused(self) -> None:
        params = self.make_strategy().params
        try:
            type(params)(**params.model_dump(), no_such_parameter=1)
        except ValidationError:
            return
        raise AssertionError(f"{type(params).__qualname__} takes names it does not know: slips would go unnoticed")

    # --- runs --------------------------------------------------------------------------------------------------------

    def test_runs_on_generated_markets(self) -> None:
        for seed in self.seeds:
            for preset in PRESETS:
                self._run(self.tables(seed), preset=preset)

    def test_runs_with_latency(self) -> None:
        for seed in self.seeds:
            self._run(self.tables(seed), latency=50 * MS)

    def test_two_runs_are_the_same(self) -> None:
        for seed in self.seeds:
            first, second = self._run(self.tables(seed)), self._run(self.tables(seed))
            _same(first, second, "two runs on one market (is there an unseeded random number, a set, or the clock?)")

    def test_batches_change_nothing(self) -> None:
        whole = self._run(self.tables(self.seeds[0]))
        for rows in (1, 7, 64):
            _same(whole, self._run(self.tables(self.seeds[0]), batch_rows=rows), f"batches of {rows} rows")

    def test_the_future_is_unknown(self) -> None:
        for seed in self.seeds:
            tables = self.tables(seed)
            times = np.sort(np.concatenate([ts for _, tob, trades in tables for ts in (tob.ts, trades.ts)]))
            for share in (4, 2):
                now = int(times[len(times) // share])
                for latency in (0, 50 * MS):
                    told = self._run(tables, latency=latency).until(now)
                    garbled = self._run(_garbled_after(tables, now, seed), latency=latency).until(now)
                    _same(told, garbled, f"another future after {now}")

    def test_instances_share_nothing(self) -> None:
        alone = self._run(self.tables(self.seeds[0]))
        self._run(self.tables(self.seeds[-1] + 1))
        _same(alone, self._run(self.tables(self.seeds[0])), "a run after another instance ran elsewhere")

    def test_odd_markets_do_no_harm(self) -> None:
        names = (*self.instruments, *self.watch)
        for kind in ("empty", "prints only", "bids only", "offers only", "locked", "crossed", "one row"):
            self._run([_odd(kind, name) for name in names])

    def test_engine_and_reference_agree(self) -> None:
        for seed in self.seeds:
            for preset in PRESETS:
                for latency in (0, 50 * MS):
                    tables = self.tables(seed)
                    engine = self._run(tables, preset=preset, latency=latency)
                    reference = self._run_reference(tables, preset, latency)
                    _same(_common(reference, engine), _common(engine, reference),
                          f"reference and engine (seed {seed}, {preset}, latency {latency} ns)")

    # --- how a run is made -------------------------------------------------------------------------------------------

    def _run(self, tables: Tables, preset: str = "seed", latency: int = 0, batch_rows: int | None = None) -> Trace:
        from mmbt.backtest import BacktestConfig, FillRules, run_backtest

        config = BacktestConfig(instruments=self.instruments, watch=self.watch, fills=FillRules.parse(preset),
                                place_latency=latency, session_gap=SESSION_GAP, synthetic=self.synthetic)
        with _disturbed_randomness():
            result = run_backtest(ArrayMarket(tables, batch_rows), self.make_strategy(), config)
        return Trace(result.result_hash, _rows(result.fills), _rows(result.orders))

    def _run_reference(self, tables: Tables, preset: str, latency: int) -> Trace:
        from mmbt.synthetic import declared
        from mmbt.testing.reference import ReferenceSimulator

        chains = declared(self.synthetic, [instrument for instrument, _, _ in tables])
        simulator = ReferenceSimulator(ArrayMarket(tables), self.make_reference(), instruments=self.instruments,
                                       watch=self.watch, synthetic=[str(each) for each in chains],
                                       place_latency=latency, cancel_latency=latency,
                                       session_gap=SESSION_GAP, **PRESETS[preset])  # type: ignore[arg-type]
        result = simulator.run()
        return Trace(result.result_hash, result.fills, result.orders)


# --- markets ---------------------------------------------------------------------------------------------------------


def small_market(seed: int, names: tuple[str, ...] = ("BTC/USD_T+0",), rows: int = 240) -> Tables:
    """Seconds of quotes and prints: moves, size changes, sweeps, ties, a silence, now and then no valid book."""
    rng = random.Random(seed)
    tables: Tables = []
    for name in names:
        instrument = _instrument(name, tick_size="0.01", price_unit="0.005", lot_size="0.1")
        n, bid, spread, ts = instrument.tick_units, 1000, 2, START
        quotes: list[tuple[int, ...]] = []
        prints: list[tuple[int, ...]] = []
        for row in range(rows):
            if row == rows // 2 and seed % 2:
                ts += 2 * SESSION_GAP  # a silence that ends the session
            ts += rng.choice((0, 1, 7 * MS, 20 * MS, 45 * MS, 100 * MS))
            bid = max(10, bid + rng.choice((0, 0, 0, 0, -1, 1, -2, 2, -6, 6)))
            spread = max(0, min(6, spread + rng.choice((0, 0, 0, -1, 1))))
            ask = bid + spread if rng.random() > 0.04 else bid - 1
            bid_qty, ask_qty = (0 if rng.random() < 0.02 else rng.randint(1, 9) for _ in range(2))
            quotes.append((ts, bid * n if bid_qty else 0, bid_qty, ask * n if ask_qty else 0, ask_qty))
            if rng.random() < 0.4:
                side = rng.choice((1, -1, 0))
                touch = ask if side > 0 else bid
                px = touch * n + rng.choice((0, 0, 1, 2, 5, -1, -4)) * (side or 1)
                prints.append((ts + rng.choice((0, 0, 3 * MS)), px, rng.randint(1, 6), side))
        prints.sort(key=lambda row: row[0])
        tables.append((instrument, *tables_of(quotes, prints)))
    return tables


def _garbled_after(tables: Tables, now: int, seed: int) -> Tables:
    rng = np.random.default_rng(seed)
    garbled: Tables = []
    for instrument, tob, trades in tables:
        n = instrument.tick_units
        quotes, prints = int((tob.ts > now).sum()), int((trades.ts > now).sum())
        bid = rng.integers(100, 2000, quotes)
        tob = TobBatch(tob.ts, _with_tail(tob.bid_px, bid * n), _with_tail(tob.bid_qty, rng.integers(1, 99, quotes)),
                       _with_tail(tob.ask_px, (bid + rng.integers(0, 9, quotes)) * n),
                       _with_tail(tob.ask_qty, rng.integers(1, 99, quotes)))
        side = trades.side.copy()
        side[len(side) - prints :] = rng.integers(-1, 2, prints)
        trades = TradeBatch(trades.ts, _with_tail(trades.px, rng.integers(100 * n, 2000 * n, prints)),
                            _with_tail(trades.qty, rng.integers(1, 99, prints)), side)
        garbled.append((instrument, tob, trades))
    return garbled


def _with_tail(column: Int64s, tail: Int64s) -> Int64s:
    changed = column.copy()
    changed[len(column) - len(tail) :] = tail
    return changed


def _odd(kind: str, name: str) -> tuple[Instrument, TobBatch, TradeBatch]:
    books = {"bids only": (1000, 5, 0, 0), "offers only": (0, 0, 1002, 5), "locked": (1000, 5, 1000, 5),
             "crossed": (1004, 5, 1000, 5), "one row": (1000, 5, 1002, 5)}
    rows = {"empty": 0, "one row": 1}.get(kind, 40)
    quotes = [(START + k * 50 * MS, *books[kind]) for k in range(rows)] if kind in books else []
    prints = [(START + k * 70 * MS, 996 + k % 9, 2, k % 3 - 1) for k in range(rows if rows > 1 else 0)]
    return _instrument(name, "0.01", "0.01", "1"), *tables_of(quotes, prints)


def _instrument(name: str, tick_size: str, price_unit: str, lot_size: str) -> Instrument:
    """An instrument whose currencies are those in its name, if it has the shape of a pair."""
    base, slash, quote = name.partition("_")[0].partition("/")
    return Instrument(name, tick_size, price_unit, lot_size, *((base, quote) if slash else ()))


# --- comparing -------------------------------------------------------------------------------------------------------


@contextmanager
def _disturbed_randomness() -> Iterator[None]:
    # Global generators start elsewhere at each run, so that a strategy which draws from them cannot repeat itself.
    kept, kept_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    count = next(_COUNTER)
    random.seed(count)
    np.random.seed(count)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(kept)
        np.random.set_state(kept_numpy)  # noqa: NPY002


def _rows(table: Any) -> list[dict[str, Any]]:
    if hasattr(table, "to_pylist"):
        return list(table.to_pylist())
    columns = {name: column.tolist() for name, column in table.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _common(of: Trace, other: Trace) -> Trace:
    # What both record; of an order that has ended the engine remembers no more than its number.
    ended = {"ts", "order_id", "status", "reason"}

    def keep(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
        both = rows[0].keys() & others[0].keys() if rows and others else set()
        return [{name: row[name] for name in sorted(both & ended if _came_too_late(row) else both)} for row in rows]

    return Trace(of.result_hash, keep(of.fills, other.fills), keep(of.orders, other.orders))


def _came_too_late(row: dict[str, Any]) -> bool:
    return row.get("status") in ("too_late", "unknown")


def _same(one: Trace, other: Trace, what: str) -> None:
    for name, rows, others in (("order event", one.orders, other.orders), ("fill", one.fills, other.fills)):
        for i, (row, its) in enumerate(zip(rows, others, strict=False)):
            assert row == its, f"{what}: {name} {i} differs\n  {row}\n  {its}"
        assert len(rows) == len(others), f"{what}: {len(rows)} and {len(others)} {name}s"
    assert one.result_hash == other.result_hash, f"{what}: the result hash differs"
