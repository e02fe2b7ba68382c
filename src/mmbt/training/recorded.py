"""Days of a store as a world to learn in, with other days to choose by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mmbt.backtest import BacktestConfig
from mmbt.envs.days import Day, prepare_day
from mmbt.envs.market import MarketWorld
from mmbt.envs.split import Piece, Split, split_days
from mmbt.envs.validation import Validation
from mmbt.errors import UsageError
from mmbt.store import Catalog, HotCache
from mmbt.training.settings import Settings

__all__ = ["Recorded", "RecordedData"]

Dates = tuple[str | None, str | None]


@dataclass(frozen=True)
class Recorded:
    """What a training on a store learns in and is judged by."""

    world: MarketWorld
    validation: Validation | None


class RecordedData:
    """The days of one instrument, split, before anything is read.

    Parameters
    ----------
    catalog
        The store.
    config
        The conditions of a backtest, with one instrument.
    names
        All instruments to read: that one, and those that are watched.
    settings
        Of a recorded market.
    dates
        First and last day to use, both included; None for all.
    hot
        Read from the hot store.

    Raises
    ------
    UsageError
        For an unknown instrument, or days that cannot be split as wanted.
    """

    def __init__(
        self, catalog: Catalog, config: BacktestConfig, names: Sequence[str], settings: Settings,
        dates: Dates | None = None, hot: HotCache | bool = False,
    ) -> None:
        self._catalog, self._config, self._settings, self._hot = catalog, config, settings, hot
        name = config.instruments[0]
        catalog.instrument(name)
        self._names = names
        self.split: Split = split_days(self._spans(name, dates or (None, None)), settings.split)
        used = {piece.date for part in (self.split.train, self.split.validation) for piece in part}
        self.inputs = sorted(
            ({"path": str(catalog.root / part.path), "sha256": part.sha256, "rows": part.rows}
             for part in catalog.manifest.partitions if part.instrument in self._names and part.date in used),
            key=lambda each: str(each["path"]))

    def describe(self) -> dict[str, Any]:
        """The split for a manifest, with times that people read."""
        told: dict[str, Any] = {"kind": self.split.kind, "embargo_s": self._settings.split.embargo / 1e9}
        for name, part in self.split.parts.items():
            told[name] = [{"date": piece.date, "from": _iso(piece.start), "to": _iso(piece.end), "from_ts": piece.start,
                           "to_ts": piece.end} for piece in part]
        return told

    def prepare(self, threads: int = 1, told: Callable[[int, int, str], None] = lambda *_: None) -> Recorded:
        """Read the days and make them ready; `told` hears how many are, of how many, and which is next."""
        settings, config = self._settings, self._config
        pieces = [*self.split.train, *self.split.validation]
        days: list[Day] = []
        for piece in pieces:
            told(len(days), len(pieces), piece.date)
            days.append(self._day(piece))
        train, judged = days[: len(self.split.train)], days[len(self.split.train) :]
        learner = settings.learner
        world = MarketWorld(
            train, config, settings.options, n=settings.markets, backup=learner.backup, threads=threads,
            relabel=learner.relabel if learner.backup == "all" else 0.0)
        validation = Validation(
            judged, config, settings.options, world.frozen, longest=settings.validation_window, threads=threads,
        ) if judged else None
        return Recorded(world, validation)

    def _day(self, piece: Piece) -> Day:
        local = self._config.feed_latency == "local"
        with self._catalog.select(
            self._names, (piece.date, piece.date), piece.start, piece.end, local=local, hot=self._hot
        ) as market:
            try:
                return prepare_day(market, self._config, self._settings.options.interval)
            except UsageError as error:
                raise UsageError(f"{piece.date} from {_iso(piece.start)}: {error}") from error

    def _spans(self, name: str, dates: Dates) -> dict[str, tuple[int, int]]:
        first, last = dates
        spans: dict[str, tuple[int, int]] = {}
        for part in self._catalog.manifest.partitions:
            if part.instrument != name or (first and part.date < first) or (last and part.date > last):
                continue
            low, high = spans.get(part.date, (part.first_ts, part.last_ts))
            spans[part.date] = (min(low, part.first_ts), max(high, part.last_ts))
        if not spans:
            raise UsageError(f"{name}: no day in that time")
        return spans


def _iso(ts: int) -> str:
    return datetime.fromtimestamp(ts // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
