from collections.abc import Sequence
from typing import Any, final

from cysim.columns import Table
from cysim.feature_names import PRIVATE_FEATURES as PRIVATE_FEATURES
from cysim.simulator import Simulator

_Tables = Sequence[tuple[Table | Sequence[Any], Table | Sequence[Any]]]

@final
class VectorEngine:
    @property
    def count(self) -> int: ...
    @property
    def action_count(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def market_count(self) -> int: ...
    def __init__(
        self,
        template: Simulator,
        tables: _Tables,
        actions: Any,
        *,
        count: int,
        size: int = 1,
        max_position: int | None = None,
        unit: str = "spread",
        threads: int = 1,
        more: Sequence[tuple[Simulator, _Tables]] = (),
        tapes: Sequence[tuple[Any, Any]] = (),
        private: Sequence[str] = (),
    ) -> None: ...
    def reset(
        self, indices: Any, start_ts: Any, end_ts: Any, *, markets: Any = None, positions: Any = None
    ) -> None: ...
    def step(
        self, actions: Any, pnl: Any, held: Any, ts: Any, position: Any, done: Any, *, inventory: Any = None,
        closing: Any = None,
    ) -> None: ...
    def step_all(
        self, pnl: Any, held: Any, ts: Any, position: Any, done: Any, admissible: Any, *, inventory: Any = None,
        closing: Any = None, row: Any = None, private: Any = None, outcome: Any = None, next_admissible: Any = None,
    ) -> None: ...
    def observe(self, row: Any, private: Any, admissible: Any) -> None: ...
