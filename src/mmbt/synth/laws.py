"""What is true of a generated market, derived from its config: what estimators must find again.

    drift, volatility   of the log fair price, per second and per square root of a second; whenever the book re-centres,
                        mid = fair, rounded to the grid
    orders, prints      Hawkes: `branching` mean children, exponential kernel; mean prints an order; sides
    fill_intensity      orders a second whose deepest print lies d = 1, 2, ... ticks or more beyond the touch:
                        A exp(-k d), with A_offers of it by buyers and A_bids by sellers
    sweep_share         of the orders; of the prints
    spread              share of time at one tick = 1 / (1 + wide_rate wide_time); beyond it 1 + geometric
    ties                P(a further print of an order carries its predecessor's stamp)
    caused_quote        P(it carries the stamp of the last print), else its mean delay; the share of orders whose
                        quotes re-centre the book; `stale_share` of the orders print after it
    edge                P(sign = direction of the next mid move): (1 + edge) / 2 for an order's side (`take`: orders
                        that take the touch; `flow`: the others), `imbalance_agreement` for the heavier side before it

Where orders follow the mid, `buy_share` and A_offers take up and down moves for equally likely: drift is small between
two moves. Fair prices move between re-centrings, so that a mid is as old as the last of them.
"""

from __future__ import annotations

import math
from typing import Any

from mmbt.synth.config import Pair, SynthConfig

__all__ = ["truth"]

VERSION = "mmbt-synth-1"  # changes whenever the same config would give other bytes


def truth(config: SynthConfig) -> dict[str, Any]:
    """Every parameter of the market by name, as JSON types.

    Parameters
    ----------
    config
        The market.
    """
    names = list(config.pairs)
    cov = [[_covariance(config, a, b) for b in names] for a in names]
    told = {
        "generator": VERSION,
        "seed": config.seed,
        "start": config.start,
        "duration": config.duration,
        "instruments": {name: _pair_truth(config, name, cov[i][i]) for i, name in enumerate(names)},
        "correlation": {"instruments": names, "matrix": [
            [cov[i][j] / math.sqrt(cov[i][i] * cov[j][j]) if cov[i][i] and cov[j][j] else float(i == j)
             for j in range(len(names))] for i in range(len(names))]},
    }
    manifest: dict[str, Any] = _rounded(told) | {"config": config.dump()}
    return manifest


def prints_per_order(pair: Pair) -> float:
    """Mean prints an order: one, the burst's further ones, and the touch's when it sweeps."""
    return 1 + pair.burst_share * pair.burst_extra + pair.sweep_share


def agreement(pair: Pair) -> float:
    """P(the heavier side is the direction of the next mid move).

    The tilted side is heavier with Phi(sqrt(2) tilt / sd), equal sizes aside; it is that direction with (1 + edge) / 2.
    """
    tilted = math.erf(pair.imbalance_tilt / pair.touch_log_sd)  # 2 Phi(sqrt(2) x) - 1 = erf(x)
    return 0.5 + 0.5 * pair.imbalance_edge * tilted


def _pair_truth(config: SynthConfig, name: str, variance: float) -> dict[str, Any]:
    pair, instrument = config.pairs[name], config.instrument(name)
    base, quote = (config.currencies[c] for c in config.legs(name))
    mean_prints = prints_per_order(pair)
    beyond = mean_prints - pair.sweep_share  # of the prints of a sweeping order all but the first
    law = pair.order_rate * pair.sweep_share * math.exp(pair.depth_decay)
    take_buys, rest_buys = (edge / 2 + (1 - edge) * pair.uninformed_buy_share
                            for edge in (pair.take_edge, pair.flow_edge))
    depletes = (1 - pair.sweep_share) * pair.burst_share * pair.deplete_share
    taking_prints = (pair.sweep_share * (beyond + 1) + depletes * (1 + pair.burst_extra)) / mean_prints
    return {
        "tick_size": instrument.tick_size,
        "lot_size": instrument.lot_size,
        "start_price": config.start_ticks(name) * float(instrument.tick_size),
        "drift": (base.drift_bp - quote.drift_bp) * 1e-4,
        "volatility": math.sqrt(variance),
        "noise": {"sd": pair.noise_bp * 1e-4, "relaxation_s": pair.noise_time},
        "orders_per_s": pair.order_rate,
        "prints_per_s": pair.order_rate * mean_prints,
        "prints_per_order": mean_prints,
        "buy_share": {"orders": pair.buy_share,
                      "prints": taking_prints * take_buys + (1 - taking_prints) * rest_buys},
        "self_excitation": {"branching": pair.branching, "kernel_s": pair.excitation_time, "inherit": pair.inherit},
        "fill_intensity": {"k": pair.depth_decay, "A": law,
                           "A_offers": law * take_buys, "A_bids": law * (1 - take_buys)},
        "sweep_share": {"orders": pair.sweep_share, "prints": pair.sweep_share * beyond / mean_prints},
        "spread": {"one_tick_time_share": 1 / (1 + pair.wide_rate * pair.wide_time), "open_rate": pair.wide_rate,
                   "open_time_s": pair.wide_time, "mean_extra_ticks": pair.wide_extra},
        "ties": pair.tie_share,
        "caused_quote": {"same_stamp": pair.quote_same_share, "delay_us": pair.quote_delay_us,
                         "recentres": pair.take_share,
                         "stale_share": pair.stale_share, "stale_delay_us": pair.stale_delay_us},
        "print_lots": {"median": pair.print_lots, "log_sd": pair.print_log_sd},
        "touch_lots": {"median": pair.touch_lots, "log_sd": pair.touch_log_sd, "tilt": pair.imbalance_tilt},
        "edge": {"flow": pair.flow_edge, "take": pair.take_edge, "imbalance": pair.imbalance_edge,
                 "flow_agreement": (1 + pair.flow_edge) / 2, "take_agreement": (1 + pair.take_edge) / 2,
                 "imbalance_agreement": agreement(pair)},
    }


def _rounded(told: Any) -> Any:
    # The last digits of exp and erf depend on the machine's library; the manifest's bytes must not.
    if isinstance(told, dict):
        return {key: _rounded(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_rounded(value) for value in told]
    return float(f"{told:.12g}") if isinstance(told, float) else told


def _covariance(config: SynthConfig, first: str, second: str) -> float:
    # Of the log prices a/b and c/d: cov(a,c) - cov(a,d) - cov(b,c) + cov(b,d).
    def of(a: str, b: str) -> float:
        rho = 1.0 if a == b else config.correlation.get(f"{a}:{b}", config.correlation.get(f"{b}:{a}", 0.0))
        return rho * config.currencies[a].volatility_bp * config.currencies[b].volatility_bp * 1e-8

    (a, b), (c, d) = config.legs(first), config.legs(second)
    return of(a, c) - of(a, d) - of(b, c) + of(b, d)
