"""Measures against answers worked out by hand, and against plain definitions on random columns."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from mmbt.report.metrics import HORIZONS, Drawdown, Labels, MarkOuts, PositionUse, Quoting, block_length

S = 10**9


def columns(ts, side, px, qty, mid2s):
    """Columns of fills; `mid2s[i]` holds fill i's half-tick mids at each horizon, None where unknown."""
    fills = {
        "ts": np.array(ts, dtype=np.int64),
        "side": np.array(side, dtype=np.int8),
        "px": np.array(px, dtype=np.int64),
        "qty": np.array(qty, dtype=np.int64),
    }
    known = {}
    for k, column in enumerate(HORIZONS.values()):
        values = [row[k] for row in mid2s]
        fills[column] = np.array([value or 0 for value in values], dtype=np.int64)
        known[column] = np.array([value is not None for value in values], dtype=bool)
    return fills, known


def by_horizon(markouts):
    return {row["horizon"]: row for row in markouts.result()}


def toy_tape():
    """The tape of four client fills whose mark-outs are known; prices in ticks of 0.0005 so that mids are whole."""
    times, sides, quantities = [0, 10, 35, 50], [1, -1, -1, 1], [3, 1, 2, 1]
    prices = [Decimal("99.98"), Decimal("100.03"), Decimal("100.06"), Decimal("100.00")]
    tick = Decimal("0.0005")
    mids = [[int(2 * (100 + Decimal("0.001") * (t + h)) / tick) for h in (0, 0, 1, 10, 60)] for t in times]
    return columns([t * S for t in times], sides, [int(p / tick) for p in prices], quantities, mids)


def test_markouts_of_the_toy_tape() -> None:
    markouts = MarkOuts(0, 60 * S)
    markouts.add(*toy_tape())
    found = by_horizon(markouts)
    known = {"0": 2.571098, "1s": 2.585382, "10s": 2.713937, "60s": 3.428131}
    assert {name: round(found[name]["bp"], 6) for name in known} == known
    assert all(row["dropped"] == 0 and row["fills"] == 4 for row in found.values())


def test_one_block_has_no_standard_error() -> None:
    markouts = MarkOuts(0, 60 * S)
    markouts.add(*toy_tape())
    assert by_horizon(markouts)["0"]["se_bp"] is None
    assert by_horizon(markouts)["0"]["blocks"] == 1


def test_a_fill_without_a_later_mid_is_dropped_and_counted() -> None:
    markouts = MarkOuts(0, S)
    markouts.add(
        *columns([0, 5], [1, 1], [100, 100], [1, 1], [[200, 202, 202, 202, None], [200, 202, None, None, None]])
    )
    found = by_horizon(markouts)
    assert [found[name]["dropped"] for name in HORIZONS] == [0, 0, 1, 1, 2]
    assert found["1s"]["bp"] == pytest.approx(100.0)
    assert found["60s"]["bp"] is None


def test_before_any_mid_a_fill_is_held_against_its_own_price() -> None:
    markouts = MarkOuts(0, S)
    markouts.add(*columns([0], [1], [100], [1], [[None, 202, 202, 202, 202]]))
    assert by_horizon(markouts)["0"] == {
        "horizon": "0",
        "bp": 0.0,
        "se_bp": None,
        "fills": 1,
        "dropped": 0,
        "blocks": 1,
    }


def test_no_fills_gives_nulls() -> None:
    found = by_horizon(MarkOuts(0, S))
    assert all(row["bp"] is None and row["se_bp"] is None and row["fills"] == 0 for row in found.values())


