from typing import final

import numpy as np
from numpy.typing import NDArray

from mmbt.envs.sampled import Law, Place, Scratch
from mmbt.envs.world import Intervals, Observation

@final
class Sampler:
    def __init__(self, law: Law, place: Place, seen: Observation, learned: Intervals, scratch: Scratch) -> None: ...
    def observe(self) -> None: ...
    def step(self, actions: NDArray[np.int16], seed: int, step: int) -> int: ...
