"""Settings: presets, changes by key, and what is refused."""

from __future__ import annotations

import math

import pytest
from pydantic import ValidationError

from mmbt.errors import UsageError
from mmbt.synth import PRESETS, Pair, SynthConfig, make_config, preset, truth


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_stand_and_survive_json(name):
    config = preset(name)
    assert SynthConfig.model_validate_json(config.model_dump_json()) == config


def test_changes_reach_what_they_name():
    config = make_config("triangle", {"BTC/USD_T+0.order_rate": "5", "order_rate": "2", "seed": "7", "duration": "90s",
                                      "BTC.volatility_bp": "0", "ETH:BTC": "-0.25"})
    assert config.pairs["BTC/USD_T+0"].order_rate == 5  # the particular wins, whatever the order
    assert config.pairs["ETH/USD_T+0"].order_rate == 2
    assert (config.seed, config.duration_us) == (7, 90_000_000)
    assert config.currencies["BTC"].volatility_bp == 0
    assert config.correlation == {"BTC:RUB": 0.05, "ETH:BTC": -0.25}


def test_edge_sets_all_three():
    pair = make_config("triangle", {"edge": "0"}).pairs["BTC/RUB_T+0"]
    assert (pair.imbalance_edge, pair.flow_edge, pair.take_edge) == (0, 0, 0)


def test_presets_are_not_changed_by_changes():
    before = preset("triangle")
    make_config("triangle", {"order_rate": 9, "pairs": "BTC/USD_T+0", "BTC:ETH": 0})
    assert preset("triangle") == before


@pytest.mark.parametrize(("base", "changes", "message"), [
    ("triangel", {}, "did you mean 'triangle'"),
    ("triangle", {"sweep_shar": 1}, "did you mean 'sweep_share'"),
    ("triangle", {"BTC/USD_T+0.sweep_shar": 1}, "did you mean 'sweep_share'"),
    ("triangle", {"BTC.vol": 1}, "did you mean 'volatility_bp'|unknown synth setting 'BTC.vol'"),
    ("triangle", {"pairs": "BTC/USD"}, "did you mean 'BTC/USD_T"),
    ("triangle", {"sweep_share": 1.5}, "less than or equal to 1"),
    ("triangle", {"order_rate": "nan"}, "order_rate"),
    ("triangle", {"order_rate": "many"}, "valid number"),
    ("triangle", {"duration": "0s"}, "shorter than a second"),
    ("triangle", {"duration": "soon"}, "not a duration"),
    ("triangle", {"start": "tomorrow"}, "start"),
    ("triangle", {"tick_size": "0.3"}, "units of a decimal place"),
    ("triangle", {"lot_size": "0.5"}, "units of a decimal place"),
    ("triangle", {"tick_size": "-1"}, "above 0"),
    ("triangle", {"BTC:ETH": "1"}, "strictly between"),
    ("triangle", {"BTC:XYZ": "0"}, "two currencies"),
    ("triangle", {"BTC:ETH": "0.99", "ETH:RUB": "0.99", "BTC:RUB": "-0.99"}, "positive definite"),
    ("triangle", {"take_edge": 1, "flow_edge": 1, "buy_share": 0.4}, "buy_share"),
    ("triangle", {"branching": 1}, "branching"),
    ("triangle", {"BTC.usd": "1e30"}, "ticks, which must be"),
])
def test_refused_with_a_reason(base, changes, message):
    with pytest.raises(UsageError, match=message):
        make_config(base, changes)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(UsageError, match=r"(?s)foo.*bar"):
        make_config("triangle", {"foo": 1, "bar": 2})
    with pytest.raises(UsageError, match=r"(?s)sweep_share.*ETH/USD_T\+0"):
        make_config("triangle", {"sweep_share": 2})


def test_names_and_currencies_are_checked():
    with pytest.raises(ValidationError, match="BASE/QUOTE"):
        SynthConfig(currencies={"USD": {"usd": 1}}, pairs={"BTCUSD": Pair()})
    with pytest.raises(ValidationError, match="currency BTC is not"):
        SynthConfig(currencies={"USD": {"usd": 1}}, pairs={"BTC/USD": Pair()})
    with pytest.raises(ValidationError, match="cannot be an instrument name"):
        SynthConfig(currencies={"A": {"usd": 1}, "B": {"usd": 2}}, pairs={"A/B_;": Pair()})


def test_the_manifest_says_what_follows_from_the_config():
    config = make_config("triangle", {"BTC:RUB": 0.5, "BTC.volatility_bp": 2, "RUB.volatility_bp": 1})
    told = truth(config)["instruments"]["BTC/RUB_T+0"]
    assert told["volatility"] == pytest.approx(1e-4 * math.sqrt(4 + 1 - 2 * 0.5 * 2 * 1))
    assert told["start_price"] == pytest.approx(19_990 * 61.25)
    assert truth(config)["config"] == config.dump()
    assert config.instrument("BTC/RUB_T+0").base == "BTC"
