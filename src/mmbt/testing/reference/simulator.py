"""The reference simulator: instants, sessions, timers, the latency bus and the callbacks (O1-O7, A3).

Three clocks meet at an instant t. The venue acts at exchange time. A row of the market is visible to the strategy at
its visible time; a report (a fill, or the outcome of a command) of time u is told at the later of u + response latency
and the time at which the report before it is told, so that reports, of all instruments together, stand in one line.

A *round* hands over all reports of the line that are due: the views take all of them, then `on_fill` and `on_order`
are called for each, in order of occurrence. *Settling* is: apply, in the order sent, what was sent without latency;
then a round, if a report is due; and so on until nothing is left to apply and no report is due. At an instant t, in
this order:

0. If a session ends at t: its timers stop, orders live and travelling are cancelled by id. Nothing is told yet.
1. Settle: one round tells what is due of before t, and behind it what step 0 caused, if that is due as well.
2. Each row of exchange time before t that is visible at t, in total order over all instruments: the view takes it,
   timers may start, `on_tob` or `on_trade`; settle.
3. Each row of exchange time t in total order: the venue's book, its fills, the account; the silence of the session
   starts anew. If the row is visible at once, the view takes it and timers may start. A round, if a report is due;
   then, only if the row is visible at once, `on_tob` or `on_trade`; settle.
4. All commands that arrive at t, by (arrival, order of sending), each a step of its own; settle.
5. If a timer falls on t: `on_timer` for each traded instrument, one after another; settle.

Commands sent without latency in 1 and 2 thus meet the venue as it is before the rows of t. A delay drawn as 0 is no
latency. Timers may start when a row of a traded instrument becomes visible, a print as well as a quote: if none is
running, if all traded books as visible are valid, and if this row or one visible since the last end of a session has an
exchange time at or after that end; a session that is over thus starts no timers by rows that are seen late. At the end
of the run, rows not yet visible and reports not yet told are dropped; in `on_end` the views have no orders any more,
and are otherwise as they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from mmbt.errors import StrategyError
from mmbt.market import MarketData
from mmbt.strategies.base import HOOKS, Strategy
from mmbt.testing.reference.accounts import Account, mark_outs, result_hash
from mmbt.testing.reference.bus import Bus
from mmbt.testing.reference.clocks import Feed, Reports
from mmbt.testing.reference.context import ReferenceContext
from mmbt.testing.reference.contracts import Fees
from mmbt.testing.reference.stream import Event, in_name_order, total_order
from mmbt.testing.reference.synthetic import SyntheticQuote
from mmbt.testing.reference.things import Fill, Message, Order, ReferenceResult, Report, Trade, VenueOrder
from mmbt.testing.reference.venue import Rules, Venue
from mmbt.testing.reference.view import View
from mmbt.units import duration_ns

__all__ = ["ReferenceSimulator"]

MAX_ROUNDS = 10_000
HOUR = 3600 * 10**9


class ReferenceSimulator:
    """One run of a strategy over a market.

    Parameters
    ----------
    market, strategy
        As for the engine.
    instruments, watch
        Names of the traded and of the only watched instruments.
    cross, trade, aggressor, size, queue, power
        The fill rules.
    session_gap, equity_interval
        In ns; `session_gap` None means that sessions never end.
    place_latency, cancel_latency, feed_latency, response_latency
        In ns, or texts as in `reference.delays`; `feed_latency` may be "local" too.
    seed
        Of the drawn latencies.
    maker_fee, taker_fee
        Whole 1e-8 of the value traded.
    maker_fee_qty, taker_fee_qty, maker_fee_flat, taker_fee_flat
        Decimals: for a quantity of 1.0, and for a fill.
    fee_currency
        Of those decimals: "settlement" or "other".
    ties
        "prints-first" or "tob-first".
    position
        Lots held at the start, of the one instrument or by name.
    synthetic, synthetic_max_age
        Chains as ``PAIR = LEG * LEG / LEG``, of instruments that are traded or watched; ns, None for no limit.
    """

    def __init__(self, market: MarketData, strategy: Strategy, *, instruments: Sequence[str], watch: Sequence[str] = (),
                 cross: str = "through", trade: str = "through", aggressor: str = "auto", size: str = "full",
                 queue: str = "back", power: float = 2.0, place_latency: int | str = 0,
                 cancel_latency: int | str = 0, feed_latency: int | str = 0, response_latency: int | str = 0,
                 seed: int = 0, maker_fee: int = 0, taker_fee: int = 0,
                 maker_fee_qty: str = "0", taker_fee_qty: str = "0", maker_fee_flat: str = "0",
                 taker_fee_flat: str = "0", fee_currency: str = "settlement",
                 session_gap: int | None = HOUR, ties: str = "prints-first", equity_interval: int = 10**9,
                 position: int | Mapping[str, int] = 0, synthetic: Sequence[str] = (),
                 synthetic_max_age: int | None = 10**10) -> None:
        rules = Rules(cross, trade, aggressor, size, queue, power)
        fees = (Fees(maker_fee, maker_fee_qty, maker_fee_flat, fee_currency),
                Fees(taker_fee, taker_fee_qty, taker_fee_flat, fee_currency))
        self.traded = in_name_order(instruments)
        streamed = in_name_order({*instruments, *watch})
        held = position if isinstance(position, Mapping) else {self.traded[0]: position}
        self.specs = {spec.name: spec for spec in market.instruments if spec.name in streamed}
        self.accounts = {name: Account(self.specs[name], held.get(name, 0), *fees) for name in streamed}
        self.venues = {name: Venue(self.specs[name].tick_units, rules, self._filled, self._notice) for name in streamed}
        self.views = {name: View(self.accounts[name].position, tick_units=self.specs[name].tick_units)
                      for name in streamed}
        self.synthetics = [SyntheticQuote(text, self.specs, self.views, taker_fee, synthetic_max_age)
                           for text in synthetic]
        self.features, self.max_position = strategy.checked_features()
        self.contexts = {name: ReferenceContext(self, name, name in self.traded) for name in streamed}
        self.orders: dict[int, VenueOrder] = {}
        self.open_orders: dict[int, VenueOrder] = {}
        self.may_trade = False
        self.events: list[Event] = total_order(market, streamed, ties, Feed(feed_latency, seed))
        self.now = self.events[0][0] if self.events else 0

        self._strategy = strategy
        self._hooks = {hook for hook in HOOKS if getattr(type(strategy), hook) is not getattr(Strategy, hook)}
        self._interval = duration_ns(strategy.interval) if strategy.interval is not None else 0
        self._session_gap = session_gap
        self._equity_interval = equity_interval

        self._bus = Bus(place_latency, cancel_latency, seed)
        self._reports = Reports(response_latency, seed)
        self._late = deque(sorted((event[7], i) for i, event in enumerate(self.events) if event[7] > event[0]))
        self._rounds = 0
        self._next_timer: int | None = None
        self._session_end: int | None = None
        self._session_seen = False  # whether a row of the session has become visible
        self._decisions = 0
        self._index = self._arrived = 0
        self._filled_in_step: list[str] = []
        self._mids: dict[str, list[tuple[int, int]]] = {name: [] for name in streamed}  # (ts, mid2 in ticks)
        self._fills: list[dict[str, Any]] = []
        self._order_rows: list[dict[str, Any]] = []
        self._equity: list[dict[str, Any]] = []
        self._session_ends: list[int] = []
        self._next_equity = self.now + equity_interval
        self._last_grid_row: int | None = None

    # --- the run -----------------------------------------------------------------------------------------------------

    def run(self) -> ReferenceResult:
        """Replay the whole market.

        Raises
        ------
        StrategyError
            When a hook raised, or when commands went on causing notices for more than 10,000 rounds at one instant.
        """
        self._call("on_start", self.contexts[self.traded[0]])
        self.may_trade = True
        while (instant := self._next_instant()) is not None:
            self._equity_grid(instant)
            self.now = instant
            self._rounds = 0
            self._instant()
        self._end()
        return self._result()

    def _next_instant(self) -> int | None:
        """The next time at which anything happens; None after the timer at the last event's time (O7)."""
        if not self.events:
            return None
        last = self.events[-1][0]
        times = [self._session_end, self._next_timer, self._bus.next_arrival, self._reports.next_told]
        if self._index < len(self.events):
            times.append(self.events[self._index][0])
        if self._late:
            times.append(self._late[0][0])
        return min((t for t in times if t is not None and t <= last), default=None)

    def _instant(self) -> None:
        if self.now == self._session_end:
            self._end_session()
        self._settle()
        while self._late and self._late[0][0] == self.now:
            event = self.events[self._late.popleft()[1]]
            self._show(event)
            self._call_of(event)
            self._settle()
        while self._index < len(self.events) and self.events[self._index][0] == self.now:
            self._index += 1
            self._market_event(self.events[self._index - 1])
        self._apply(self._bus.arrivals(self.now))
        self._settle()
        if self.now == self._next_timer:
            self._next_timer = self.now + self._interval
            if "on_timer" in self._hooks:
                for name in self.traded:
                    self._decisions += 1
                    self._call("on_timer", self.contexts[name])
                self._settle()

    def _market_event(self, event: Event) -> None:
        name, is_quote, values = event[4], event[5], event[6]
        venue, account = self.venues[name], self.accounts[name]
        traded = name in self.traded
        if is_quote:
            venue.quote(*values)
            if venue.valid:
                mid2 = venue.bid.px + venue.ask.px
                if mid2 != account.mid2:
                    account.mark(mid2)
                    self._mids[name].append((self.now, mid2 // venue.tick_units))
        else:
            venue.print(*values)
        if traded:
            account.end_step()
            if self._session_gap is not None:
                self._session_end = self.now + self._session_gap  # the silence starts anew
        self._equity_of_fills()
        visible = event[7] == self.now
        if visible:
            self._show(event)
        self._round(self._reports.due(self.now))
        if visible:
            self._call_of(event)
        self._settle()

    def _show(self, event: Event) -> None:
        """A row becomes visible: the strategy's view changes, and timers start once all books in sight are valid."""
        ts, name, is_quote, values = event[0], event[4], event[5], event[6]
        if is_quote:
            self.views[name].show(self.now, *values)
        else:
            self.views[name].prints.append((self.now, *values))
        if name in self.traded:
            self._session_seen |= not self._session_ends or ts >= self._session_ends[-1]
            ready = self._session_seen and all(self.views[name].valid for name in self.traded)
            if self._interval and self._next_timer is None and ready:
                self._next_timer = self.now

    def _call_of(self, event: Event) -> None:
        ts, name, is_quote, values = event[0], event[4], event[5], event[6]
        if is_quote:
            self._call("on_tob", self.contexts[name])
        else:
            px, qty, side = values
            trade = Trade(ts, name, px / self.venues[name].tick_units, qty, side)
            self._call("on_trade", self.contexts[name], trade)

    # --- sessions (O6) -----------------------------------------------------------------------------------------------

    def _end_session(self) -> None:
        """Live orders and place messages still travelling are cancelled; timers wait for a fresh start."""
        self._session_ends.append(self.now)
        self._session_end = self._next_timer = None
        self._session_seen = False
        self._cancel_all("session")

    def _cancel_all(self, reason: str) -> None:
        self._bus.stop_orders()
        for order in sorted(self.open_orders.values(), key=lambda o: o.id):
            if order.status == "live":
                self.venues[order.instrument].cancel(order, reason)
            elif order.status == "travelling":
                order.status = "cancelled"
                order.waiting_on_bus = False
                self._notice(order, "cancelled", reason)

    # --- commands (O2, O3, A3) ---------------------------------------------------------------------------------------

    def send_place(self, name: str, side: int, px: int, qty: int, kind: str, purpose: str,
                   slot: tuple[int, int] | None = None) -> int:
        """Send an order, of `quote` if it has a slot (side, level); returns its id, which counts from 1 (A7)."""
        order = VenueOrder(len(self.orders) + 1, name, side, px, qty, qty, kind, purpose)
        self.orders[order.id] = self.open_orders[order.id] = order
        self.views[name].sent(order.seen(order.status))
        self._bus.send(self.now, Message("place", order.id, order, name), slot)
        return order.id

    def send_cancel(self, sender: str, order_id: int, slot: tuple[int, int] | None = None) -> None:
        """Send a cancel; one of `quote` has the slot of the order it withdraws."""
        order = self.orders.get(order_id)
        if order is not None:
            order.cancel_sent = True
            self.views[order.instrument].asked[order_id] += 1
        self._bus.send(self.now, Message("cancel", order_id, order, sender), slot)

    def send_replace(self, sender: str, order_id: int, px: int, qty: int) -> None:
        """Send a replace, which travels as long as an order."""
        order = self.orders.get(order_id)
        if order is not None:
            self.views[order.instrument].asked[order_id] += 1
        self._bus.send(self.now, Message("replace", order_id, order, sender, px, qty))

    def _apply(self, messages: list[Message]) -> None:
        """Messages reach the venue one after another, each a step of its own."""
        for message in messages:
            self._arrive(message)
            if message.order is not None:
                self.accounts[message.order.instrument].end_step()
            self._equity_of_fills()

    def _arrive(self, message: Message) -> None:
        self._arrived += 1
        order = message.order
        if order is None:
            unknown = Order(message.order_id, message.sender, 0, 0, 0, 0, "", "", "unknown", message.what)
            self._order_notice(unknown, message.sender)
            return
        venue = self.venues[order.instrument]
        if message.what == "place":
            order.waiting_on_bus = False
            venue.arrive(order)
            self._forget_finished(order)
        elif order.status != "live":
            self._order_notice(order.seen("too_late", message.what), message.sender)
        elif message.what == "cancel":
            venue.cancel(order, "user")
        else:
            venue.replace(order, message.px, message.qty)
            self._forget_finished(order)

    # --- callbacks ---------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Apply what was sent without latency, then tell the strategy what is due, in rounds (O2)."""
        while True:
            self._apply(self._bus.without_latency())
            reports = self._reports.due(self.now)
            if not reports:
                return
            if any(report.hook in self._hooks for report in reports):
                self._rounds += 1
                if self._rounds > MAX_ROUNDS:
                    raise StrategyError(f"more than {MAX_ROUNDS} rounds of commands and their results at {self.now}: "
                                        "a hook answers its own results without end")
            self._round(reports)

    def _round(self, reports: list[Report]) -> None:
        """Everything that is due, in order of occurrence; all of it is known before the first hook is called."""
        for report in reports:
            self.views[report.context].tell(report)
        for report in reports:
            self._call(report.hook, self.contexts[report.context], report.what)

    def _call(self, hook: str, ctx: ReferenceContext, *told: Any) -> None:
        if hook not in self._hooks:
            return
        try:
            getattr(self._strategy, hook)(ctx, *told)
        except Exception as error:
            raise StrategyError(f"{type(self._strategy).__name__}.{hook} raised {type(error).__name__} at event "
                                f"{self._index}, time {self.now}: {error}") from error

    # --- records -----------------------------------------------------------------------------------------------------

    def _notice(self, order: VenueOrder, status: str, reason: str) -> None:
        self._forget_finished(order)
        self._order_notice(order.seen(status, reason), order.instrument)

    def _order_notice(self, seen: Order, context: str) -> None:
        row = seen._asdict()
        self._order_rows.append({"ts": self.now, "order_id": row.pop("id"), **row})
        self._reports.make(self.now, context, seen)

    def _forget_finished(self, order: VenueOrder) -> None:
        if order.status not in ("travelling", "live"):
            self.open_orders.pop(order.id, None)

    def _filled(self, order: VenueOrder, qty: int, px: int, reason: str) -> None:
        """The venue filled `qty` lots of an order at `px` price units."""
        account, venue = self.accounts[order.instrument], self.venues[order.instrument]
        self._forget_finished(order)
        mid2 = None if account.mid2 is None else account.mid2 // venue.tick_units
        units = account.fill(order.side, qty, px, taker=reason == "taker")
        fee: Decimal = account.currency(units)
        ticks = px // venue.tick_units
        row = {"ts": self.now, "instrument": order.instrument, "order_id": order.id, "side": order.side, "px": ticks,
               "qty": qty, "reason": reason, "purpose": order.purpose, "fee": fee, "position": account.position,
               "mid2": mid2, "fee_units": units}
        self._fills.append(row)
        self._filled_in_step.append(order.instrument)
        told = Fill(self.now, order.instrument, order.id, order.side, ticks, qty, reason, order.purpose, fee,
                    order.remaining, account.position)
        self._reports.make(self.now, order.instrument, told, account.cash)

    def _equity_row(self, ts: int, name: str) -> None:
        account = self.accounts[name]
        mid2 = None if account.mid2 is None else account.mid2 // self.venues[name].tick_units
        self._equity.append({"ts": ts, "instrument": name, "position": account.position, "mid2": mid2,
                             "cash": account.currency(account.cash), "fees": account.currency(account.fees),
                             "pnl": account.currency(account.pnl)})

    def _equity_of_fills(self) -> None:
        """One row for each fill of the step, once the step is done (M3)."""
        for name in self._filled_in_step:
            self._equity_row(self.now, name)
        self._filled_in_step.clear()

    def _equity_grid(self, until: int, *, inclusive: bool = False) -> None:
        """Rows of the grid before `until` (or up to it); none strictly inside the silence after a session."""
        silent_from = None
        if self._session_ends and (self._index == 0 or self.events[self._index - 1][0] < self._session_ends[-1]):
            silent_from = self._session_ends[-1]  # no row has come since
        while self._next_equity < until or (inclusive and self._next_equity == until):
            if silent_from is None or self._next_equity <= silent_from:
                for name in self.traded:
                    self._equity_row(self._next_equity, name)
                self._last_grid_row = self._next_equity
            self._next_equity += self._equity_interval

    def _end(self) -> None:
        """Cancel what is left, write the last rows, and let the strategy read (O7)."""
        if self.events:
            self._equity_grid(self.now, inclusive=True)
        self.may_trade = False
        self._cancel_all("end")
        for view in self.views.values():
            view.orders.clear()
        if self.events and self._last_grid_row != self.now:
            for name in self.traded:
                self._equity_row(self.now, name)
        self._call("on_end", self.contexts[self.traded[0]])

    def _result(self) -> ReferenceResult:
        for row in self._fills:
            row |= mark_outs(row["ts"], self._mids[row["instrument"]], self._session_ends, self.now)
        totals: dict[str, dict[str, int | None]] = {}
        for name in self.traded:
            account, venue = self.accounts[name], self.venues[name]
            totals[name] = {
                "position": account.position, "pnl": account.pnl, "spread": account.spread,
                "inventory": account.inventory, "hedge_cost": account.hedge_cost, "fees": account.fees,
                "cash": account.cash,
                "liquidation": account.liquidation(venue.bid.last_px, venue.ask.last_px),
                "liquidation_pnl": account.liquidation_pnl(venue.bid.last_px, venue.ask.last_px),
            }
        return ReferenceResult(self._fills, self._order_rows, self._equity, totals, self._decisions, len(self.events),
                               len(self.events) + self._arrived, self._session_ends, result_hash(self._fills))
