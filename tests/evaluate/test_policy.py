"""Tables of policies: exact ones say what their models say, learned ones what the network values most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt import BacktestConfig
from mmbt.envs.options import MarketOptions
from mmbt.evaluate.policy import PolicyTable, exact_policy, market_policy
from mmbt.exact_models import BaseModelParams, ExactMarketParams, PlantedEdgeParams
from mmbt.strategies.dqn import DQN
from mmbt.synth.planted import NAME, PlantedDays
from mmbt.testing.models import random_model
from mmbt.theory.exact_market import answer

Weigh = Callable[[np.ndarray, np.ndarray, np.ndarray], None]


def quoter(folder: Path, weigh: Weigh = lambda kernel, bias, rows: None, **options: Any) -> DQN:
    """The strategy with a network of one layer; `weigh` sets kernel [inputs, actions] and bias by the grid's rows."""
    chosen = MarketOptions(**{"max_position": 2, "market": ("microprice", "imbalance")} | options)
    days = [PlantedDays(PlantedEdgeParams(steps=60), 1).market(0)]
    model = random_model(days, BacktestConfig(instruments=(NAME,)), chosen, layers=())
    weigh(*model.weights, chosen.actions.rows())
    model.save(folder / "model")
    return DQN(model=str(folder / "model"))


def leaning(kernel: np.ndarray, bias: np.ndarray, rows: np.ndarray) -> None:
    """Two quotes, the higher the imbalance the higher; with any inventory above 0 it is dealt at the market."""
    kernel[:] = 0
    kernel[1] = rows[:, 0]
    kernel[2] = np.where(rows[:, 2] > 0, 200, 0)
    bias[:] = np.where((rows[:, 3] > 0) & (rows[:, 4] > 0), 0, -20)


def test_a_learned_policy_does_what_it_values_most(tmp_path: Path) -> None:
    table = market_policy("mine", quoter(tmp_path, leaning), bid=998, ask=1002, columns=5)
    assert table.signal_name == "imbalance"
    assert table.signal.tolist() == [-1, -0.5, 0, 0.5, 1]
    assert table.inventory.tolist() == [-2, -1, 0, 1, 2]
    flat = table.skew[2]
    assert flat[0] < 0 < flat[-1]
    assert (np.diff(flat) >= 0).all()
    assert table.closes[3:].all()
    assert not table.closes[2].any()
    assert np.isnan(table.bid[3:]).all()


def test_each_cell_is_what_a_backtest_would_quote(tmp_path: Path) -> None:
    made = quoter(tmp_path)
    table = market_policy("mine", made, bid=999, ask=1000, columns=3)
    assert made.features == ("microprice", "imbalance", "inventory", "abs_inventory")
    policy = made.new_policy()
    for row, held in enumerate(table.inventory):
        for column, imbalance in enumerate(table.signal):
            bid, ask, _, dealt = policy.decide(
                np.array([imbalance / 2, imbalance, held / 2, abs(held) / 2]), 999, 1000, int(held), 10**6)
            told = [None if np.isnan(each[row, column]) else each[row, column] for each in (table.bid, table.ask)]
            assert told == [None if bid is None else 999.5 - bid, None if ask is None else ask - 999.5]
            assert table.closes[row, column] == (dealt != 0)
    assert np.isnan(table.bid[-1]).all()
    assert np.isnan(table.ask[0]).all()  # nothing is offered at the limit


def test_other_features_ticks_delays_and_large_limits_have_tables_as_well(tmp_path: Path) -> None:
    blind = market_policy("blind", quoter(tmp_path / "a", market=("flow_5s", "return_5s")), bid=998, ask=1002)
    assert blind.signal_name == "flow_5s"
    assert blind.signal[0] < blind.signal[-1]
    late = quoter(tmp_path / "b", delay=2, max_position=1000, actions={"sizes": [10], "unit": "tick"})
    table = market_policy("late", late, bid=998, ask=1002, columns=3)
    assert table.inventory[0] == -1000
    assert len(table.inventory) <= 41
    assert np.isfinite(table.bid).any()


def test_the_exact_market() -> None:
    params = ExactMarketParams(q_max=3)
    table, found = exact_policy(params), answer(params)
    narrow = np.array(found["s"]) == 1
    for name, told in (("skew", found["skew"]), ("half_spread", found["half_spread"])):
        mine = getattr(table, name)
        inside = ~np.isnan(mine)
        assert np.allclose(mine[inside], np.array(told)[narrow].reshape(7, 3)[inside])
        assert inside[1:-1].all()


def test_the_base_model_and_the_planted_edge() -> None:
    table = exact_policy(BaseModelParams(q_max=3, shifts=(0, 0.5, 1, 2)))
    assert table.skew.shape == (7, 1)
    assert (np.diff(table.skew[1:-1, 0]) <= 0).all()
    planted = exact_policy(PlantedEdgeParams(q_max=3, steps=200))
    assert planted.closes[-1, 0]
    assert np.isnan(planted.bid[-1, 2])
    assert planted.skew[3, 2] > 0 > planted.skew[3, 0]


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from mmbt.evaluate.figures import draw_policy

    tables = [exact_policy(PlantedEdgeParams(q_max=2, steps=50)), exact_policy(BaseModelParams(q_max=2)),
              market_policy("learned", quoter(tmp_path), bid=998, ask=1002)]
    assert isinstance(tables[0], PolicyTable)
    written = draw_policy(tables, tmp_path / "new" / "policy")
    assert [path.name for path in written] == ["policy.png", "policy.svg"]
    assert written[0].read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["policy.png", "policy.svg"]
