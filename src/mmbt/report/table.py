"""The short table at the end of a backtest, from its JSON document and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from mmbt.report.metrics import HORIZONS
from mmbt.units import format_duration

__all__ = ["render"]

_WIDTH = 19  # of the names on the left
_MONEY = ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees", "liquidation_pnl", "max_drawdown")
_REASONS = ("cross", "trade", "taker", "client")


def render(document: Mapping[str, Any]) -> str:
    """The lines a trader reads, at most 80 columns wide unless names are longer.

    Parameters
    ----------
    document
        What `backtest --json` prints. Parts that it lacks are left out.
    """
    names = list(document["instruments"])
    lines = [f"{document['strategy']} on {', '.join(names)}", *_setting(document), "", *_work(document)]
    for name in names:
        own = document if len(names) == 1 else {key: _own(value, name, names) for key, value in document.items()}
        lines += ["", *([name] if len(names) > 1 else []), *_money(own), *_trading(own), *_markouts(own)]
    lines += _portfolio(document, len(names))
    lines += ["", *_text("result hash", document.get("result_hash")), *_text("results", document.get("run"))]
    return "\n".join(lines)


def _own(value: Any, name: str, names: Sequence[str]) -> Any:
    """The instrument's own value of an object by name; whatever is no such object belongs to all."""
    return value[name] if isinstance(value, Mapping) and value and set(value) <= set(names) and name in value else value


def _pair(name: str, value: str | None, more: str = "") -> list[str]:
    return [] if value is None else [f"{name:<{_WIDTH}}{value:>14}{'   ' + more if more else ''}"]


def _text(name: str, value: str | None) -> list[str]:
    return [] if value is None else [f"{name:<{_WIDTH}}{value}"]


def _setting(document: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name.replace('_', ' ')} {value}" for name, value in (document.get("about") or {}).items())
    if (first := document.get("first_ts")) and (last := document.get("last_ts")):
        yield f"{_clock(first)} to {_clock(last)} UTC"
    if rules := document.get("fill_rules"):
        yield f"fills {rules}"
    if config := document.get("config"):
        latency, fees = f"latency {', '.join(_latencies(config))}", _fees(config)
        yield from [f"{latency}; {fees}"] if len(latency) + len(fees) < 79 else [latency, fees]
    yield from _clocks(document.get("clocks") or ())
    yield from _contracts(document)
    yield from _synthetics(document.get("synthetic") or {})
    yield from (f"WARNING: {text}" for text in document.get("warnings") or ())
    if not document.get("complete", True):
        yield "INCOMPLETE: the run did not reach the end of its data"


def _latencies(config: Mapping[str, Any]) -> Iterator[str]:
    place, cancel = config["place_latency"], config["cancel_latency"]
    yield _latency(place)
    if cancel not in (None, place):
        yield f"of cancels {_latency(cancel)}"
    for name, key in (("reports", "response_latency"), ("the feed", "feed_latency")):
        if config.get(key):
            yield f"of {name} {_latency(config[key])}"


def _latency(model: Any) -> str:
    """A model as it stands in a stored configuration: ns, `local`, or an object with its kind."""
    if not isinstance(model, Mapping):
        return model if isinstance(model, str) else _span(model)
    if model["kind"] != "lognormal":
        return f"{model['kind']} of {model['file']}"
    floor = f", floor {_span(model['floor'])}" if model["floor"] else ""
    return f"lognormal (median {_span(model['median'])}, sigma {model['sigma']:g}{floor})"


