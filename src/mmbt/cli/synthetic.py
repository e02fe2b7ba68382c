"""`mmbt synthetic`: a pair priced through others, beside its own book."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from mmbt.cli.app import command
from mmbt.cli.options import BASIS_POINTS, DATES, DURATION, GAP, INSTANT, find_store
from mmbt.cli.output import Document, emit_text, progress, safe
from mmbt.errors import UsageError
from mmbt.units import format_duration

if TYPE_CHECKING:
    from mmbt.store import Catalog
    from mmbt.synthetic import Chain

__all__ = ["synthetic"]


@command(
    "synthetic",
    examples="""
    mmbt synthetic BTC/RUB
    mmbt synthetic ETH/USDT_T+0 --data my-store --taker-fee 2
    mmbt synthetic "ETH/USDT = ETH/USD * BTC/USDT / BTC/USD" --max-age 1s --json
    """,
)
@click.argument("pair", metavar="PAIR")
@click.option("--data", metavar="STORE", help="The store, looked for here and under data/.  [default: data/store]")
@click.option("--max-age", type=DURATION, metavar="D", default="10s", show_default=True,
              help="A leg quoted longer ago gives no synthetic quote.")
@click.option("--taker-fee", type=BASIS_POINTS, default="0", show_default=True,
              help="Fee in basis points of the direct instrument and of each leg.")
@click.option("--every", type=DURATION, metavar="D", default="1s", show_default=True,
              help="Time between two samples of the difference.")
@click.option("--dates", type=DATES, metavar="A..B", help="Days to look at, both included.")
@click.option("--from", "start", type=INSTANT, metavar="T", help="Quotes at or after T, UTC unless it has an offset.")
@click.option("--to", "end", type=INSTANT, metavar="T", help="Quotes before T.")
@click.option("--session-gap", type=GAP, default="1h", show_default=True,
              help="Silences this long are left out; none for none.")
def synthetic(
    pair: str,
    data: str | None,
    max_age: int,
    taker_fee: str,
    every: int,
    dates: tuple[date | None, date | None] | None,
    start: int | None,
    end: int | None,
    session_gap: int | None,
) -> Document:
    """Price a pair through other instruments of a store, and compare it with its own book.

    PAIR is an instrument, a pair BASE/QUOTE, or a whole chain: "PAIR = LEG * LEG / LEG". Without a chain the shortest
    one is taken that does not use the instrument itself.
    """
    from mmbt.store import open_store
    from mmbt.synthetic import compare

    if every == 0:
        raise UsageError("--every must be positive")
    catalog = open_store(find_store(data))
    chain, direct = _chosen(pair, catalog)
    names = [leg.instrument for leg in chain.legs] + ([direct] if direct else [])
    days = None if dates is None else (_iso(dates[0]), _iso(dates[1]))
    with catalog.select(names, days, start, end) as market:
        total = sum(market.rows("tob", name) for name in names)
        with progress("comparing", "quotes") as bar:
            found = compare(
                market, chain, direct, taker_fee=taker_fee, max_age=max_age, interval=every, session_gap=session_gap,
                progress=lambda quotes: bar.update(quotes, total, quotes),
            )
    document = {
        "pair": f"{chain.base}/{chain.quote}",
        "chain": str(chain),
        "legs": [{"instrument": leg.instrument, "inverse": leg.inverse} for leg in chain.legs],
        "direct": direct,
        "max_age": format_duration(max_age),
        "every": format_duration(every),
        "taker_fee_bp": taker_fee,
        **_shares(found),
    }
    return Document(document, lambda: _show(document))


def _chosen(text: str, catalog: Catalog) -> tuple[Chain, str | None]:
    """The chain asked for, and the instrument that trades the pair itself, if the store has one."""
    from mmbt.synthetic import find_chain, find_instrument, parse_chain
    from mmbt.synthetic.chains import pair_of

    known = [catalog.instrument(each.name) for each in catalog.summaries() if each.tick_size is not None]
    name, equals, _ = text.partition("=")
    name = name.strip()
    base, quote = pair_of(name)
    same = [each.name for each in known if (each.base, each.quote) == (base, quote)]
    direct = find_instrument(name, known).name if name in same or (name == f"{base}/{quote}" and same) else None
    if direct is None and name != f"{base}/{quote}":
        find_instrument(name, known)  # a whole name that is unknown: the error says what there is
    if equals:
        return parse_chain(text, known), direct
    return find_chain(base, quote, [each for each in known if each.name != direct]), direct


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _shares(found: dict[str, Any]) -> dict[str, Any]:
    """The figures with times as shares: of the whole time, and of the time in which both were quoted."""
    states = ("quoted", "absent", "crossed", "old")
    whole = sum(found[state] for state in states)

    def share(time: int, of: int) -> float | None:
        return time / of if of else None

    return {
        "quotes": found["quotes"],
        "first_ts": found["first_ts"],
        "last_ts": found["last_ts"],
        "seconds": whole / 1e9,
        **{state: share(found[state], whole) for state in states},
        "both": share(found["both"], whole),
        "cheaper": share(found["better"], found["both"]),
        "cheaper_to_buy": share(found["cheaper"], found["both"]),
        "dearer_to_sell": share(found["dearer"], found["both"]),
        "arbitrage": share(found["arbitrage"], found["both"]),
        **{key: found[key] for key in ("samples", "mean_bp", "sd_bp", "spread_bp", "direct_spread_bp")},
    }


def _show(document: dict[str, Any]) -> None:
    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.2f}%"

    def bp(value: float | None) -> str:
        return "-" if value is None else f"{value:.4g} bp"

    d = document
    rows = {
        "chain": d["chain"],
        "direct": d["direct"] or "none in this store",
        "quoted": f"{percent(d['quoted'])} of {d['seconds']:,.1f} s, {d['quotes']:,} quotes",
        "not quoted": f"{percent(d['absent'])} a leg lacks a side, {percent(d['crossed'])} crossed, "
        f"{percent(d['old'])} older than {d['max_age']}",
    }
    if d["direct"]:
        rows |= {
            "difference": f"mean {bp(d['mean_bp'])}, sd {bp(d['sd_bp'])} of the mids, "
            f"{d['samples']:,} samples each {d['every']}",
            "spread": f"synthetic {bp(d['spread_bp'])}, direct {bp(d['direct_spread_bp'])}, "
            f"taker fee {d['taker_fee_bp']} bp in both",
            "cheaper": f"{percent(d['cheaper'])} of the time both are quoted: to buy {percent(d['cheaper_to_buy'])}, "
            f"to sell {percent(d['dearer_to_sell'])}; at arbitrage {percent(d['arbitrage'])}",
        }
    for title, text in rows.items():
        emit_text(safe(f"{title:<12}{text}"))
