from typing import final

from cysim.native import NativeStrategy

@final
class Quoter(NativeStrategy):
    def __init__(
        self,
        half_spread_ticks: float,
        skew_ticks_per_lot: float = 0.0,
        size: int = 1,
        max_position: int | None = None,
        levels: int = 1,
        step_ticks: float = 1.0,
    ) -> None: ...
