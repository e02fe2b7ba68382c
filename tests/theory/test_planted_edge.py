"""The planted edge: exact values against brute force, against simulation by the engine, and what must hold of them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mmbt import BacktestConfig, Strategy, run_backtest
from mmbt.exact_models import PlantedEdgeParams
from mmbt.synth.planted import NAME, PlantedDays
from mmbt.theory.planted_edge import Policy, answer, best_day, best_policy, fill_probability, value_of_day

SMALL = PlantedEdgeParams(q_max=1, spread=2, steps=2, edge=0.9)


def constant(params: PlantedEdgeParams, bid: float, ask: float) -> Policy:
    shape = (2 * params.q_max + 1, 3)
    return Policy(np.full(shape, bid), np.full(shape, ask), np.zeros(shape, np.int64))


def test_a_step_by_hand() -> None:
    # from no inventory and no imbalance one step, then closed at a cost of 1: both quotes at 3 earn 3 each, and an open
    # lot costs 1 if one of them fills alone
    p = float(fill_probability(SMALL, 3))
    once = SMALL.model_copy(update={"steps": 1})
    assert value_of_day(once, constant(once, 3, 3)) == pytest.approx(2 * p * 3 - 2 * p * (1 - p))


def test_the_best_is_the_best_of_all_policies() -> None:
    """Of a tiny day all policies are tried: two quotes or none a side in every state and at both steps alike."""
    params = SMALL.model_copy(update={"steps": 1})
    best = max(value_of_day(params, constant(params, bid, ask))
               for bid, ask in itertools.product([0, 1, 2, 3, 4, 5, np.inf], repeat=2))
    assert best_day(params) == pytest.approx(best)


def test_a_policy_that_does_not_know_the_end_earns_almost_the_best() -> None:
    params = PlantedEdgeParams(steps=2000)
    assert 0.99 < value_of_day(params, best_policy(params)) / best_day(params) <= 1


def test_an_edge_is_worth_something_and_none_is_symmetric() -> None:
    values = [best_day(PlantedEdgeParams(edge=edge, steps=300)) for edge in (0, 0.3, 0.6)]
    assert values == sorted(values)
    policy = best_policy(PlantedEdgeParams(edge=0, steps=300))
    assert np.array_equal(policy.bid, policy.ask[::-1])
    assert (policy.bid == policy.bid[:, :1]).all()  # the imbalance says nothing


def test_with_an_edge_one_leans_with_the_imbalance() -> None:
    policy = best_policy(PlantedEdgeParams())
    flat = PlantedEdgeParams().q_max
    assert policy.bid[flat, 2] < policy.bid[flat, 1] < policy.bid[flat, 0]
    assert policy.ask[flat, 0] < policy.ask[flat, 1] < policy.ask[flat, 2]
    assert policy.close[-1, 0] > 0  # long while it falls: sold at the touch
    assert np.array_equal(policy.bid, policy.ask[::-1, ::-1])


def test_solve_answers_in_plain_lists() -> None:
    found = answer(PlantedEdgeParams(q_max=2, steps=100))
    assert {len(found[name]) for name in ("Q", "I", "bid_distance", "ask_distance", "close")} == {15}
    assert found["bid_distance"][-1] is None
    assert found["day"] > 0


def test_the_engine_earns_what_the_theory_says() -> None:
    """Twenty days of the best policy, played as a strategy, within four standard errors of its exact value."""
    params = PlantedEdgeParams(edge=0.6, steps=1800)
    policy = best_policy(params)

    class Best(Strategy):
        interval = "1s"

        def on_timer(self, ctx):
            imbalance = (ctx.bid_qty - ctx.ask_qty) / (ctx.bid_qty + ctx.ask_qty)
            place = ctx.position + params.q_max, 1 + round(imbalance / 0.6)
            if policy.close[place]:
                ctx.hedge(-int(policy.close[place]))
            bid, ask = ctx.mid - policy.bid[place], ctx.mid + policy.ask[place]
            ctx.quote(bid=bid if np.isfinite(bid) else None, ask=ask if np.isfinite(ask) else None)

    days = PlantedDays(params, 20, seed=5)
    config = BacktestConfig(instruments=(NAME,))
    earned = 100 * np.array([float(run_backtest(days.market(day), Best(), config).summary["liquidation_pnl"])
                             for day in range(20)])
    error = earned.std(ddof=1) / np.sqrt(len(earned))
    assert abs(earned.mean() - value_of_day(params, policy)) < 4 * error
    assert error < 0.03 * earned.mean()
