from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

class ForwardPass:
    @property
    def inputs(self) -> int: ...
    @property
    def actions(self) -> int: ...
    def __new__(cls, layers: Sequence[NDArray[np.float32]]) -> Self: ...
    def values(self, states: NDArray[np.float32]) -> NDArray[np.float32]: ...
    def decide(self, state: NDArray[np.float32], admissible: NDArray[np.uint8 | np.bool_]) -> int: ...
    def act(
        self,
        market: NDArray[np.float32],
        private: NDArray[np.float32],
        admissible: NDArray[np.uint8],
        actions: NDArray[np.int16],
        *,
        epsilon: float = 0.0,
        seed: int = 0,
        step: int = 0,
    ) -> None: ...
