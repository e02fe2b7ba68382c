"""Synthetic quotes: a pair priced through others, such as BTC/RUB = BTC/USD x USD/RUB.

`find_chain` and `parse_chain` choose the legs, `declared` reads those of a run, `synthetic_ladder` works out exact
prices level by level, `make_book` is the machine's fast top of book, and `compare` holds it against the direct book
over recorded quotes.
"""

from mmbt.synthetic.books import compare, leg_values, make_book
from mmbt.synthetic.chains import Chain, Leg, find_chain, find_instrument, parse_chain
from mmbt.synthetic.declared import Declared, declared, direct_of
from mmbt.synthetic.ladders import Ladder, LadderLeg, Level, synthetic_ladder

__all__ = [
    "Chain",
    "Declared",
    "Ladder",
    "LadderLeg",
    "Leg",
    "Level",
    "compare",
    "declared",
    "direct_of",
    "find_chain",
    "find_instrument",
    "leg_values",
    "make_book",
    "parse_chain",
    "synthetic_ladder",
]
