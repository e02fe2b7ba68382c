from collections.abc import Sequence
from typing import Any, Literal, final

@final
class Table:
    columns: tuple[Any, ...]
    def __init__(
        self, instrument: str, kind: Literal["tob", "trades"], columns: Sequence[Any], tick_units: int = 1
    ) -> None: ...
    def __len__(self) -> int: ...
