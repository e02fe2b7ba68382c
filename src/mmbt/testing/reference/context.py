"""The strategy's view of one instrument: what it may read, and the commands it may send (A4, A5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmbt.testing.reference import checks
from mmbt.testing.reference.features import entry_of, market_twin, private_twin, scale_of
from mmbt.testing.reference.synthetic import SyntheticQuote, Top
from mmbt.testing.reference.things import Order

if TYPE_CHECKING:
    from mmbt.testing.reference.simulator import ReferenceSimulator

__all__ = ["ReferenceContext"]

Price = Any  # int, float or Decimal, in ticks


class ReferenceContext:
    """The `ctx` of one instrument.

    Prices are in ticks, quantities in lots. It shows what is visible and what was told (O5), and is valid during a call
    only.
    """

    def __init__(self, simulator: ReferenceSimulator, name: str, traded: bool) -> None:
        self._sim = simulator
        self._view = simulator.views[name]
        self._spec = simulator.specs[name]
        self._tick_units = self._spec.tick_units
        self._traded = traded
        # (side, level) -> the last order `quote` sent for that slot, and the price it sent
        self._slots: dict[tuple[int, int], tuple[int, int]] = {}
        self.instrument = name

    def __getitem__(self, name: str) -> ReferenceContext:
        try:
            return self._sim.contexts[name]
        except KeyError:
            raise KeyError(f"{name!r} is neither traded nor watched; known: {', '.join(self._sim.contexts)}") from None

    # --- what it may read --------------------------------------------------------------------------------------------

    @property
    def index(self) -> int:
        """Its place in the run, among the watched ones too."""
        return list(self._sim.contexts).index(self.instrument)

    @property
    def time(self) -> int:
        """Time of the wake-up, ns."""
        return self._sim.now

    @property
    def bid(self) -> int:
        """Best bid in ticks, 0 when absent."""
        return self._view.bid_px // self._tick_units

    @property
    def ask(self) -> int:
        """Best offer in ticks, 0 when absent."""
        return self._view.ask_px // self._tick_units

    @property
    def bid_qty(self) -> int:
        """Displayed quantity at the best bid, lots."""
        return self._view.bid_qty

    @property
    def ask_qty(self) -> int:
        """Displayed quantity at the best offer, lots."""
        return self._view.ask_qty

    @property
    def mid(self) -> float:
        """The last valid mid in ticks, NaN before any (U4)."""
        mid2 = self._view.mid2
        return math.nan if mid2 is None else mid2 / (2 * self._tick_units)

    @property
    def valid(self) -> bool:
        """Whether the visible book is two-sided and not crossed."""
        return self._view.valid

    @property
    def price_limit(self) -> int:
        """Ticks that prices of orders stay below."""
        return 2**40 // self._tick_units

    @property
    def position(self) -> int:
        """Position in lots, by the fills told."""
        return self._view.position

    @property
    def venue_position(self) -> int:
        """The venue's truth, for the position limits of the built-in quotes: no strategy of a user's has it."""
        return self._sim.accounts[self.instrument].position

    @property
    def cash(self) -> Decimal:
        """Cash, fees paid included, by the fills told."""
        return self._sim.accounts[self.instrument].currency(self._view.cash)

    @property
    def orders(self) -> tuple[Order, ...]:
        """Our orders of this instrument that we were not told to be finished, by id."""
        return tuple(order for _, order in sorted(self._view.orders.items()))

    @property
    def instruments(self) -> tuple[str, ...]:
        """Names of the traded instruments."""
        return tuple(self._sim.traded)

    @property
    def tick_size(self) -> str:
        """A tick as an exact decimal."""
        return self._spec.tick_size

    @property
    def lot_size(self) -> str:
        """A lot as an exact decimal."""
        return self._spec.lot_size

    @property
    def features(self) -> NDArray[np.float64]:
        """The features the strategy names, from all that was visible and told by now."""
        names, told = self._sim.features, self._features()
        if not names:
            raise RuntimeError("the strategy names no features")
        return np.array([told[name] for name in names])

    def feature(self, name: str) -> float:
        """One of them."""
        return float(self.features[self._sim.features.index(name)])

    def _features(self) -> dict[str, float]:
        view, now = self._view, self.time
        pair = next((each for each in self._sim.synthetics if each.direct == self.instrument), None)
        synthetic = None
        if pair is not None and (top := pair.top(now)).state == "quoted":
            unit = float(self._spec.price_unit)
            synthetic = (top.mid / unit, (top.ask - top.bid) / unit)
        market = market_twin(view.quotes, view.prints, now, self._tick_units, synthetic)
        start = view.position - sum(side * qty for side, _, qty in view.fills)
        held, entry = entry_of(view.fills, start)
        scale = scale_of(view.quotes, now, self._tick_units)
        return market | private_twin(*scale, now, self._sim.max_position, held, entry, self._own())

    def _own(self) -> dict[str, int]:
        """What the private features measure of our orders, in price units."""
        view, orders = self._view, self._view.orders.values()
        told = {"pending": int(any(o.status != "live" or view.asked[o.id] > 0 for o in orders))}
        for name, side in (("bid", 1), ("ask", -1)):
            priced = [order for order in orders if order.side == side and order.px]
            stand = [(side * o.px, -view.stands[o.id]) for o in priced if o.status == "live"]
            sent = [side * o.px for o in priced if o.status != "live"]
            px, since = max(stand, default=(0, 0))
            told[f"{name}_px"], told[f"{name}_ts"] = side * px * self._tick_units, -since
            told[f"pending_{name}_px"] = side * max(sent, default=0) * self._tick_units
        return told

    def synthetic(self, name: str) -> Top:
        """A pair priced through others, by what is visible now."""
        return self._synthetic(name).top(self.time)

    def _synthetic(self, name: str) -> SyntheticQuote:
        for each in self._sim.synthetics:
            if each.name == name:
                return each
        raise KeyError(f"no synthetic quote {name!r}")

    def to_ticks(self, price: float | str | Decimal) -> float:
        """A price of the quote currency in ticks."""
        return float(Fraction(str(price)) / Fraction(self.tick_size))

    def to_price(self, ticks: float) -> float:
        """A price in ticks in the quote currency."""
        return float(Fraction(ticks) * Fraction(self.tick_size))

    # --- commands ----------------------------------------------------------------------------------------------------

    def quote(self, bid: Price | None = None, ask: Price | None = None, qty: int = 1, post_only: bool = True) -> None:
        """State the wanted bid and offer; None withdraws a side."""
        self._quote([bid], [ask], ["bid"], ["ask"], qty, post_only)

    def quote_levels(self, bids: Sequence[Price | None], asks: Sequence[Price | None], qty: int = 1,
                     post_only: bool = True) -> None:
        """State the wanted bids and offers level by level; None, or a level not given, withdraws it."""
        bid_names = [f"bids[{i}]" for i in range(len(bids))]
        ask_names = [f"asks[{i}]" for i in range(len(asks))]
        self._quote(bids, asks, bid_names, ask_names, qty, post_only)

    def place(self, side: int | str, px: Price | None = None, qty: int = 1, kind: str = "gtc", purpose: str = "quote"
              ) -> int:
        """Send an order; returns its id."""
        self._may_trade()
        sign = checks.order_side(side)
        if kind not in checks.KINDS:
            raise ValueError(f"kind must be one of {', '.join(checks.KINDS)}, not {kind!r}")
        if purpose not in checks.PURPOSES:
            raise ValueError(f"purpose must be one of {', '.join(checks.PURPOSES)}, not {purpose!r}")
        if kind == "market":
            if px is not None:
                raise ValueError(f"px must be None for a market order, not {px!r}")
            ticks = 0
        else:
            ticks = checks.limit_px("px", px, self._tick_units)
        return self._sim.send_place(self.instrument, sign, ticks, checks.lots("qty", qty), kind, purpose)

    def hedge(self, qty: int, through: str | None = None) -> int | tuple[int, ...]:
        """Send a market order of `qty` signed lots with purpose hedge, or its legs; returns the id or the ids."""
        self._may_trade()
        size = checks.lots("qty", abs(qty))
        if through is not None:
            synthetic = self._synthetic(through)
            for leg in synthetic.legs:
                self._sim.contexts[leg.spec.name]._may_trade()
            if synthetic.direct != self.instrument:
                raise ValueError(f"{through} does not price {self.instrument}")
            orders = synthetic.orders(1 if qty > 0 else -1, size, self.time)
            return tuple(self._sim.send_place(name, side, 0, lots, "market", "hedge") for name, side, lots in orders)
        return self._sim.send_place(self.instrument, 1 if qty > 0 else -1, 0, size, "market", "hedge")

    def cancel(self, order_id: int) -> None:
        """Ask for an order to be cancelled."""
        self._may_trade()
        self._sim.send_cancel(self.instrument, order_id)

    def replace(self, order_id: int, px: Price, qty: int) -> None:
        """Ask for a new price and remaining quantity of an order."""
        self._may_trade()
        order = self._sim.orders.get(order_id)
        tick_units = self._tick_units if order is None else self._sim.specs[order.instrument].tick_units
        ticks = checks.limit_px("px", px, tick_units)
        self._sim.send_replace(self.instrument, order_id, ticks, checks.lots("qty", qty))
        if order is not None:
            self._sim.contexts[order.instrument]._slot_was_replaced(order_id, ticks)

    # --- the memory of quote (A4) ------------------------------------------------------------------------------------

    def _quote(self, bids: Sequence[Price | None], asks: Sequence[Price | None], bid_names: list[str],
               ask_names: list[str], qty: int, post_only: bool) -> None:
        self._may_trade()
        size = checks.lots("qty", qty)
        wanted: dict[tuple[int, int], int] = {}
        for side, prices, names in ((+1, bids, bid_names), (-1, asks, ask_names)):
            for level, price in enumerate(prices):
                if price is not None:
                    wanted[side, level] = checks.passive_px(names[level], price, side, self._tick_units)
        for slot in [slot for slot in self._slots if not self._counts(slot)]:
            del self._slots[slot]
        bids_first = sorted(self._slots, key=lambda slot: (-slot[0], slot[1]))
        for slot in bids_first:
            order_id, px = self._slots[slot]
            if wanted.get(slot) != px:
                self._sim.send_cancel(self.instrument, order_id, slot)
                del self._slots[slot]
        for slot in sorted(wanted, key=lambda slot: (-slot[0], slot[1])):
            if slot not in self._slots:
                kind = "post_only" if post_only else "gtc"
                order_id = self._sim.send_place(self.instrument, slot[0], wanted[slot], size, kind, "quote", slot)
                self._slots[slot] = (order_id, wanted[slot])

    def _counts(self, slot: tuple[int, int]) -> bool:
        order_id, _ = self._slots[slot]
        return order_id in self._view.orders and not self._sim.orders[order_id].cancel_sent

    def _slot_was_replaced(self, order_id: int, px: int) -> None:
        for slot, (its_order, _) in self._slots.items():
            if its_order == order_id:
                self._slots[slot] = (order_id, px)

    def _may_trade(self) -> None:
        if not self._sim.may_trade:
            raise RuntimeError("on_start and on_end may read, not trade")
        if not self._traded:
            raise ValueError(f"{self.instrument} is watched, not traded: no commands")
