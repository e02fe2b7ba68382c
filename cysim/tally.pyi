from collections.abc import Sequence
from typing import final

from _typeshed import ReadableBuffer

REASONS: int

@final
class FillTally:
    count: int
    def __init__(self, names: Sequence[str], hashed: bool = True) -> None: ...
    @property
    def by_reason(self) -> list[int]: ...
    @property
    def traded_lots(self) -> list[int]: ...
    @property
    def result_hash(self) -> str: ...
    def take(self, rows: ReadableBuffer) -> None: ...
