"""Tables of policies: exact ones say what their models say, learned ones what the network values most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt.envs.actions import ActionGrid
from mmbt.errors import UsageError
from mmbt.evaluate.policy import PolicyTable, exact_policy, market_policy
from mmbt.exact_models import BaseModelParams, ExactMarketParams, PlantedEdgeParams
from mmbt.theory.exact_market import answer

GRID = ActionGrid(skews=(-0.5, 0.0, 0.5), half_spreads=(0.5, 1.0), one_sided=(1.0,), hedges=(1.0,))


def world(**changes: Any) -> dict[str, Any]:
    options = {"max_position": 2, "actions": GRID.model_dump(mode="json"), "delay": 0} | changes
    return {"options": options, "private": ["inventory", "abs_inventory"],
            "frozen": {"names": ["microprice", "imbalance"], "mean": [0.1, 0.2], "scale": [0.5, 0.25]}}


def test_a_learned_policy_does_what_it_values_most() -> None:
    seen = []

    def values(states: np.ndarray) -> np.ndarray:
        seen.append(states)
        worth = np.zeros((len(states), len(GRID.actions)), np.float32)
        rows = GRID.rows()
        lean = np.sign(states[:, 1] * 0.25 + 0.2)  # the imbalance again
        worth -= np.abs(rows[None, :, 0] - 0.5 * lean[:, None]) + np.abs(rows[None, :, 1] - 1.0)
        worth[:, 0] = -9
        worth[:, (rows[:, 3] + rows[:, 4]) < 2] = -9
        worth[states[:, 2] == 1, -1] = 9  # a position at its limit is dealt at the market
        return worth

    table = market_policy("mine", values, world(), imbalances=5)
    (states,) = seen
    assert states.shape == (25, 4)
    assert np.allclose(states.reshape(5, 5, 4)[0, :, 1] * 0.25 + 0.2, table.imbalance)
    assert np.allclose(states.reshape(5, 5, 4)[0, :, 0] * 0.5 + 0.1, table.imbalance / 2)
    assert table.inventory.tolist() == [-2, -1, 0, 1, 2]
    assert np.allclose(table.skew[1:4], [[-0.5, -0.5, 0, 0.5, 0.5]] * 3)
    assert np.allclose(table.half_spread[1:4], 1)
    assert table.closes[-1].all()
    assert not table.closes[:-1].any()
    assert np.isnan(table.bid[-1]).all()
    assert np.isnan(table.ask[0]).all()  # nothing is offered at the limit
    assert not np.isnan(table.bid[0]).any()


@pytest.mark.parametrize("changes", [{"delay": 1}, {"actions": GRID.model_dump() | {"unit": "tick"}}])
def test_what_has_no_such_table_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="needs a model that sees the imbalance, has no delay and quotes in spreads"):
        market_policy("mine", lambda states: states, world(**changes))


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

    tables = [exact_policy(PlantedEdgeParams(q_max=2, steps=50)), exact_policy(BaseModelParams(q_max=2))]
    assert isinstance(tables[0], PolicyTable)
    written = draw_policy(tables, tmp_path / "new" / "policy")
    assert [path.name for path in written] == ["policy.png", "policy.svg"]
    assert written[0].read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["policy.png", "policy.svg"]
