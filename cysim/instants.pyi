from typing import final

from cysim.native import NativeStrategy

@final
class Instants(NativeStrategy):
    def __len__(self) -> int: ...
    def rows(self) -> bytes: ...
