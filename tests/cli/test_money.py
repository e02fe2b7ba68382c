"""Fees, contracts, the reporting currency and the risk on the command line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mmbt.cli import main

BTC, ETH, RUB = "BTC/USD_T+0", "ETH/USD_T+0", "USD/RUB_T+0"
FIXED = ["backtest", "--strategy", "fixed-spread", "-S", "half_spread_ticks=1"]
SPLIT = ("pnl", "pnl_spread", "pnl_inventory", "hedge_cost", "fees")


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_fees_for_quantity_and_for_fills_are_added(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rate = document(capsys, *FIXED, "--maker-fee", "1")
    all_three = document(capsys, *FIXED, "--maker-fee", "1", "--maker-fee-qty", "2", "--maker-fee-flat", "-0.01")
    lots = all_three["traded_lots"] * Decimal("0.0001")
    added = 2 * lots - Decimal("0.01") * all_three["fills"]
    assert Decimal(all_three["fees"]) == Decimal(rate["fees"]) + added
    assert all_three["config"]["maker_fee_qty"] == "2"


def test_an_inverse_contract_from_convert_to_the_report(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "raw-data", "--out", "mine", "--contract", f"{BTC}=inverse",
                 "--multiplier", f"{BTC}=100"]) == 0
    assert "inverse x 100" in capsys.readouterr().out
    found = document(capsys, *FIXED, "--data", "mine", "--taker-fee-flat", "0.01", "--maker-fee", "-0.5",
                     "--report-currency", "USD")
    assert (found["currency"], found["contract"], found["multiplier"]) == ("BTC", "inverse", "100")
    for names in (SPLIT, [f"{name}_total" for name in SPLIT]):
        pnl, spread, inventory, cost, fees = (Decimal(found[name]) for name in names)
        assert pnl == spread + inventory - cost - fees
    assert found["conversion"]["paths"] == {"BTC": [BTC]}
    run = Path(found["run"])
    assert pq.read_table(run / "equity.parquet")["pnl"][-1].as_py() == Decimal(found["pnl"])
    (told,) = json.loads((run / "manifest.json").read_text())["instruments"]
    assert (told["contract"], told["base"]) == ("inverse", "BTC")
    linear = document(capsys, *FIXED)
    assert linear["contract"] == "linear (not declared)"
    assert (linear["fills"], linear["position_lots"]) == (found["fills"], found["position_lots"])


def test_terms_stated_for_a_run_are_in_its_report(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([*FIXED, "--contract", "inverse", "--multiplier", f"{BTC}=10", "--maker-fee-flat", "0.02",
                 "--fee-currency", "other"]) == 0
    out = capsys.readouterr().out
    assert "stated for this run, over what the store says: contract inverse, multiplier BTC/USD_T+0=10" in out
    assert "fees in bp: maker 0 + 0.02 a fill, taker 0, amounts in the currency not of settlement" in out
    assert "not declared" not in out


def test_totals_and_risk_of_several_instruments(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    several = [*FIXED, "--instrument", BTC, "--instrument", "BTC/RUB_T+0"]
    alone = document(capsys, *several)
    assert (alone["pnl_total"], alone["report_currency"]) == (None, None)
    found = document(capsys, *several, "--watch", RUB, "--report-currency", "RUB", "--risk-grid", "1s")
    assert found["conversion"]["paths"] == {"RUB": [], "USD": [RUB]}
    rate = Decimal(found["conversion"]["rates"]["USD"])
    expected = Decimal(found["pnl"][BTC]) * rate + Decimal(found["pnl"]["BTC/RUB_T+0"])
    assert abs(Decimal(found["pnl_total"]) - expected) < Decimal("1e-9")
    risk = found["risk"]
    assert risk["instruments"] == ["BTC/RUB_T+0", BTC]
    assert (risk["currency"], risk["grid_ns"], risk["power"]) == ("RUB", 10**9, 0.5)
    assert 0 < risk["mean"] <= risk["max"]
    assert risk["intervals"] >= 38
    assert main([*several, "--watch", RUB, "--report-currency", "RUB", "--risk-grid", "1s"]) == 0
    out = capsys.readouterr().out
    assert "total over all instruments" in out
    assert "RUB; converted at the last mids" in out
    assert "RUB / sqrt(s), over time" in out
    assert main(several) == 0
    assert "unknown: choose a currency with --report-currency" in capsys.readouterr().out


def test_settings_hold_contracts(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmbt.toml").write_text(
        f'[backtest]\ncontract = ["{BTC}=inverse"]\nmultiplier = "100"\ntaker-fee-flat = 0.001\n', encoding="utf-8")
    found = document(capsys, *FIXED)
    assert (found["contract"], found["currency"]) == ("inverse (stated for this run)", "BTC")
    assert found["config"]["taker_fee_flat"] == "0.001"


WRONG = {
    "contract": (["--contract", "sport"], "did you mean 'spot'"),
    "contract_of_nobody": (["--contract", "BTC/EUR=spot"], "none of the instruments"),
    "twice": (["--multiplier", "2", "--multiplier", "3"], "given twice"),
    "multiplier": (["--multiplier", "0"], "positive"),
    "currencies": (["--currencies", "BTCUSD"], "BASE/QUOTE"),
    "amount": (["--maker-fee-qty", "much"], "--maker-fee-qty"),
    "digits": (["--taker-fee-flat", "0.0000000000001"], "12 decimal places"),
    "unreachable": (["--report-currency", "EUR"], "--watch"),
    "risk_of_several_currencies": (
        ["--instrument", BTC, "--instrument", "BTC/RUB_T+0", "--risk-grid", "1s"], "--report-currency"),
    "risk_grid": (["--risk-grid", "1us"], "--risk-grid"),
    "risk_power": (["--risk-grid", "1s", "--risk-power", "0"], "--risk-power"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests(case: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, message = WRONG[case]
    assert main([*FIXED, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert not Path("runs").exists()
