"""Runs one market and strategy through the engine and through the reference, and finds where they part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Context, Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from mmbt.market import MarketData
from mmbt.strategies.base import Strategy
from mmbt.testing.reference import ReferenceSimulator

if TYPE_CHECKING:
    from mmbt.backtest import BacktestConfig

__all__ = ["Options", "Outcome", "compare", "config_of", "difference", "run_engine", "run_reference"]

EXACT = Context(prec=200)
FILL_COLUMNS = ("ts", "instrument", "order_id", "side", "px", "qty", "reason", "purpose", "fee", "position", "mid2",
                "mid2_100ms", "mid2_1s", "mid2_10s", "mid2_60s")
ORDER_COLUMNS = ("ts", "order_id", "instrument", "side", "px", "qty", "remaining", "kind", "purpose", "status",
                 "reason")
EQUITY_COLUMNS = ("ts", "instrument", "position", "mid2", "cash", "fees", "pnl")
TOTALS = {"position": "position_lots", "pnl": "pnl", "spread": "pnl_spread", "inventory": "pnl_inventory",
          "hedge_cost": "hedge_cost", "fees": "fees", "liquidation_pnl": "liquidation_pnl"}
TABLES = ("trace", "fills", "orders", "equity")
AROUND = 4  # rows shown before a difference


@dataclass(frozen=True)
class Options:
    """Everything that decides a run beside market and strategy.

    Times are in ns; fees are whole 1e-8 of the value traded, and decimals for a quantity of 1.0 and for a fill. A
    latency may be a text instead, such as "lognormal:median=50ms,sigma=0.5,floor=10ms", `feed_latency` also "local".
    """

    instruments: tuple[str, ...]
    watch: tuple[str, ...] = ()
    cross: str = "through"
    trade: str = "through"
    aggressor: str = "auto"
    size: str = "full"
    queue: str = "back"
    power: float = 2.0
    place_latency: int | str = 0
    cancel_latency: int | str = 0
    feed_latency: int | str = 0
    response_latency: int | str = 0
    seed: int = 0
    maker_fee: int = 0
    taker_fee: int = 0
    maker_fee_qty: str = "0"
    taker_fee_qty: str = "0"
    maker_fee_flat: str = "0"
    taker_fee_flat: str = "0"
    fee_currency: str = "settlement"
    session_gap: int | None = 3600 * 10**9
    ties: str = "prints-first"
    equity_interval: int = 10**9
    position: int = 0
    synthetic: tuple[str, ...] = ()
    synthetic_max_age: int | None = 10**10


@dataclass(frozen=True)
class Outcome:
    """What either simulator tells of a run, in one shape.

    Attributes
    ----------
    fills, orders, equity
        Rows as dicts, money as decimals of the quote currency.
    totals
        By instrument: position, pnl, spread, inventory, hedge_cost, fees, liquidation_pnl.
    trace
        What a strategy with a `trace` wrote down.
    steps
        Market events and arrivals; 0 where it is not told.
    """

    fills: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    equity: list[dict[str, Any]]
    totals: dict[str, dict[str, Any]]
    decisions: int
    result_hash: str
    trace: list[Any] = field(default_factory=list)
    steps: int = 0


def run_reference(market: MarketData, strategy: Strategy, options: Options) -> Outcome:
    """The slow reference simulator."""
    simulator = ReferenceSimulator(market, strategy, **asdict(options))
    result = simulator.run()
    totals: dict[str, dict[str, Any]] = {}
    for name, row in result.totals.items():
        currency = simulator.accounts[name].currency
        money = {key: None if row[key] is None else currency(row[key] or 0) for key in TOTALS if key != "position"}
        totals[name] = {"position": row["position"], **money}
    return Outcome(
        [{column: row[column] for column in FILL_COLUMNS} for row in result.fills],
        result.orders, result.equity, totals, result.decisions, result.result_hash,
        getattr(strategy, "trace", []), result.steps,
    )


def config_of(options: Options) -> BacktestConfig:
    """The same as `run_backtest` takes it."""
    from mmbt.backtest import BacktestConfig, FillRules

    rules = FillRules(cross=options.cross, trade=options.trade, aggressor=options.aggressor, size=options.size,
                      **_changed(options, ("queue", "power")))
    return BacktestConfig(
        instruments=options.instruments, watch=options.watch, fills=rules, place_latency=options.place_latency,
        cancel_latency=options.cancel_latency, maker_fee=_basis_points(options.maker_fee),
        taker_fee=_basis_points(options.taker_fee), session_gap=options.session_gap, ties=options.ties,
        equity_interval=options.equity_interval, position=options.position,
        **_changed(options, ("feed_latency", "response_latency", "seed", "maker_fee_qty", "taker_fee_qty",
                             "maker_fee_flat", "taker_fee_flat", "fee_currency", "synthetic", "synthetic_max_age")),
    )


def run_engine(market: MarketData, strategy: Strategy, options: Options) -> Outcome:
    """The engine."""
    from mmbt.backtest import run_backtest

    result = run_backtest(market, strategy, config_of(options))
    summary = result.summary
    names = options.instruments
    totals: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, told in TOTALS.items():
        values = summary[told] if len(names) > 1 else {names[0]: summary[told]}
        for name in names:
            value = values[name]
            totals[name][key] = Decimal(value) if isinstance(value, str) else value
    return Outcome(
        _rows(result.fills, FILL_COLUMNS), _rows(result.orders, ORDER_COLUMNS), _rows(result.equity, EQUITY_COLUMNS),
        totals, summary["decisions"], result.result_hash, getattr(strategy, "trace", []),
    )


def compare(
    market: MarketData, strategy: Callable[[], Strategy], options: Options, prepared: bool = False
) -> tuple[str, int]:
    """Both simulators on the same market; `strategy` makes a fresh strategy for each. `prepared`: as the engine has it.

    Returns
    -------
    The first difference with what stands around it, empty when there is none, and the steps compared.
    """
    from mmbt.backtest import PreparedMarket

    expected = run_reference(market, strategy(), options)
    found = run_engine(PreparedMarket(market) if prepared else market, strategy(), options)
    return difference(expected, found), expected.steps


def difference(expected: Outcome, found: Outcome) -> str:
    """The first difference of two outcomes in words, the trace first, where it shows earliest; or an empty text."""
    for name in TABLES:
        text = _first(name, _comparable(name, getattr(expected, name)), _comparable(name, getattr(found, name)))
        if text:
            return text
    for name in ("totals", "decisions", "result_hash"):
        if getattr(expected, name) != getattr(found, name):
            return f"{name} differ:\n  reference {getattr(expected, name)}\n  engine    {getattr(found, name)}"
    return ""


def _comparable(name: str, rows: Sequence[Any]) -> Sequence[Any]:
    if name != "orders":
        return rows
    named = ("ts", "order_id", "status", "reason")  # nothing else need be known of a finished or unknown order
    return [{key: row[key] for key in named} if row["status"] in ("unknown", "too_late") else row for row in rows]


def _first(name: str, expected: Sequence[Any], found: Sequence[Any]) -> str:
    if expected == found:
        return ""
    missing = object()
    for i, (a, b) in enumerate(zip_longest(expected, found, fillvalue=missing)):
        if a != b:
            lines = [f"{name} differ at row {i} of {len(expected)} (reference) and {len(found)} (engine):"]
            lines += [f"  both      {row}" for row in expected[max(i - AROUND, 0):i]]
            lines.append(f"  reference {'nothing' if a is missing else a}")
            lines.append(f"  engine    {'nothing' if b is missing else b}")
            return "\n".join(lines)
    raise AssertionError("two unequal tables without an unequal row")


def _rows(table: Any, columns: Sequence[str]) -> list[dict[str, Any]]:
    lists = [table.column(column).to_pylist() for column in columns]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _changed(options: Options, names: Sequence[str]) -> dict[str, Any]:
    """Those of the options that are not left at their defaults."""
    return {name: getattr(options, name) for name in names if getattr(options, name) != getattr(Options, name)}


def _basis_points(rate: int) -> Decimal:
    return EXACT.divide(Decimal(rate), Decimal(10**4))