def _clocks(days: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What was done to times of receipt, a line an instrument."""
    of: dict[str, list[Mapping[str, Any]]] = {}
    for day in days:
        of.setdefault(day["instrument"], []).append(day)
    for name, own in of.items():
        behind = [day["offset_ns"] for day in own if day["offset_ns"]]
        missing = sum(day["missing"] for day in own)
        told = []
        if behind:
            least, most = f"{min(behind) / 1e9:.4g} s", f"{max(behind) / 1e9:.4g} s"
            amount = most if least == most else f"{least} to {most}"
            told.append(f"set forward by {amount} on {len(behind)} of {len(own)} days")
        if missing:
            told.append(f"{missing:,} rows have none and are seen at their exchange time")
        yield f"local times of {name}: {'; '.join(told) or 'as they stand'}"


def _fees(config: Mapping[str, Any]) -> str:
    """Both fees in a line: basis points alone as numbers, amounts beside them in words."""
    parts = {who: [] for who in ("maker", "taker")}  # type: dict[str, list[str]]
    for who, said in parts.items():
        for key, what in ((f"{who}_fee_qty", "for each 1 of quantity"), (f"{who}_fee_flat", "a fill")):
            if (amount := Decimal(str(config.get(key, 0)))) != 0:
                said.append(f" + {amount.normalize():f} {what}")
    text = ", ".join(f"{who} {config[f'{who}_fee']}{''.join(said)}" for who, said in parts.items())
    other = any(parts.values()) and config.get("fee_currency") == "other"
    return f"fees in bp: {text}" + (", amounts in the currency not of settlement" if other else "")


def _contracts(document: Mapping[str, Any]) -> Iterator[str]:
    if "not declared" in str(document.get("contract")):
        yield "contract type not declared: valued as linear"
    config = document.get("config") or {}
    stated = [
        f"{key} {'' if name == '*' else name + '='}{value}"
        for key in ("contract", "multiplier", "currencies")
        for name, value in (config.get(key) or {}).items()
    ]
    if stated:
        yield f"stated for this run, over what the store says: {', '.join(stated)}"


def _synthetics(quotes: Mapping[str, Any]) -> Iterator[str]:
    for quote in quotes.values():
        hedges = quote["hedges_direct"] + quote["hedges_through"]
        told = f"; hedges through it {quote['hedges_through']:,} of {hedges:,}" if hedges else ""
        yield f"synthetic {quote['chain']}{told}"


def _span(ns: int) -> str:
    return format_duration(ns) if ns else "0"


def _clock(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _work(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _pair(
        "events", f"{document['events']:,}", f"{document['tob_events']:,} quotes, {document['trade_events']:,} prints"
    )
    if (rate := document.get("events_per_s")) is not None:
        yield from _pair("rate", f"{_short(rate)}/s", f"{document['wall_s']:.2f} s of wall time")
    if (memory := document.get("peak_rss_mb")) is not None:
        yield from _pair("memory", f"{memory:,.0f} MB", "at its peak")
    yield from _pair("decisions", f"{document['decisions']:,}" if "decisions" in document else None)
    reasons = document.get("fills_by_reason") or {}
    yield from _pair(
        "fills",
        f"{document['fills']:,}",
        ", ".join(f"{name} {reasons[name]:,}" for name in _REASONS if reasons.get(name) or name != "client"),
    )


def _short(number: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return f"{number:.3g} "


def _money(own: Mapping[str, Any]) -> Iterator[str]:
    places = _places(own.get(name) for name in _MONEY)
    currency = own.get("currency") or ""

    def row(label: str, key: str, more: str = "") -> list[str]:
        if key not in own:
            return []
        return _pair(label, "unknown" if own[key] is None else f"{Decimal(str(own[key])):,.{places}f}", more)

    yield from row("PnL", "pnl", f"{currency + '; ' if currency else ''}not quoting: 0")
    yield from row("  + spread", "pnl_spread", "earned against the mid by resting fills")
    yield from row("  + inventory", "pnl_inventory", "moves of the mid times the position")
    yield from row("  - hedge cost", "hedge_cost", "paid against the mid by taker fills")
    yield from row("  - fees", "fees", "rebates are negative")
    yield from row("liquidation value", "liquidation_pnl", "PnL if closed at the last opposite touch")
    yield from row("max drawdown", "max_drawdown")
    if own.get("mid_stale"):
        yield "marked at a stale mid: the last book was crossed or lacked a side"


def _portfolio(document: Mapping[str, Any], instruments: int) -> list[str]:
    """Totals over instruments and the risk, where there is something to say beside the one account."""
    currency = document.get("report_currency")
    totals = {key: document[f"{key}_total"] for key in _MONEY if f"{key}_total" in document}
    converted = any((document.get("conversion") or {"paths": {}})["paths"].values())
    lines: list[str] = []
    if instruments > 1 and "pnl" in totals and totals["pnl"] is None:
        lines += _text("total", "unknown: choose a currency with --report-currency" if currency is None else
                       f"unknown: no mid leads to {currency}")
    elif totals and (instruments > 1 or converted):
        note = f"{currency}; converted at the last mids" if converted else currency or ""
        lines += ["total over all instruments"] if instruments > 1 else ["in the reporting currency"]
        lines += _money({**totals, "currency": note})
    if risk := document.get("risk"):
        mean = "unknown" if risk["mean"] is None else f"{risk['mean']:,.4g}"
        unit = f"{risk['currency'] or ''} / sqrt(s)".strip() if risk["power"] == 0.5 else f"power {risk['power']:g}"
        lines += _pair("risk", mean, f"{unit}, over time; largest {risk['max']:,.4g}")
    return ["", *lines] if lines else []


def _places(values: Iterable[Any]) -> int:
    """Decimal places that show six digits of the largest amount: at least 2, at most 10."""
    largest = max((abs(Decimal(str(value))) for value in values if value is not None), default=Decimal(0))
    return 2 if largest == 0 else min(10, max(2, 5 - largest.adjusted()))


def _trading(own: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    use = own.get("position_use") or {}
    held = f"mean |Q| {use['mean_abs']:.4g}, largest {use['max_abs']:,}" if use.get("mean_abs") is not None else ""
    yield from _pair("position", f"{own['position_lots']:,} lots", held)
    yield from _pair("traded", f"{own['traded_lots']:,} lots")
    ratio = own.get("fill_ratio")
    outcomes = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in (own.get("order_outcomes") or {}).items()
    )
    yield from _pair("fill ratio", "none" if ratio is None else f"{ratio:.3%}", "of the lots accepted")
    yield from _text("orders", outcomes or "none")


def _markouts(own: Mapping[str, Any]) -> Iterator[str]:
    rows = {row["horizon"]: row for row in own.get("markouts") or ()}
    if not any(row["fills"] for row in rows.values()):
        return
    yield ""
    yield "mark-outs of resting fills in bp of their value; positive is good for us"
    yield f"{'  after':<{_WIDTH}}" + "".join(f"{name:>11}" for name in HORIZONS)
    cells: dict[str, list[str]] = {"  mean": [], "  standard error": [], "  fills dropped": []}
    for name in HORIZONS:
        row = rows.get(name, {})
        cells["  mean"].append(_bp(row.get("bp"), sign=True))
        cells["  standard error"].append(_bp(row.get("se_bp"), sign=False))
        cells["  fills dropped"].append(f"{row.get('dropped', 0):,}")
    for label, texts in cells.items():
        yield f"{label:<{_WIDTH}}" + "".join(f"{text:>11}" for text in texts)


def _bp(value: float | None, *, sign: bool) -> str:
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:+.3f}" if sign else f"{value:.3f}"
