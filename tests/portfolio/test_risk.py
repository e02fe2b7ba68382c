"""Omega and the risk of a vector of positions, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmbt import ArrayMarket, Instrument
from mmbt.errors import UsageError
from mmbt.portfolio import Converter, RiskModel, estimate_risk, portfolio_risk
from mmbt.report.risk import RiskUse
from mmbt.testing.markets import book, tables_of

S = 10**9
A = Instrument("A/USD", "1", "1", "1", "A", "USD", "spot")
B = Instrument("B/USD", "1", "1", "0.1", "B", "USD", "linear", "10")


def estimate(*parts: tuple[Instrument, list[Any]], traded: int = 2, currency: str | None = "USD", grid_ns: int = S,
             silence: int | None = None, batch_rows: int | None = None) -> RiskModel | None:
    market = ArrayMarket([(instrument, *tables_of(rows)) for instrument, rows in parts], batch_rows)
    instruments = [instrument for instrument, _ in parts]
    return estimate_risk(market, instruments[:traded], currency, Converter(instruments), grid_ns, silence)


def mids(*values: int, start: int = 1, step: int = S) -> list[Any]:
    """A quote every `step`, 1 below and above the mid."""
    return [book(start * S + i * step, mid - 1, mid + 1) for i, mid in enumerate(values)]


def test_omega_of_two_instruments_by_hand() -> None:
    # Returns +1/10, -1/10 of A, and -1/20, 0 of B, over two intervals of 1 s; a lot of A is worth 99 at the end and
    # one of B, 0.1 x 10 at 190, 190. The quotes before the first instant of both do not count, nor does what is later
    # than the last quote.
    found = estimate((A, [*mids(70, 100, 110, 99)]), (B, [book(S + 5, 199, 201), *mids(190, 190, start=3)]))
    assert found is not None
    assert (found.intervals, found.lot_worth, found.currency) == (2, (99.0, 190.0), "USD")
    expected = np.array([[0.02, -0.005], [-0.005, 0.0025]]) / 2 * np.outer([99, 190], [99, 190])
    assert np.allclose(found.omega, expected, rtol=1e-12, atol=0)


def test_the_risk_of_a_vector_by_hand() -> None:
    omega = [[1, 0.8], [0.8, 1]]
    assert portfolio_risk([1, -1], omega) == pytest.approx(math.sqrt(0.4))
    assert portfolio_risk([[1, 1], [3, 0], [0, 0]], omega).tolist() == pytest.approx([math.sqrt(3.6), 3.0, 0.0])
    assert portfolio_risk([2, 1], omega, power=1.0) == pytest.approx(8.2)
    assert portfolio_risk([-3], [[1]]) == 3  # the size of the position, when its covariance is 1


def test_the_grid_has_its_own_unit_and_covariance_is_per_second() -> None:
    rows = mids(*(100 + (i % 2) for i in range(41)), step=S // 10)
    fine, coarse = (estimate((A, rows), traded=1, grid_ns=grid) for grid in (S // 10, S))
    assert fine is not None
    assert coarse is not None
    # 40 alternating steps of 1 in 100 over 4 s; every tenth mid is the same
    up, down = 1 / 100, -1 / 101
    assert fine.omega[0][0] == pytest.approx(20 * (up**2 + down**2) / 4.0 * 100**2)
    assert coarse.omega[0][0] == 0


def test_a_lot_is_worth_its_notional_in_the_reporting_currency() -> None:
    perpetual = Instrument("BTC/USD", "1", "1", "2", "BTC", "USD", "inverse", "100")
    rub = Instrument("USD/RUB", "1", "1", "1", "USD", "RUB", "spot")
    found = estimate((perpetual, mids(10_000, 10_100, 10_000)), (rub, mids(60, 60, 60)), traded=1, currency="RUB")
    assert found is not None
    assert found.lot_worth == pytest.approx((200 * 60,))  # 2 contracts of 100 USD at 60
    assert found.omega[0][0] == pytest.approx((0.01**2 + (100 / 10_100) ** 2) / 2 * 12_000**2)
    own = estimate((perpetual, mids(10_000, 10_100, 10_000)), traded=1, currency="BTC")
    assert own is not None
    assert own.lot_worth == pytest.approx((0.02,))


def test_batches_never_matter() -> None:
    rng = np.random.default_rng(5)
    rows = [[book(int(ts), int(mid) - 1, int(mid) + 1 if i % 7 else 0) for i, (ts, mid) in enumerate(
        zip(np.sort(rng.integers(0, 200_000 * S, 3000)), 1000 + rng.integers(-50, 50, 3000), strict=True))]
        for _ in range(2)]
    whole = estimate((A, rows[0]), (B, rows[1]))
    assert whole is not None
    assert whole.intervals > 190_000
    for batch_rows in (1, 7, 2999):
        assert estimate((A, rows[0]), (B, rows[1]), batch_rows=batch_rows) == whole


def test_a_silence_and_what_jumps_over_it_do_not_count() -> None:
    day = [*mids(100, 110), *mids(220, 231, start=1000)]
    counted = estimate((A, day), traded=1)
    left_out = estimate((A, day), traded=1, silence=10 * S)
    assert counted is not None
    assert left_out is not None
    assert (counted.intervals, left_out.intervals) == (1000, 11 + 1)
    # 10% each side of the silence; the jump from 110 to 220 is gone
    assert left_out.omega[0][0] * left_out.intervals == pytest.approx((0.1**2 + 0.05**2) * 231**2)


def test_books_without_a_mid_keep_the_last() -> None:
    rows = [*mids(100, 110), book(3 * S - 5, 0, 120), book(3 * S - 4, 130, 120), *mids(110, start=4)]
    found = estimate((A, rows), traded=1)
    assert found is not None
    assert found.omega[0][0] * found.intervals == pytest.approx(0.1**2 * 110**2)


def test_unknown_worths_and_ways_are_told() -> None:
    assert estimate((A, [book(1 * S, 100), book(5 * S, 101)]), traded=1) is None
    assert estimate((A, mids(100)), traded=1) is None
    assert estimate((A, []), traded=1) is None
    with pytest.raises(UsageError, match="converts USD into EUR"):
        estimate((A, mids(100, 110)), traded=1, currency="EUR")


# --- over a run -------------------------------------------------------------------------------------------------------


def test_the_risk_over_time_by_hand() -> None:
    # Positions (0, 0) for 1 s, (3, 0) for 2 s, (3, -1) from then on for 1 s.
    ts = np.array([1, 1, 2, 4, 5]) * S
    place = np.array([0, 1, 0, 1, 0])
    lots = np.array([0, 0, 3, -1, 3])
    omega = [[4.0, 0.0], [0.0, 9.0]]
    last = math.sqrt(4 * 9 + 9)
    for cut in range(6):
        use = RiskUse(omega, 0.5)
        for rows in (slice(0, cut), slice(cut, 5)):
            use.add(ts[rows], place[rows], lots[rows])
        assert use.result() == {"mean": pytest.approx((0 + 2 * 6 + last) / 4), "max": pytest.approx(last)}
    assert RiskUse(omega, 0.5).result() == {"mean": None, "max": 0.0}
