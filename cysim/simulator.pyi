from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, final

from cysim.delays import Latency
from cysim.native import NativeStrategy

_Instrument = tuple[str, str, str, Decimal, int, bool, int]

QUEUES: tuple[str, ...]

class _Sink(Protocol):
    def fills(self, raw: bytes, /) -> None: ...
    def orders(self, raw: bytes, /) -> None: ...
    def equity(self, raw: bytes, /) -> None: ...

@final
class Simulator:
    @property
    def failed_hook(self) -> str | None: ...
    def __init__(
        self,
        instruments: Sequence[_Instrument],
        *,
        inverse: Collection[str] = (),
        cross_touch: bool = False,
        trade_touch: bool = False,
        ignore_aggressor: bool = False,
        displayed: bool = False,
        queue: str | None = None,
        power: float = 2.0,
        maker_rate: int = 0,
        taker_rate: int = 0,
        maker_amounts: tuple[Decimal | int, Decimal | int] = (0, 0),
        taker_amounts: tuple[Decimal | int, Decimal | int] = (0, 0),
        other_currency: bool = False,
        place_latency: int | Latency = 0,
        cancel_latency: int | Latency = 0,
        response_latency: int | Latency = 0,
        feed_latency: int | Latency | str = 0,
        session_gap: int | None = 3_600_000_000_000,
        interval: int = 0,
        equity_interval: int = 1_000_000_000,
        quotes_first: bool = False,
    ) -> None: ...
    def run(
        self,
        hooks: Mapping[str, Callable[..., object]],
        feed: Callable[[str, str], Sequence[Any] | None],
        sink: _Sink,
        native: NativeStrategy | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> None: ...
    def summary(self) -> dict[str, Any]: ...
