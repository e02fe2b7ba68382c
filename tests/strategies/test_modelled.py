"""Strategies that quote by a formula or a table: their quotes against a restatement of the rule."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mmbt import BacktestConfig, run_backtest
from mmbt.exact_models import BaseModelParams, CarteaJaimungalParams
from mmbt.market import ArrayMarket, Instrument
from mmbt.strategies.registry import make
from mmbt.testing.markets import tables_of
from mmbt.theory.base_model import answer
from mmbt.theory.cartea_jaimungal import solve

NAME = "A/B"


def quoted(strategy: str, values: dict[str, Any], book: tuple[int, int, int, int], q: int) -> dict[int, int]:
    """The first quotes in ticks, by side, of a book (bid, bid size, ask, ask size) at a position."""
    rows = [(k * 10**9, *book) for k in (1, 2)]
    market = ArrayMarket([(Instrument(NAME, "1", "1", "1"), *tables_of(rows))])
    config = BacktestConfig(instruments=(NAME,), position=q)
    orders = run_backtest(market, make(strategy, values), config).orders.to_pylist()
    return {row["side"]: row["px"] for row in orders if row["order_id"] <= 2 and row["status"] == "accepted"}


@pytest.mark.parametrize(("values", "book", "q", "bid", "ask"), [
    ({"half_spread_ticks": 2, "lean_ticks": 0}, (100, 5, 104, 5), 0, 100, 104),
    ({"half_spread_ticks": 2, "lean_ticks": 4}, (100, 15, 104, 5), 0, 102, 106),  # I = 1/2 raises both by 2
    ({"half_spread_ticks": 2, "lean_ticks": 4}, (100, 5, 104, 15), 0, 98, 102),
    ({"half_spread_ticks": 2, "lean_ticks": -4}, (100, 15, 104, 5), 0, 98, 102),
    ({"half_spread_ticks": 2, "lean_ticks": 9}, (100, 95, 104, 5), 0, 103, 113),  # never through the other side
    ({"half_spread_ticks": 2, "lean_ticks": 4, "skew_ticks_per_lot": 1}, (100, 15, 104, 5), 2, 100, 104),
    ({"half_spread_ticks": 1.5, "lean_ticks": 0}, (100, 5, 104, 5), 0, 100, 104),  # rounded outwards
    ({"half_spread_ticks": 2, "lean_ticks": 0, "max_position": 2}, (100, 5, 104, 5), 2, None, 104),
    ({"half_spread_ticks": 2, "lean_ticks": 0, "max_position": 2}, (100, 5, 104, 5), -2, 100, None),
])
def test_imbalance_skew(values: dict[str, Any], book: tuple[int, int, int, int], q: int, bid: int | None,
                        ask: int | None) -> None:
    wanted = {side: px for side, px in ((1, bid), (-1, ask)) if px is not None}
    assert quoted("imbalance-skew", {"skew_ticks_per_lot": 0, **values}, book, q) == wanted


def test_without_a_lean_it_is_linear_skew() -> None:
    values = {"half_spread_ticks": 1.3, "skew_ticks_per_lot": 0.7}
    for q in (-3, 0, 2):
        assert quoted("imbalance-skew", values | {"lean_ticks": 0}, (100, 9, 103, 2), q) == quoted(
            "linear-skew", values, (100, 9, 103, 2), q)


@pytest.mark.parametrize("q", [-4, 0, 3])
def test_avellaneda_stoikov(q: int) -> None:
    sigma, k, gamma, tau = 2.0, 0.3, 0.05, 10
    spread = gamma * sigma**2 * tau + 2 / gamma * math.log(1 + gamma / k)  # the paper's, centred on r
    r = 1000 - q * gamma * sigma**2 * tau
    values = {"sigma": sigma, "k": k, "gamma": gamma, "horizon": f"{tau}s"}
    found = quoted("avellaneda-stoikov", values, (999, 5, 1001, 5), q)
    assert found == {1: min(math.floor(r - spread / 2), 1000), -1: max(math.ceil(r + spread / 2), 1000)}


@pytest.mark.parametrize("q", [-5, -2, 0, 3, 5])
def test_cartea_jaimungal(q: int) -> None:
    values = {"lam": 1.0, "kappa": 0.2, "phi": 0.01, "alpha": 0.5}
    depths = solve(CarteaJaimungalParams(**values, T=600, q_max=5))
    found = quoted("cartea-jaimungal", values | {"max_position": 5}, (995, 5, 1005, 5), q)
    wanted = {1: math.floor(1000 - depths.bid_depth[q + 5]) if q < 5 else None,
              -1: math.ceil(1000 + depths.ask_depth[q + 5]) if q > -5 else None}
    assert found == {side: px for side, px in wanted.items() if px is not None}


@pytest.mark.parametrize("q", [-3, -1, 0, 2, 3])
def test_base_model(q: int) -> None:
    values = {"k": 0.8, "p0": 0.4, "r": 0.1, "beta": 0.95, "shifts": "0:2:0.5"}
    exact = answer(BaseModelParams.model_validate(values | {"q_max": 3}))
    found = quoted("base-model", values | {"max_position": 3}, (990, 5, 1010, 5), q)
    ask, bid = exact["ask_shift"][q + 3], exact["bid_shift"][q + 3]
    wanted = {1: None if bid is None else 990 - 20 * bid, -1: None if ask is None else 1010 + 20 * ask}
    assert found == {side: px for side, px in wanted.items() if px is not None}


def test_no_quotes_does_nothing() -> None:
    assert quoted("no-quotes", {}, (100, 5, 104, 5), 3) == {}
