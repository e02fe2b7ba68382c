from collections.abc import Callable, Sequence
from typing import Any, final

_Leg = tuple[str, str | float, str | float, bool, bool, int]

@final
class Comparison:
    def __init__(
        self,
        legs: Sequence[_Leg],
        direct: _Leg | None = None,
        *,
        max_age: int | None = None,
        interval: int = 1_000_000_000,
        session_gap: int | None = None,
    ) -> None: ...
    def run(
        self, feed: Callable[[str], Sequence[Any] | None], progress: Callable[[int], object] | None = None
    ) -> None: ...
    def result(self) -> dict[str, Any]: ...
