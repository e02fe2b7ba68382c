"""Chains of instruments: which ones lead from one currency to another, and in which direction each is read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmbt.errors import UsageError, did_you_mean
from mmbt.market import Instrument

__all__ = ["MOST_LEGS", "Chain", "Leg", "find_chain", "find_instrument", "pair_of", "parse_chain"]

MOST_LEGS = 8
_OPERATOR = re.compile(r"(?:^|\s+)([*/])\s+|\s*(,)\s*")


@dataclass(frozen=True, slots=True)
class Leg:
    """An instrument of a chain; `inverse` when the chain runs from its quote currency to its base currency."""

    instrument: str
    inverse: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """Legs that lead from the base currency to the quote currency, each beginning where the one before ends.

    As text it is a formula that `parse_chain` reads: ``ETH/USDT = ETH/USD * BTC/USDT / BTC/USD``.
    """

    base: str
    quote: str
    legs: tuple[Leg, ...]

    def __str__(self) -> str:
        over = [leg.instrument for leg in self.legs if not leg.inverse]
        under = "".join(f" / {leg.instrument}" for leg in self.legs if leg.inverse)
        return f"{self.base}/{self.quote} = {' * '.join(over) or '1'}{under}"


def pair_of(name: str) -> tuple[str, str]:
    """Base and quote currency of a name such as `BTC/RUB` or `BTC/RUB_T+0`.

    Raises
    ------
    UsageError
        When the name is of another shape.
    """
    base, _, quote = name.strip().partition("/")
    quote = quote.partition("_")[0]
    if not base or not quote or "/" in quote:
        raise UsageError(f"{name!r} is not a pair: write BASE/QUOTE, such as BTC/RUB")
    return base, quote


def find_instrument(name: str, instruments: Iterable[Instrument]) -> Instrument:
    """The instrument of that name, or the only one of that pair: `BTC/USD` finds `BTC/USD_T+0`.

    Raises
    ------
    UsageError
        When there is none, or several of the pair.
    """
    known = {instrument.name: instrument for instrument in instruments}
    if name in known:
        return known[name]
    same = [each for each in known.values() if each.base and f"{each.base}/{each.quote}" == name]
    if len(same) == 1:
        return same[0]
    if same:
        raise UsageError(f"{name!r} may be {' or '.join(sorted(each.name for each in same))}: write the whole name")
    raise UsageError(f"no instrument {name!r}{did_you_mean(name, known) or '.'} There are: {', '.join(sorted(known))}")


def parse_chain(text: str, instruments: Iterable[Instrument]) -> Chain:
    """Read a chain as people write it.

    Parameters
    ----------
    text
        ``PAIR = A * B / C``, the operators between spaces, or ``PAIR = A, B, C`` without saying which are inverse.
        The legs may stand in any order; their currencies tell how they join.
    instruments
        Those the names may mean, by whole names or by pairs.

    Raises
    ------
    UsageError
        For another shape, unknown names, legs that do not lead from base to quote, or an operator that contradicts
        the currencies.
    """
    left, equals, right = text.partition("=")
    if not equals:
        raise UsageError(f"{text!r} is no chain: write PAIR = LEG * LEG / LEG, such as BTC/RUB = BTC/USD * USD/RUB")
    base, quote = pair_of(left)
    parts = [part.strip() for part in _OPERATOR.split(right.strip()) if part is not None]
    operators = ["*" if "," not in parts else ",", *parts[1::2]]
    terms = list(zip(operators, parts[0::2], strict=True))
    if terms[0][1] in {"", "1"}:  # 1 / A, or / A
        terms = terms[1:]
    if not terms or not all(name for _, name in terms):
        raise UsageError(f"{text!r}: a leg is missing: write PAIR = LEG * LEG / LEG")
    known = list(instruments)
    wanted = [(operator, find_instrument(name, known)) for operator, name in terms]
    legs = _joined(base, quote, [instrument for _, instrument in wanted])
    inverse = {leg.instrument: leg.inverse for leg in legs}
    for operator, instrument in wanted:
        if operator != "," and inverse[instrument.name] != (operator == "/"):
            told = "divided by" if inverse[instrument.name] else "multiplied with"
            raise UsageError(f"{text!r}: from {base} to {quote}, {instrument.name} must be {told}")
    return Chain(base, quote, legs)


def find_chain(base: str, quote: str, instruments: Iterable[Instrument]) -> Chain:
    """The shortest chain from one currency to another; of several the first by the UTF-8 bytes of its names, in order.

    Instruments whose currencies are not known are left out.

    Raises
    ------
    UsageError
        When there is none of at most 8 legs, with what would be needed.
    """
    edges = sorted((each for each in instruments if each.base and each.quote), key=lambda each: each.name.encode())
    if base == quote:
        raise UsageError(f"a pair has two currencies, not {base} twice")
    _require_known(edges, base, quote)
    found: dict[str, tuple[Leg, ...]] = {base: ()}
    newest = [base]  # in the order of their paths, so that the first path to a currency is the first by name too
    while newest and quote not in found:
        reached: list[str] = []
        for currency in newest:
            for leg, end in _steps(currency, edges):
                if end not in found:
                    found[end] = (*found[currency], leg)
                    reached.append(end)
        newest = reached
    if quote not in found:
        raise UsageError(_gap(base, quote, found, edges))
    if len(found[quote]) > MOST_LEGS:
        raise UsageError(f"from {base} to {quote} it takes {len(found[quote])} legs, more than {MOST_LEGS}")
    return Chain(base, quote, found[quote])


def _steps(currency: str, edges: Iterable[Instrument]) -> list[tuple[Leg, str]]:
    """The legs that begin at a currency, with where they end."""
    steps = []
    for each in edges:
        assert each.base is not None
        assert each.quote is not None
        if currency == each.base:
            steps.append((Leg(each.name), each.quote))
        elif currency == each.quote:
            steps.append((Leg(each.name, inverse=True), each.base))
    return steps


def _joined(base: str, quote: str, instruments: Sequence[Instrument]) -> tuple[Leg, ...]:
    """The legs in an order that leads from base to quote through all of them."""
    names = [each.name for each in instruments]
    if len(set(names)) < len(names):
        raise UsageError(f"an instrument stands twice in {', '.join(names)}")
    if len(names) > MOST_LEGS:
        raise UsageError(f"{len(names)} legs are more than {MOST_LEGS}")
    for each in instruments:
        if not (each.base and each.quote):
            raise UsageError(f"{each.name} does not name its currencies: a leg is an instrument BASE/QUOTE")
    legs = _route(base, quote, instruments)
    if legs is None:
        told = ", ".join(f"{each.name} joins {each.base} and {each.quote}" for each in instruments)
        raise UsageError(f"these legs do not lead from {base} to {quote}, each used once: {told}")
    return legs


def _route(start: str, end: str, instruments: Sequence[Instrument]) -> tuple[Leg, ...] | None:
    if not instruments:
        return () if start == end else None
    for leg, reached in _steps(start, instruments):
        rest = _route(reached, end, [each for each in instruments if each.name != leg.instrument])
        if rest is not None:
            return (leg, *rest)
    return None


def _require_known(edges: Sequence[Instrument], *currencies: str) -> None:
    known = sorted({str(each.base) for each in edges} | {str(each.quote) for each in edges})
    for currency in currencies:
        if currency not in known:
            raise UsageError(
                f"no instrument to go through has the currency {currency}{did_you_mean(currency, known)}; "
                f"one is needed that joins {currency} with {' or '.join(known) or 'another currency'}"
            )


def _gap(base: str, quote: str, found: Iterable[str], edges: Sequence[Instrument]) -> str:
    near, far = sorted(found), {quote}
    while grown := {end for currency in far for _, end in _steps(currency, edges)} - far:
        far |= grown
    example = next(f"{a}/{b}" for a in near for b in sorted(far) if (a, b) != (base, quote))
    return (
        f"no chain leads from {base} to {quote}: an instrument is needed that joins one of {', '.join(near)} "
        f"with one of {', '.join(sorted(far))}, such as {example}"
    )
