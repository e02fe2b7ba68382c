"""The way of commands to the venue (A3, O3): those without latency wait until the hooks are done, the others travel."""

from __future__ import annotations

import heapq

from mmbt.testing.reference.clocks import Tally
from mmbt.testing.reference.delays import CANCEL, PLACE, delay
from mmbt.testing.reference.things import Message

__all__ = ["Bus"]

NO_SLOT = 2**20  # keys of the delays of commands that are not of `quote` count from here


class Bus:
    """The queue of this instant, and all that travels.

    Parameters
    ----------
    place_latency, cancel_latency
        In ns or as text; a replace takes as long as a place.
    seed
        Of the draws.
    """

    def __init__(self, place_latency: int | str, cancel_latency: int | str, seed: int) -> None:
        place = delay(place_latency, seed, PLACE)
        self._delays = {"place": place, "replace": place, "cancel": delay(cancel_latency, seed, CANCEL)}
        self._queue: list[Message] = []
        self._travelling: list[tuple[int, int, Message]] = []  # (arrival, send sequence, message)
        self._sent = 0
        self._without_slot = Tally()

    def send(self, now: int, message: Message, slot: tuple[int, int] | None = None) -> None:
        """Take a command; one of `quote` has the slot (side, level) of the order it places or withdraws."""
        self._sent += 1
        order = message.order
        arrival = now + self._delays[message.what].of(now, self._key(now, slot))
        if message.what == "place" and order is not None:
            order.arrival, order.waiting_on_bus = arrival, arrival > now
        if order is not None and order.waiting_on_bus:  # nothing overtakes the order it is for
            heapq.heappush(self._travelling, (max(arrival, order.arrival), self._sent, message))
        elif arrival > now:
            heapq.heappush(self._travelling, (arrival, self._sent, message))
        else:
            self._queue.append(message)

    def _key(self, now: int, slot: tuple[int, int] | None) -> int:
        """What tells a command's delay from those of the others of its instant."""
        if slot is None:
            return NO_SLOT + self._without_slot.before(now)
        side, level = slot
        return 2 * level + (side < 0)

    def without_latency(self) -> list[Message]:
        """Hands over what was sent without latency, in the order sent."""
        queue, self._queue = self._queue, []
        return queue

    def arrivals(self, now: int) -> list[Message]:
        """Hands over what arrives now, by (arrival, order of sending)."""
        arrived = []
        while self._travelling and self._travelling[0][0] == now:
            arrived.append(heapq.heappop(self._travelling)[2])
        return arrived

    @property
    def next_arrival(self) -> int | None:
        """When the next one arrives."""
        return self._travelling[0][0] if self._travelling else None

    def stop_orders(self) -> None:
        """The orders under way are gone; cancels and replaces still arrive (O6)."""
        self._travelling = [entry for entry in self._travelling if entry[2].what != "place"]
        heapq.heapify(self._travelling)
