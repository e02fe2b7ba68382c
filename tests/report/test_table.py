"""The table, from documents that lack this or that."""

from __future__ import annotations

from typing import Any

import pytest

from mmbt.report.table import render

ROW = {"bp": -0.5, "se_bp": 0.25, "fills": 3, "dropped": 0, "blocks": 2}
HORIZONS = ("0", "100ms", "1s", "10s", "60s")


def document(**changes: Any) -> dict[str, Any]:
    base = {
        "run": "runs/x",
        "strategy": "fixed-spread",
        "instruments": ["A"],
        "events": 1234567,
        "tob_events": 1000000,
        "trade_events": 234567,
        "wall_s": 0.5,
        "events_per_s": 2469134.0,
        "peak_rss_mb": 123.4,
        "result_hash": "ab" * 32,
        "fills": 3,
        "traded_lots": 4,
        "position_lots": -2,
        "pnl": "-1.25",
        "pnl_spread": "1",
        "pnl_inventory": "-2",
        "hedge_cost": "0",
        "fees": "0.25",
        "liquidation_pnl": "-1.5",
        "currency": "USD",
        "decisions": 10,
        "complete": True,
        "first_ts": 10**18,
        "last_ts": 2 * 10**18,
        "fills_by_reason": {"cross": 1, "trade": 2, "taker": 0, "client": 0},
        "fill_ratio": 0.125,
        "order_outcomes": {"accepted": 30, "too_late": 1},
        "max_drawdown": "3",
        "position_use": {"mean_abs": 1.5, "std": 1, "max_abs": 4},
        "markouts": [{"horizon": name, **ROW} for name in HORIZONS],
        "config": {"place_latency": 0, "cancel_latency": None, "maker_fee": "0", "taker_fee": "2"},
    }
    return {**base, **changes}


def line(text: str, start: str) -> str:
    return next(row for row in text.splitlines() if row.startswith(start))


def test_what_a_trader_reads() -> None:
    text = render(document())
    assert line(text, "events").split() == ["events", "1,234,567", "1,000,000", "quotes,", "234,567", "prints"]
    assert line(text, "rate").split()[:3] == ["rate", "2.47", "M/s"]
    assert line(text, "PnL").split()[1] == "-1.25000"
    assert "not quoting: 0" in line(text, "PnL")
    assert line(text, "  - fees").split()[2] == "0.25000"
    assert line(text, "fills").split(maxsplit=2)[1:] == ["3", "cross 1, trade 2, taker 0"]
    assert line(text, "fill ratio").split()[2] == "12.500%"
    assert line(text, "orders").split(maxsplit=1)[1] == "30 accepted, 1 too late"
    assert line(text, "  mean").split() == ["mean", *["-0.500"] * 5]
    assert line(text, "results").split() == ["results", "runs/x"]
    assert "INCOMPLETE" not in text


def test_an_incomplete_run_says_so() -> None:
    assert "INCOMPLETE" in render(document(complete=False))


def test_a_stale_mark_is_told() -> None:
    assert "stale mid" in render(document(mid_stale=True))
    assert "stale mid" not in render(document(mid_stale=False))


def test_latencies_are_told() -> None:
    base = document()["config"]
    assert "latency 0; fees in bp: maker 0, taker 2" in render(document())
    slow = render(document(config={**base, "place_latency": 5 * 10**6, "cancel_latency": 10**6}))
    assert "latency 5ms, of cancels 1ms;" in slow


def test_models_of_latency_are_told_in_words() -> None:
    drawn = {"kind": "lognormal", "median": 10**6, "sigma": 0.5, "floor": 200_000}
    measured = {"kind": "recorded", "file": "lags.csv", "sha256": "ab", "rows": 5}
    config = {**document()["config"], "place_latency": drawn, "cancel_latency": drawn | {"floor": 0}}
    text = render(document(config={**config, "response_latency": measured, "feed_latency": "local"})).splitlines()
    assert ("latency lognormal (median 1ms, sigma 0.5, floor 200us), of cancels lognormal (median 1ms, sigma 0.5), "
            "of reports recorded of lags.csv, of the feed local") in text
    assert "fees in bp: maker 0, taker 2" in text
    assert "of reports" not in render(document(config={**config, "response_latency": 0, "feed_latency": 0}))


