from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

REASON_CODES: dict[int, str]
TIME_KINDS: tuple[str, ...]
FOLDS: tuple[str, ...]

@final
class Tokenizer:
    line: int
    n: int
    rows: int
    repeated: int
    n_rejects: int
    fatal: int
    def __init__(
        self,
        *,
        tob: bool,
        n_columns: int,
        time: int,
        local_time: int,
        instrument: int,
        values: Sequence[int],
        side: int,
        delimiter: int,
        mark: int,
        accept_unterminated: bool,
        header: bytes,
        offset: int,
        line: int,
        zone_since: NDArray[np.int64],
        zone_offset: NDArray[np.int64],
        fold: str,
        time_kind: str,
        pattern: bytes | None,
        local_time_kind: str,
        local_pattern: bytes | None,
        first_day: int,
        words: Sequence[tuple[bytes, int]],
    ) -> None: ...
    def begin(
        self,
        ts: NDArray[np.int64],
        local_ts: NDArray[np.int64] | None,
        instrument: NDArray[np.int32],
        mantissa: NDArray[np.int64],
        decimals: NDArray[np.int8],
        side: NDArray[np.int8] | None,
        line: NDArray[np.int64],
        offset: NDArray[np.int64],
    ) -> None: ...
    def feed(self, block: bytes, final: bool) -> None: ...
    def fill(self) -> bool: ...
    def rejected(self, cap: int) -> list[tuple[int, int, str, int, bytes]]: ...
    def names(self, known: int) -> list[str]: ...
    @property
    def time_kind(self) -> str | None: ...
    @property
    def local_time_kind(self) -> str | None: ...
    @property
    def name_count(self) -> int: ...
