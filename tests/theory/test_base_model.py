"""The base model: known answers, limits that are known in closed form, and regret.

The published figures of delayed models come from value iteration stopped at changes of 1e-9: 1e-7 below the exact ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmbt.exact_models import BaseModelParams
from mmbt.theory.base_model import BaseModel, answer, fill_probability, make_problem, myopic_shift
from mmbt.theory.solver import solve

SHORT = (0, 0.25, 0.5, 1, 2)


def test_the_tiny_instance() -> None:
    found = answer(BaseModelParams(k=1, r=0.1, beta=0.9, q_max=2, shifts=(0, 0.5, 1, 2)))
    assert found["Q"] == [-2, -1, 0, 1, 2]
    assert found["V"][2:] == pytest.approx([11.1266483796, 10.8929356696, 10.1036421026], abs=5e-11)
    assert found["V"][:2] == pytest.approx([10.1036421026, 10.8929356696], abs=5e-11)
    assert found["ask_shift"] == [None, 0.5, 0.5, 0, 0]
    assert found["bid_shift"] == [0, 0, 0.5, 0.5, None]


def test_a_fine_grid_of_shifts() -> None:
    found = answer(BaseModelParams(k=1, r=0.1, beta=0.99, q_max=10))
    at = {held: place for place, held in enumerate(found["Q"])}
    values = {0: 111.80187659, 1: 111.59755839, 2: 111.18496944, 5: 109.08209484, 10: 103.03771231}
    assert {held: round(found["V"][at[held]], 8) for held in values} == values
    quotes = {0: (0.45, 0.45), 1: (0.2, 0.75), 2: (0.05, 0.9), 5: (0, 1.35)}
    assert {held: (found["ask_shift"][at[held]], found["bid_shift"][at[held]]) for held in quotes} == quotes


@pytest.mark.parametrize(
    ("delay", "published"),
    [(0, (111.08993563, 110.87373329)), (1, (109.49302981, 109.24303263)), (2, (108.14680442, 107.86831747))],
)
def test_delayed_models(delay: int, published: tuple[float, float]) -> None:
    found = answer(BaseModelParams(shifts=SHORT, delay=delay))
    assert found["V"][10:12] == pytest.approx(published, abs=1.05e-7)
    assert all(value >= known for value, known in zip(found["V"][10:12], published, strict=True))
    assert None not in (found["ask_shift"] if delay else [])


def test_a_wide_list_with_a_delay_drops_no_winner(monkeypatch: pytest.MonkeyPatch) -> None:
    params = BaseModelParams(shifts="-0.5:2:0.25", delay=1, q_max=4)
    plain = solve(make_problem(params))
    monkeypatch.setattr("mmbt.theory.solver._MANY", 0)
    pruned = solve(make_problem(params))
    assert pruned.value == pytest.approx(plain.value, abs=1e-9)
    assert np.array_equal(pruned.policy, plain.policy)


def test_both_sides_fill_at_the_touch_where_that_is_best() -> None:
    found = answer(BaseModelParams(k=3, r=0.001, beta=0.95, q_max=3))
    assert found["V"][3] == pytest.approx(1 / 0.05, abs=1e-9)
    assert (found["ask_shift"][3], found["bid_shift"][3]) == (0, 0)


@pytest.mark.parametrize(("k", "p0"), [(0.5, 1.0), (1.0, 1.0), (1.5, 1.0), (3.0, 1.0), (1.0, 0.3)])
def test_without_risk_the_optimum_is_the_myopic_quote(k: float, p0: float) -> None:
    found = answer(BaseModelParams(k=k, r=0, p0=p0, beta=0.9, q_max=40))
    assert found["ask_shift"][40] == found["bid_shift"][40] == pytest.approx(myopic_shift(k, p0), abs=0.051)


def test_the_first_order_conditions_hold_between_grid_points() -> None:
    step = 0.01
    found = answer(BaseModelParams(k=1, r=0.02, p0=0.5, beta=0.95, q_max=6, shifts=f"-0.5:3:{step}"))
    worth = 0.95 * np.array(found["V"])
    for place in range(2, 11):
        bend = 2 * worth[place] - worth[place + 1] - worth[place - 1]
        ask, bid = found["ask_shift"][place], found["bid_shift"][place]
        p_ask, p_bid = fill_probability([ask, bid], 1, 0.5)
        assert ask + 0.5 == pytest.approx(1 + worth[place] - worth[place - 1] - p_bid * bend, abs=step)
        assert bid + 0.5 == pytest.approx(1 + worth[place] - worth[place + 1] - p_ask * bend, abs=step)


def test_risk_after_the_fills_is_risk_before_them_with_r_over_beta() -> None:
    params = BaseModelParams(r=0.09, beta=0.9, q_max=5, shifts=SHORT)
    before = make_problem(params.model_copy(update={"r": 0.09 / 0.9}))
    held = np.abs(np.arange(-5, 6.0))
    after = replace(before, before=np.zeros(11), carry=-0.09 * held[:, None])
    charged_before, charged_after = solve(before), solve(after)
    assert charged_after.value == pytest.approx(charged_before.value + 0.1 * held[:, None], abs=1e-10)
    assert np.array_equal(charged_after.policy, charged_before.policy)


@pytest.mark.parametrize("delay", [0, 1])
def test_regret_is_0_for_the_best_and_1_for_the_best_constant_quote(delay: int) -> None:
    model = BaseModel.solved(BaseModelParams(shifts=SHORT, delay=delay))
    constant, values = model.best_constant()
    assert model.at_start(model.evaluate(constant)) == pytest.approx(values, abs=1e-9)
    assert model.regret(model.best.policy) == pytest.approx(0, abs=1e-9)
    assert model.regret(constant) == pytest.approx(1)
    others = [model.regret(action) for action in range(25)]
    assert min(others) == pytest.approx(1)
    assert model.regret(constant, within=3) > 1  # there another constant quote is the best


def test_regret_where_a_constant_quote_is_the_best() -> None:
    model = BaseModel.solved(BaseModelParams(q_max=1, shifts=(0, 3), k=3, r=0.001))
    constant, _ = model.best_constant()
    assert model.regret(constant) == 0
    assert model.regret(3) == float("inf")


def test_ties_go_to_the_smallest_ask_shift_then_bid_shift() -> None:
    never_filled = BaseModel.solved(BaseModelParams(k=1e6, q_max=2, shifts=(0.5, 1, 2)))
    assert not never_filled.best.policy.any()
    at_a_limit = BaseModel.solved(BaseModelParams(q_max=2, shifts=(-1, 0, 1)))
    asks, bids = np.divmod(at_a_limit.at_start(at_a_limit.best.policy), 3)
    assert (asks[0], bids[-1]) == (0, 0)


@pytest.mark.parametrize("changes", [{"k": 1e6}, {"k": 1e-9}, {"p0": 1e-300}, {"p0": 1e300}, {"beta": 0.0}, {"r": 1e9},
                                     {"shifts": (-500.0, 700.0)}, {"beta": 0.999999}])
def test_extreme_numbers_stay_numbers(changes: dict[str, Any]) -> None:
    found = answer(BaseModelParams(**{"q_max": 3, "shifts": SHORT, **changes}))
    assert np.isfinite(found["V"]).all()


def test_grids_are_read_as_people_write_them() -> None:
    assert BaseModelParams().shifts == tuple(round(-1 + 0.05 * place, 12) for place in range(101))
    for text in ("0,.5,1", "[0, 0.5, 1]", "{1 .5 0}", "0:1:.5", (1, 0.5, 0)):
        assert BaseModelParams(shifts=text).shifts == (0, 0.5, 1)
    for bad in ("0:1", "0:1:0", "1:0:.1", "0:1e9:1e-3", "x", "0,0", "", "nan,1"):
        with pytest.raises(ValueError, match="shifts"):
            BaseModelParams(shifts=bad)