def test_what_was_done_to_clocks_is_told() -> None:
    days = [{"instrument": name, "date": date, "offset_ns": offset, "missing": missing}
            for name, date, offset, missing in (("A", "1", 10**9, 0), ("A", "2", 12 * 10**8, 5), ("A", "3", 0, 1500),
                                                ("B", "1", 0, 0), ("C", "1", 5 * 10**6, 0))]
    text = render(document(clocks=days)).splitlines()
    assert ("local times of A: set forward by 1 s to 1.2 s on 2 of 3 days; "
            "1,505 rows have none and are seen at their exchange time") in text
    assert "local times of B: as they stand" in text
    assert "local times of C: set forward by 0.005 s on 1 of 1 days" in text
    assert not [line for line in render(document()).splitlines() if line.startswith("local times")]


def test_unknown_totals_are_not_zero() -> None:
    assert "unknown" in line(render(document(liquidation_pnl=None)), "liquidation")


def test_a_run_without_fills_has_no_mark_outs() -> None:
    text = render(
        document(markouts=[{"horizon": name, **ROW, "fills": 0, "bp": None} for name in HORIZONS], fill_ratio=None)
    )
    assert "mark-outs" not in text
    assert line(text, "fill ratio").split()[2] == "none"


def test_a_mark_out_without_error_shows_a_dash() -> None:
    text = render(document(markouts=[{"horizon": name, **ROW, "se_bp": None} for name in HORIZONS]))
    assert line(text, "  standard error").split() == ["standard", "error", *["-"] * 5]


@pytest.mark.parametrize(
    ("pnl", "shown"), [("0.000001234567", "0.0000012346"), ("1234567.891", "1,234,567.89"), ("0", "0.00000")]
)
def test_money_shows_six_digits(pnl: str, shown: str) -> None:
    parts = dict.fromkeys(("pnl_spread", "pnl_inventory", "hedge_cost", "fees", "liquidation_pnl", "max_drawdown"), "0")
    found = line(render(document(**{**parts, "pnl": pnl})), "PnL").split()[1]
    assert found in {shown, "0.00"}


def test_several_instruments_have_a_part_each() -> None:
    by_name = {
        name: {"A": document()[name], "B": document()[name]}
        for name in (
            "traded_lots",
            "position_lots",
            "pnl",
            "pnl_spread",
            "pnl_inventory",
            "hedge_cost",
            "fees",
            "liquidation_pnl",
            "currency",
            "fill_ratio",
            "order_outcomes",
            "max_drawdown",
            "position_use",
            "markouts",
        )
    }
    text = render(document(instruments=["A", "B"], **by_name))
    assert text.count("PnL   ") == 2
    assert text.count("mark-outs") == 2
    assert [row for row in text.splitlines() if row in {"A", "B"}] == ["A", "B"]


def test_lines_fit_a_narrow_terminal() -> None:
    assert max(map(len, render(document()).splitlines())) <= 84


def test_fees_of_every_kind_are_told() -> None:
    config = {"place_latency": 0, "cancel_latency": None, "maker_fee": "-0.5", "taker_fee": "2",
              "maker_fee_qty": "0", "taker_fee_qty": "0.20", "taker_fee_flat": "-1", "fee_currency": "other"}
    assert ("fees in bp: maker -0.5, taker 2 + 0.2 for each 1 of quantity + -1 a fill, amounts in the currency not of "
            "settlement") in render(document(config=config))


def totals(**changes: Any) -> dict[str, Any]:
    shared = {f"{key}_total": "1.5" for key in
              ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees", "liquidation_pnl")}
    names = ["A", "B"]
    pnl = {"A": "-1.25", "B": "2.75"}
    return document(instruments=names, pnl=pnl, **shared, report_currency="USD", **changes)


def test_totals_over_instruments() -> None:
    text = render(totals()).partition("total over all instruments")[2]
    assert line(text, "PnL").split()[1:3] == ["1.50000", "USD;"]
    assert "converted" not in text
    text = render(totals(conversion={"paths": {"RUB": ["USD/RUB"], "USD": []}}))
    assert "USD; converted at the last mids" in text
    assert "unknown: no mid leads to USD" in render(totals() | {"pnl_total": None})
    assert "unknown: choose a currency" in render(totals() | {"pnl_total": None, "report_currency": None})
    assert "total" not in render(document())


def test_the_risk_is_told_with_its_unit() -> None:
    risk = {"mean": 0.0123456, "max": 1234.5, "currency": "USD", "power": 0.5}
    assert line(render(document(risk=risk)), "risk").split(maxsplit=2)[1:] == [
        "0.01235", "USD / sqrt(s), over time; largest 1,234"]
    text = render(document(risk={**risk, "mean": None, "power": 1.0}))
    assert line(text, "risk").split(maxsplit=2)[1:] == ["unknown", "power 1, over time; largest 1,234"]
