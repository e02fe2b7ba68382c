from collections.abc import Sequence
from typing import Any, final

from cysim.columns import Table
from cysim.simulator import Simulator

@final
class VectorEngine:
    @property
    def count(self) -> int: ...
    @property
    def action_count(self) -> int: ...
    @property
    def threads(self) -> int: ...
    def __init__(
        self,
        template: Simulator,
        tables: Sequence[tuple[Table | Sequence[Any], Table | Sequence[Any]]],
        actions: Any,
        *,
        count: int,
        size: int = 1,
        max_position: int | None = None,
        unit: str = "spread",
        threads: int = 1,
    ) -> None: ...
    def reset(self, indices: Any, start_ts: Any, end_ts: Any) -> None: ...
    def step(self, actions: Any, pnl: Any, held: Any, ts: Any, position: Any, done: Any) -> None: ...
    def step_all(self, pnl: Any, held: Any, ts: Any, position: Any, done: Any, admissible: Any) -> None: ...
