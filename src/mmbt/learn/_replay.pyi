from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmbt.envs.world import Intervals

class Replay:
    def __init__(
        self,
        market: int,
        private: int,
        actions: int,
        outcomes: int,
        capacity: int,
        *,
        taken: bool = False,
        n_step: int = 1,
        alpha: float = 0.0,
        group: int = 1,
    ) -> None: ...
    @property
    def market_width(self) -> int: ...
    @property
    def private_width(self) -> int: ...
    @property
    def actions(self) -> int: ...
    @property
    def outcomes(self) -> int: ...
    @property
    def n_step(self) -> int: ...
    @property
    def taken(self) -> bool: ...
    @property
    def group(self) -> int: ...
    @property
    def alpha(self) -> float: ...
    @property
    def capacity(self) -> int: ...
    @property
    def written(self) -> int: ...
    @property
    def committed(self) -> int: ...
    @property
    def reserved(self) -> int: ...
    def __len__(self) -> int: ...
    def reserve(self, rows: int) -> None: ...
    def push(self, intervals: Intervals, behaved: int) -> None: ...
    def commit(self) -> None: ...
    def sample(
        self,
        seed: int,
        update: int,
        slots: NDArray[np.int64],
        weights: NDArray[np.float32],
        batch: int,
        beta: float = 1.0,
    ) -> None: ...
    def set_priorities(self, slots: NDArray[np.int64], priorities: NDArray[np.float32]) -> None: ...
    def gather(
        self,
        slots: NDArray[np.int64],
        state: NDArray[np.float32],
        mask: NDArray[np.uint8],
        action: NDArray[np.int32],
        reward: NDArray[np.float32],
        mass: NDArray[np.float32],
        outcome: NDArray[np.uint8],
        next_state: NDArray[np.float32],
        next_mask: NDArray[np.uint8],
        discount: NDArray[np.float32],
    ) -> None: ...
    def state(self) -> dict[str, NDArray[Any]]: ...
    def restore(self, state: Mapping[str, NDArray[Any]]) -> None: ...
