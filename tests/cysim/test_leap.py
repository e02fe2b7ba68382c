"""What the machine leaps over must leave the traces that single steps would."""

from __future__ import annotations

import pytest

from mmbt.market import Instrument
from mmbt.strategies.base import Strategy
from mmbt.testing.differential import Options, difference, run_engine, run_reference
from mmbt.testing.markets import market_of

MS = 10**6
X = Instrument("X", "1", "1", "1", quote="USD")


class TakeEverySecond(Strategy):
    """Takes at timers only, so that everything between them is leapt over."""

    interval = "1s"

    def on_timer(self, ctx):
        ctx.place(+1, 61, 3, "ioc")


def outcome(rows):
    tob = [(0, 60, 9, 61, 5), *((i * MS, 60, 9, ask, qty) for i, (ask, qty) in enumerate(rows, 1)),
           (1001 * MS, 60, 9, 61, 5), (2000 * MS, 60, 9, 61, 5)]
    options = Options(("X",), size="displayed")
    market = market_of(X, tob)
    expected, found = run_reference(market, TakeEverySecond(), options), run_engine(market, TakeEverySecond(), options)
    assert not difference(expected, found)
    return [fill["qty"] for fill in found.fills]


@pytest.mark.parametrize(("rows", "filled"), [
    pytest.param([(61, 5)] * 3, [3, 2], id="the_price_stays_and_2_are_left"),
    pytest.param([(61, 5), (62, 5), (61, 5)], [3, 3], id="the_price_went_away_and_came_back"),
    pytest.param([(61, 1), (61, 5)], [3, 3], id="the_display_sank_below_what_was_taken"),
    pytest.param([(61, 2), (61, 5)], [3, 3], id="the_display_sank_to_less_than_was_taken"),
])
def test_F3_what_is_taken_hangs_on_every_row_leapt_over(rows, filled):
    assert outcome(rows)[:2] == filled