@pytest.mark.parametrize("batches", [1, 2, 7])
def test_markouts_equal_their_plain_definition_whatever_the_batches(batches: int) -> None:
    rng = np.random.default_rng(5)
    n, block = 400, 7 * S
    ts = np.sort(rng.integers(0, 100 * S, n))
    side, px, qty = rng.choice([-1, 1], n), rng.integers(900, 1100, n), rng.integers(1, 9, n)
    mids = rng.integers(1800, 2200, (n, 5))
    fills, known = columns(ts, side, px, qty, mids.tolist())
    markouts = MarkOuts(0, block)
    for rows in np.array_split(np.arange(n), batches):
        markouts.add({k: v[rows] for k, v in fills.items()}, {k: v[rows] for k, v in known.items()})
    for k, row in enumerate(markouts.result()):
        gain, value = side * qty * (mids[:, k] / 2 - px), qty * px
        ratio = gain.sum() / value.sum()
        groups = [(gain[ts // block == g].sum(), value[ts // block == g].sum()) for g in np.unique(ts // block)]
        error = math.sqrt(len(groups) / (len(groups) - 1) * sum((x - ratio * w) ** 2 for x, w in groups)) / value.sum()
        assert row["bp"] == pytest.approx(ratio * 1e4, rel=1e-12)
        assert row["se_bp"] == pytest.approx(error * 1e4, rel=1e-12)
        assert row["blocks"] == len(groups)


def test_the_standard_error_tells_the_spread_of_the_estimate() -> None:
    rng = np.random.default_rng(11)
    estimates, errors = [], []
    for _ in range(200):
        n = 300
        common = rng.normal(0, 20, 30).repeat(10)  # fills of a block share most of their luck
        mid2 = np.rint(2 * (10_000 + common + rng.normal(0, 5, n))).astype(np.int64)
        fills, known = columns(
            np.arange(n) * S, np.ones(n), np.full(n, 10_000), np.ones(n), [[m] * 5 for m in mid2.tolist()]
        )
        markouts = MarkOuts(0, 10 * S)
        markouts.add(fills, known)
        row = markouts.result()[0]
        estimates.append(row["bp"])
        errors.append(row["se_bp"])
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.15)


@pytest.mark.parametrize(("span", "expected"), [(0, 60), (600, 60), (3600, 120), (86_400, 600), (10**6, 600)])
def test_blocks_are_one_to_ten_minutes_and_about_thirty(span: int, expected: int) -> None:
    assert block_length(span * S) == expected * S


@pytest.mark.parametrize("batches", [[[5, 3, 8, 2, 9]], [[5], [3, 8], [], [2, 9]]])
def test_drawdown_is_the_largest_fall_below_the_highest_value(batches: list[list[int]]) -> None:
    drawdown = Drawdown(2)
    for batch in batches:
        drawdown.add(np.array(batch, dtype=np.int64))
    assert drawdown.result() == Decimal("0.06")


def test_drawdown_counts_from_zero_at_the_start() -> None:
    drawdown = Drawdown(0)
    drawdown.add(np.array([-7, -3], dtype=np.int64))
    assert drawdown.result() == 7


def test_drawdown_of_money_beyond_64_bits_is_exact() -> None:
    drawdown = Drawdown(8)
    drawdown.add(np.array([10**30, 3, 10**30 + 1], dtype=object))
    assert drawdown.result() == Decimal(10**30 - 3).scaleb(-8)


@pytest.mark.parametrize("cuts", [[], [1], [2, 3]])
def test_position_is_weighted_by_the_time_it_was_held(cuts: list[int]) -> None:
    use = PositionUse()
    for ts, lots in zip(
        np.split(np.array([0, 1, 4, 6]) * S, cuts), np.split(np.array([0, 2, -4, 9]), cuts), strict=True
    ):
        use.add(ts, lots)
    found = use.result()
    assert found["mean_abs"] == pytest.approx((0 * 1 + 2 * 3 + 4 * 2) / 6)
    assert found["std"] == pytest.approx(math.sqrt((4 * 3 + 16 * 2) / 6 - ((2 * 3 - 4 * 2) / 6) ** 2))
    assert found["max_abs"] == 9


def test_position_use_of_one_instant_has_no_mean() -> None:
    use = PositionUse()
    use.add(np.array([5]), np.array([-3]))
    assert use.result() == {"mean_abs": None, "std": None, "max_abs": 3}


def labels(*texts: str) -> Labels:
    names = sorted(set(texts))
    return Labels(np.array([names.index(text) for text in texts]), names)


def test_fill_ratio_is_filled_over_accepted_lots_of_quotes() -> None:
    quoting = Quoting()
    quoting.add_orders(
        labels("accepted", "accepted", "cancelled", "accepted"),
        labels("quote", "quote", "quote", "hedge"),
        np.array([5, 3, 3, 100]),
    )
    quoting.add_fills(labels("quote", "hedge"), np.array([2, 50]))
    assert quoting.fill_ratio() == 0.25
    assert quoting.outcomes == {"accepted": 3, "cancelled": 1}


def test_fill_ratio_without_accepted_lots_is_unknown() -> None:
    assert Quoting().fill_ratio() is None
