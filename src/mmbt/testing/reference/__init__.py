"""The slow reference simulator: the law of the simulator in plain Python, written to disagree with the engine.

It shares no code with `cysim` and keeps no array: books, orders and money are Python integers, the event stream a
sorted list. Clause names (U1, O2, F3, A4, M1 ...) point to the simulator's reference page.
"""

from mmbt.testing.reference.context import ReferenceContext
from mmbt.testing.reference.quoter import ReferenceQuoter
from mmbt.testing.reference.simulator import ReferenceSimulator
from mmbt.testing.reference.things import Fill, Order, ReferenceResult, Trade

__all__ = [
    "Fill",
    "Order",
    "ReferenceContext",
    "ReferenceQuoter",
    "ReferenceResult",
    "ReferenceSimulator",
    "Trade",
]
