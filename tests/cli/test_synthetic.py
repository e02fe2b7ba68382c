"""`mmbt synthetic` on the generated market and, where there is one, on a real capture against a twin in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt.cli import main
from mmbt.store import convert, open_store

SECOND = 10**9
ETH = ("ETH/USD_T+0", "BTC/USD_T+0", "BTC/USDT_T+0")


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["synthetic", *arguments, "--json"]) == 0
    out, _ = capsys.readouterr()
    found: dict[str, Any] = json.loads(out)
    return found


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert main(["synthetic", *arguments]) == 0
    return capsys.readouterr().out


def test_a_pair_beside_its_own_book(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "BTC/RUB")
    assert found["chain"] == "BTC/RUB = BTC/USD_T+0 * USD/RUB_T+0"
    assert found["legs"] == [{"instrument": "BTC/USD_T+0", "inverse": False},
                             {"instrument": "USD/RUB_T+0", "inverse": False}]
    assert found["direct"] == "BTC/RUB_T+0"
    assert 30 < found["samples"] <= 41
    assert found["quoted"] + found["absent"] + found["crossed"] + found["old"] == pytest.approx(1)
    assert abs(found["mean_bp"]) < 2  # the generator's fair price is the product
    assert found["cheaper_to_buy"] + found["dearer_to_sell"] >= found["cheaper"]
    assert document(capsys, "BTC/RUB_T+0") == found
    assert document(capsys, "BTC/RUB = BTC/USD, USD/RUB") == found


STRATEGY = """
from mmbt import Strategy

class Through(Strategy):
    interval = "5s"
    features = ("has_synthetic",)

    def on_timer(self, ctx):
        if ctx.instrument == "BTC/RUB_T+0":
            assert ctx.feature("has_synthetic") == (ctx.synthetic("BTC/RUB").state == "quoted")
            ctx.hedge(1, through="BTC/RUB")
"""


def test_a_backtest_through_a_chain(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("through.py").write_text(STRATEGY, "utf-8")
    run = ["backtest", "--strategy", "through.py:Through", "--synthetic", "BTC/RUB", "--synthetic-max-age", "1s",
           *(word for name in ("BTC/RUB", "BTC/USD", "USD/RUB") for word in ("--instrument", f"{name}_T+0"))]
    assert main([*run, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    told = found["synthetic"]["BTC/RUB"]
    assert told["chain"] == "BTC/RUB = BTC/USD_T+0 * USD/RUB_T+0"
    assert told["hedges_direct"] + told["hedges_through"] == found["decisions"] / 3 > 0
    assert found["config"]["synthetic"] == ["BTC/RUB"]
    assert main(run) == 0
    assert f"synthetic {told['chain']}; hedges through it" in capsys.readouterr().out


def test_legs_of_a_backtest_are_watched(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["backtest", "--strategy", "linear-skew", "--instrument", "BTC/RUB_T+0", "--synthetic"]
    assert main([*run, "BTC/RUB = BTC/USD, USD/RUB", "--synthetic-max-age", "none", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["watch"] == ["BTC/USD_T+0", "USD/RUB_T+0"]
    assert main([*run, "BTC/RUB = BTC/USD * EUR/RUB"]) == 2
    assert "no instrument 'EUR/RUB'" in capsys.readouterr().err
    assert main([*run, "BTC/XYZ"]) == 2
    assert "has the currency XYZ" in capsys.readouterr().err


def test_options_change_what_is_found(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "BTC/RUB")
    dear = document(capsys, "BTC/RUB", "--taker-fee", "20")
    assert dear["cheaper"] == 0.0
    assert dear["mean_bp"] == found["mean_bp"]  # mids are without fees
    assert dear["spread_bp"] == pytest.approx(found["spread_bp"] + 80, abs=0.1)
    assert dear["direct_spread_bp"] == pytest.approx(found["direct_spread_bp"] + 40, abs=0.1)
    strict = document(capsys, "BTC/RUB", "--max-age", "100ms")
    assert strict["quoted"] < found["quoted"]
    assert strict["old"] > 0
    often = document(capsys, "BTC/RUB", "--every", "100ms")
    assert often["samples"] > 9 * found["samples"]
    cut = document(capsys, "BTC/RUB", "--from", "2022-09-20T23:59:50", "--to", "2022-09-21T00:00:00")
    assert 8 <= cut["samples"] <= 10
    assert cut["seconds"] < 10


def test_a_pair_that_nothing_trades(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "ETH/RUB")
    assert (found["direct"], found["samples"], found["mean_bp"], found["cheaper"]) == (None, 0, None, None)
    assert found["quoted"] > 0.9
    text = shown(capsys, "ETH/RUB")
    assert "none in this store" in text
    assert "difference" not in text


def test_what_people_see(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "BTC/RUB")
    assert "BTC/RUB = BTC/USD_T+0 * USD/RUB_T+0" in text
    assert max(map(len, text.splitlines())) <= 120
    assert [line.split()[0] for line in text.splitlines()] == [
        "chain", "direct", "quoted", "not", "difference", "spread", "cheaper"]


@pytest.mark.parametrize(("arguments", "message"), [
    (["BTC/EUR"], "has the currency EUR; one is needed that joins EUR with"),
    (["BTCRUB"], "is not a pair"),
    (["BTC/RUB_T+7"], "did you mean 'BTC/RUB_T+0'"),
    (["BTC/RUB = BTC/USD * EUR/RUB"], "no instrument 'EUR/RUB'"),
    (["BTC/RUB = BTC/USD / USD/RUB"], "must be multiplied with"),
    (["BTC/RUB", "--every", "0"], "--every must be positive"),
    (["BTC/RUB", "--data", "nosuch"], "no such store"),
    ([], "PAIR"),
])
def test_wrong_usage(inside: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    capsys.readouterr()
    assert main(["synthetic", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope="module")
def capture(captures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The capture of four instruments as a store."""
    root = tmp_path_factory.mktemp("captures") / "store"
    convert([captures / "seed-shape"], root)
    return root


