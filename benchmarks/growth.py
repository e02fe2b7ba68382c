"""Whether an event costs more the longer a run goes on: instructions an event, at first and ten times later.

    python -m benchmarks.growth [CASE]...

| case       | what runs                                                                       |
|------------|---------------------------------------------------------------------------------|
| `idle`     | a strategy without hooks                                                        |
| `quotes`   | the built-in `fixed-spread`, both quotes every 100 ms                           |
| `replaced` | the same from Python: every quote that moves leaves an order behind             |
| `churn`    | on every quote a new order far from the market, and a cancel of the one before  |

A stretch of the pinned stream comes again and again, so that all laps ask for the same work. Callgrind counts runs of
n, 2n, 10n and 11n laps: the second n against the last n. What grows with the past, orders above all, shows there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.instructions import replay_marked, under_callgrind
from mmbt.strategies import Strategy

if TYPE_CHECKING:
    from benchmarks.stream import Stream
    from cysim import Context

__all__ = ["CASES", "growth", "repeated", "strategy"]

CASES = {"idle": 20, "quotes": 10, "replaced": 5, "churn": 2}  # n: rows are flushed in lots, which must average out
LAP = 10_000  # events
TIMES = (1, 2, 10, 11)


class Replaced(Strategy):
    """Quotes a tick beyond the touch, whatever its position is: the same orders in every lap."""

    interval = "100ms"

    def on_timer(self, ctx: Context) -> None:
        """State both quotes."""
        if ctx.valid:
            ctx.quote(bid=ctx.bid - 1, ask=ctx.ask + 1)


class Churn(Strategy):
    """One order that never fills, thrown away and sent again on every quote."""

    last_id = 0

    def on_tob(self, ctx: Context) -> None:
        """Cancel the last one, place the next."""
        if self.last_id:
            ctx.cancel(self.last_id)
        self.last_id = ctx.place("buy", 1)


def strategy(case: str) -> Strategy:
    """The strategy of a case."""
    from mmbt.strategies.fixed_spread import FixedSpread

    makers: dict[str, Any] = {"idle": Strategy, "quotes": lambda: FixedSpread(half_spread_ticks=0.5),
                              "replaced": Replaced, "churn": Churn}
    made: Strategy = makers[case]()
    return made


def repeated(stream: Stream, laps: int) -> Stream:
    """The stream that many times, laps begin at whole seconds: timers meet the same rows in each."""
    length = int(max(stream.tob.ts[-1], stream.trades.ts[-1]) - min(stream.tob.ts[0], stream.trades.ts[0]))
    lap_ns = (length // 10**9 + 2) * 10**9

    def laid_out(table: Any) -> Any:
        later = np.repeat(np.arange(laps, dtype=np.int64) * lap_ns, len(table.ts))
        columns = {name: np.tile(column, laps) for name, column in table._asdict().items() if column is not None}
        return type(table)(**columns | {"ts": columns["ts"] + later})

    return type(stream)(stream.instrument, laid_out(stream.tob), laid_out(stream.trades))


def growth(cases: Iterable[str] = CASES) -> dict[str, tuple[float, float]]:
    """For each case instructions an event in the second lap and in the last.

    Raises
    ------
    RuntimeError
        When valgrind is missing or fails.
    """
    replayed, parts = under_callgrind("benchmarks.growth", "--marked", *cases)
    found = {}
    for place, (case, events) in enumerate(replayed.items()):
        counts = parts[2 * len(TIMES) * place + 1 : 2 * len(TIMES) * (place + 1) : 2]  # the others lie between runs
        found[case] = tuple((counts[k + 1] - counts[k]) / (events[k + 1] - events[k]) for k in (0, 2))
    return found


def main() -> None:
    """Print the table; under callgrind, be what is counted."""
    marked, cases = "--marked" in sys.argv[1:], [word for word in sys.argv[1:] if word != "--marked"] or list(CASES)
    if unknown := [case for case in cases if case not in CASES]:
        raise SystemExit(f"no case {unknown[0]!r}: there are {', '.join(CASES)}")
    if not marked:
        for case, (early, late) in growth(cases).items():
            change = late / early - 1
            print(f"{case:8} {early:10.1f} instructions an event at first, {late:10.1f} later ({change:+.2%})")
        return
    from benchmarks import ours
    from benchmarks.stream import generate

    lap = generate(LAP)
    tapes = {laps: repeated(lap, laps) for laps in {CASES[case] * times for case in cases for times in TIMES}}

    def run(case: str, times: int) -> int:
        return int(ours.replay(tapes[CASES[case] * times].market, strategy(case))["events"])

    print(json.dumps(replay_marked(cases, run, TIMES)))


if __name__ == "__main__":
    main()
