"""Cartea, Jaimungal and Penalva: known answers, and what must hold of any parameters."""

from __future__ import annotations

import numpy as np
import pytest

from mmbt.exact_models import CarteaJaimungalParams
from mmbt.theory.cartea_jaimungal import answer, solve


def test_known_answers() -> None:
    found = answer(CarteaJaimungalParams(lam=1, kappa=100, alpha=1e-4, phi=1e-5, T=30, q_max=10))
    assert list(found) == ["Q", "bid_depth", "ask_depth", "h"]
    assert found["h"][10] == pytest.approx(0.21657464, abs=5e-9)
    known = [0.008769, 0.009264, 0.009755, 0.010245, 0.010736, 0.011231, 0.011732]
    assert found["bid_depth"][7:14] == pytest.approx(known, abs=5e-7)
    assert found["ask_depth"][7:14] == pytest.approx(known[::-1], abs=5e-7)
    assert found["bid_depth"][-1] is None
    assert found["ask_depth"][0] is None


@pytest.mark.parametrize("values", [
    {}, {"phi": 0, "alpha": 0}, {"kappa": 0.3, "lam": 2, "phi": 1, "alpha": 3, "T": 1e4, "q_max": 40},
    {"T": 1e-6}, {"q_max": 1}, {"kappa": 1000, "phi": 10}])
def test_a_long_position_is_bid_for_from_farther_away(values: dict[str, float]) -> None:
    found = solve(CarteaJaimungalParams.model_validate(values))
    assert np.isfinite(found.h).all()
    assert np.allclose(found.h, found.h[::-1])
    assert np.allclose(found.bid_depth[:-1], found.ask_depth[:0:-1])
    assert (np.diff(found.bid_depth[:-1]) > -1e-12).all()