def sampled(store: Path, instants: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """The last quote at or before each instant: prices, whether the book is sound, and its age."""
    with open_store(store).select([name], prefetch=0) as market:
        unit = float(market.instruments[0].price_unit)
        quotes = (batch[:5] for batch in market.tob(name))
        ts, bid, bid_qty, ask, ask_qty = (np.concatenate(column) for column in zip(*quotes, strict=True))
    at = np.searchsorted(ts, instants, "right") - 1
    seen = np.maximum(at, 0)
    sound = (at >= 0) & (bid_qty[seen] > 0) & (ask_qty[seen] > 0) & (bid[seen] <= ask[seen])
    return {"bid": bid[seen] * unit, "ask": ask[seen] * unit, "sound": sound, "age": instants - ts[seen]}


@pytest.mark.captures
@pytest.mark.parametrize("max_age", [10 * SECOND, SECOND // 2])
def test_real_quotes_against_numpy(capture: Path, capsys: pytest.CaptureFixture[str], max_age: int) -> None:
    found = document(capsys, "ETH/USDT_T+0", "--data", str(capture), "--max-age", f"{max_age}ns")
    instants = np.arange(found["first_ts"], found["last_ts"] + 1, SECOND)
    eth, btc, tether, own = (sampled(capture, instants, name) for name in (*ETH, "ETH/USDT_T+0"))
    use = own["sound"].copy()
    for leg in (eth, btc, tether):
        use &= leg["sound"] & (leg["age"] <= max_age)
    bid = eth["bid"] / btc["ask"] * tether["bid"]
    ask = eth["ask"] / btc["bid"] * tether["ask"]
    difference = ((bid + ask) / (own["bid"] + own["ask"]) - 1)[use] * 1e4
    assert found["samples"] == use.sum()
    assert found["mean_bp"] == pytest.approx(difference.mean(), abs=1e-9)
    assert found["sd_bp"] == pytest.approx(difference.std(ddof=1), abs=1e-9)
    assert abs(found["mean_bp"]) < 0.5
    assert 0.5 < found["sd_bp"] < 2
