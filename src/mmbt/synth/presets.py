"""Ready-made markets, and `key=value` changes to them.

| preset     | market                                                                                             |
|------------|----------------------------------------------------------------------------------------------------|
| `triangle` | BTC/USD, USD/RUB, BTC/RUB and ETH/USD at a calm pace, across a midnight: the sample                |
| `cross`    | the triangle with ETH/BTC and ETH/RUB added: six pairs over four currencies                        |
| `btc-spot` | one spot pair at the pace measured on a large exchange: 113 quotes and 31 prints a second          |
| `btc-perp` | one coin-margined perpetual at its measured pace: 75 quotes and 8 prints a second, many sweeps     |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mmbt.errors import UsageError, did_you_mean
from mmbt.synth.config import Currency, Pair, SynthConfig

__all__ = ["PRESETS", "make_config", "preset"]

_CURRENCIES = {
    "USD": {"usd": 1.0},
    "BTC": {"usd": 19_990.0, "volatility_bp": 1.2},
    "ETH": {"usd": 1_352.0, "volatility_bp": 1.4},
    "RUB": {"usd": 1 / 61.25, "volatility_bp": 0.3},
}
_CALM = {"imbalance_edge": 0.3, "flow_edge": 0.3, "take_edge": 0.8, "size_burst": 2.0, "stale_share": 0.02}
_BTC_USD = _CALM | {"tick_size": "0.1", "lot_size": "0.0001", "order_rate": 1.3, "burst_share": 0.3,
                    "requote_rate": 0.6, "print_lots": 150.0, "touch_lots": 9000.0, "size_rate": 2.6,
                    "depth_decay": 0.25}
_USD_RUB = _CALM | {"tick_size": "0.0025", "lot_size": "1", "order_rate": 0.5, "requote_rate": 0.4,
                    "print_lots": 8000.0, "touch_lots": 300_000.0, "size_rate": 1.5, "depth_decay": 0.9,
                    "noise_bp": 0.15, "burst_share": 0.2}
_BTC_RUB = _CALM | {"tick_size": "1", "lot_size": "0.0001", "order_rate": 0.4, "requote_rate": 0.5, "print_lots": 80.0,
                    "touch_lots": 4000.0, "size_rate": 1.2, "depth_decay": 0.06, "noise_bp": 0.3, "wide_extra": 12.0,
                    "buy_share": 0.45}
_ETH_USD = _CALM | {"tick_size": "0.01", "lot_size": "0.001", "order_rate": 0.9, "requote_rate": 0.5,
                    "print_lots": 250.0, "touch_lots": 8000.0, "size_rate": 1.8, "depth_decay": 0.3, "buy_share": 0.55}
_TRIANGLE: dict[str, Any] = {
    "currencies": _CURRENCIES,
    "correlation": {"BTC:ETH": 0.7, "BTC:RUB": 0.05},
    "pairs": {"BTC/USD_T+0": _BTC_USD, "USD/RUB_T+0": _USD_RUB, "BTC/RUB_T+0": _BTC_RUB, "ETH/USD_T+0": _ETH_USD},
}
PRESETS: dict[str, dict[str, Any]] = {
    "triangle": _TRIANGLE,
    "cross": _TRIANGLE | {"pairs": _TRIANGLE["pairs"] | {
        "ETH/BTC_T+0": _ETH_USD | {"tick_size": "0.00001", "depth_decay": 0.8, "noise_bp": 0.3, "order_rate": 0.4},
        "ETH/RUB_T+0": _BTC_RUB | {"tick_size": "0.1", "depth_decay": 0.1, "noise_bp": 0.4, "lot_size": "0.001"},
    }},
    "btc-spot": {
        "start": "2024-08-08T23:30:00", "duration": "1h",
        "currencies": {"USDT": {"usd": 1.0}, "BTC": {"usd": 61_837.6, "volatility_bp": 1.25}},
        "pairs": {"BTC/USDT_T+0": {
            "tick_size": "0.01", "lot_size": "0.00001", "order_rate": 12.0, "branching": 0.85, "excitation_time": 0.1,
            "burst_share": 0.3, "burst_extra": 5.0, "tie_share": 0.2, "print_gap_us": 1.0, "print_lots": 70.0,
            "print_log_sd": 2.7, "sweep_share": 0.06, "depth_decay": 0.0015, "deplete_share": 0.85, "stale_share": 0.8,
            "stale_delay_us": 1500.0, "quote_same_share": 0.1, "quote_delay_us": 1200.0, "requote_rate": 1.1,
            "wide_rate": 0.35, "wide_time": 0.02, "wide_extra": 180.0, "size_rate": 23.4, "size_burst": 4.0,
            "size_tie_share": 0.11, "size_gap_us": 900.0, "touch_lots": 90_000.0, "touch_log_sd": 2.1,
            "imbalance_edge": 0.85, "imbalance_tilt": 2.0, "flow_edge": 0.3, "take_edge": 0.9, "inherit": 0.98,
        }},
    },
    "btc-perp": {
        "start": "2024-08-08T23:30:00", "duration": "1h",
        "currencies": {"USD": {"usd": 1.0}, "BTC": {"usd": 61_820.0, "volatility_bp": 1.28}},
        "pairs": {"BTC/USD_T+0": {
            "tick_size": "0.1", "lot_size": "1", "order_rate": 3.9, "branching": 0.8, "excitation_time": 0.15,
            "burst_share": 0.22, "burst_extra": 3.6, "tie_share": 0.1, "print_gap_us": 2.0, "print_lots": 4.0,
            "print_log_sd": 2.1, "sweep_share": 0.31, "depth_decay": 0.015, "deplete_share": 0.3, "stale_share": 0.03,
            "quote_same_share": 0.1, "quote_delay_us": 700.0, "requote_rate": 0.6, "wide_rate": 0.15, "wide_time": 0.03,
            "wide_extra": 25.0, "size_rate": 13.6, "size_burst": 5.0, "size_tie_share": 0.03, "size_gap_us": 400.0,
            "touch_lots": 700.0, "touch_log_sd": 1.5, "imbalance_edge": 0.9, "imbalance_tilt": 1.6, "flow_edge": 0.3,
            "take_edge": 0.9, "together_share": 0.2, "inherit": 0.98,
        }},
    },
}


def preset(name: str) -> SynthConfig:
    """A ready-made market by name.

    Raises
    ------
    UsageError
        When there is none of that name.
    """
    return make_config(name)


def make_config(base: str = "triangle", changes: Mapping[str, Any] | None = None) -> SynthConfig:
    """A preset with changes.

    Parameters
    ----------
    base
        A key of `PRESETS`.
    changes
        Values by key, as text or typed: a field of `SynthConfig` (``seed``, ``duration``), a field of `Pair` for every
        pair (``sweep_share``), of one pair (``BTC/USD_T+0.sweep_share``), a field of a currency
        (``BTC.volatility_bp``) or a correlation (``BTC:ETH``). ``pairs`` takes the names to keep, comma-separated;
        ``edge`` sets the three planted edges at once.

    Raises
    ------
    UsageError
        When a name is unknown or a value does not fit; all mistakes are told at once.
    """
    if base not in PRESETS:
        raise UsageError(f"no synth preset {base!r}{did_you_mean(base, PRESETS)} (there are {', '.join(PRESETS)})")
    given = PRESETS[base]
    data = given | {"currencies": {name: dict(fields) for name, fields in given["currencies"].items()},
                    "correlation": dict(given.get("correlation", {})),
                    "pairs": {name: dict(fields) for name, fields in given["pairs"].items()}}
    faults = [fault for key, value in _general_first(changes or {}) if (fault := _apply(data, key, value))]
    if faults:
        raise UsageError("; ".join(faults))
    try:
        return SynthConfig.model_validate(data)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}" for e in error.errors()]
        raise UsageError("; ".join(told)) from None


def _general_first(changes: Mapping[str, Any]) -> list[tuple[str, Any]]:
    # What is said of one pair or currency overrides what is said of all, in whatever order the two were given.
    return sorted(changes.items(), key=lambda item: (item[0] != "pairs", "." in item[0]))


def _apply(data: dict[str, Any], key: str, value: Any) -> str | None:
    owner, dot, field = key.rpartition(".")
    pairs, currencies = data["pairs"], data["currencies"]
    if key == "pairs":
        names = [n.strip() for n in value.split(",")] if isinstance(value, str) else list(value)
        missing = [n for n in names if n not in pairs]
        if missing:
            return f"no pair {missing[0]!r} in this preset{did_you_mean(missing[0], pairs)}"
        data["pairs"] = {n: pairs[n] for n in names}
    elif key == "edge":
        for fields in pairs.values():
            fields |= dict.fromkeys(("imbalance_edge", "flow_edge", "take_edge"), value)
    elif key in ("seed", "start", "duration"):
        data[key] = value
    elif ":" in key:
        data["correlation"].pop(":".join(reversed(key.split(":"))), None)
        data["correlation"][key] = value
    elif not dot and field in Pair.model_fields:
        for fields in pairs.values():
            fields[field] = value
    elif owner in pairs:
        return _set(pairs[owner], field, value, key, Pair)
    elif owner in currencies:
        return _set(currencies[owner], field, value, key, Currency)
    else:
        known = ["seed", "start", "duration", "pairs", "edge", *Pair.model_fields,
                 *(f"{n}.{f}" for n in pairs for f in Pair.model_fields),
                 *(f"{n}.{f}" for n in currencies for f in Currency.model_fields)]
        return f"unknown synth setting {key!r}{did_you_mean(key, known)}"
    return None


def _set(fields: dict[str, Any], field: str, value: Any, key: str, model: type[Pair | Currency]) -> str | None:
    if field not in model.model_fields:
        return f"unknown synth setting {key!r}{did_you_mean(field, model.model_fields)}"
    fields[field] = value
    return None
