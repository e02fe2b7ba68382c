"""Synthetic quotes as people declare them for a run: ``PAIR``, or ``PAIR = LEG * LEG / LEG``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmbt.errors import UsageError
from mmbt.market import Instrument
from mmbt.synthetic.chains import Chain, find_chain, pair_of, parse_chain

__all__ = ["Declared", "declared", "direct_of"]


@dataclass(frozen=True, slots=True)
class Declared:
    """A synthetic quote of a run.

    Attributes
    ----------
    name
        What stands left of the equals sign: a pair such as ``BTC/RUB``, perhaps with a suffix as in ``BTC/RUB_T+0``.
    chain
        Its legs.
    """

    name: str
    chain: Chain

    def __str__(self) -> str:
        return f"{self.name} = {str(self.chain).partition(' = ')[2]}"


def declared(texts: Iterable[str], instruments: Iterable[Instrument]) -> list[Declared]:
    """Read declarations.

    Parameters
    ----------
    texts
        A pair alone goes through the shortest chain that uses no instrument of the pair itself.
    instruments
        Those the legs may be.

    Raises
    ------
    UsageError
        For what is no pair or chain, legs that are not there, and a name that is given twice.
    """
    known = list(instruments)
    found = [_declared(text, known) for text in texts]
    names = [each.name for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two synthetic quotes are called {twice[0]!r}: tell them apart by a suffix, {twice[0]}_2")
    return found


def direct_of(synthetic: Declared, instruments: Sequence[Instrument]) -> Instrument | None:
    """The instrument that trades the pair itself: the one of its name, else the only one of the pair that is no leg.

    Raises
    ------
    UsageError
        When several are.
    """
    chain = synthetic.chain
    legs = {leg.instrument for leg in chain.legs}
    same = [i for i in instruments if (i.base, i.quote) == (chain.base, chain.quote) and i.name not in legs]
    named = [i for i in same if i.name == synthetic.name]
    if len(same) > 1 and not named:
        raise UsageError(f"{synthetic.name!r} may stand beside {' or '.join(i.name for i in same)}: "
                         "give it the name of that instrument")
    return next(iter(named or same), None)


def _declared(text: str, known: Sequence[Instrument]) -> Declared:
    name, equals, _ = text.partition("=")
    name = name.strip()
    if equals:
        return Declared(name, parse_chain(text, known))
    base, quote = pair_of(name)
    return Declared(name, find_chain(base, quote, [i for i in known if (i.base, i.quote) != (base, quote)]))
