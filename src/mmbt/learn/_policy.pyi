from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

class Decision(NamedTuple):
    action: int
    values: NDArray[np.float32]
    admissible: NDArray[np.bool_]
    inputs: NDArray[np.float32]

@final
class Policy:
    def __new__(
        cls,
        layers: Sequence[NDArray[np.float32]],
        actions: NDArray[np.float64],
        *,
        mean: Sequence[float],
        scale: Sequence[float],
        private: int,
        max_position: int,
        unit: Literal["spread", "tick"],
        under_way: NDArray[np.float32] | None = None,
        delay: int = 0,
    ) -> Self: ...
    def decide(
        self, features: NDArray[np.float64], bid: float, ask: float, position: int, price_limit: int
    ) -> tuple[Any, Any, int, int]: ...
    def last(self) -> Decision: ...
