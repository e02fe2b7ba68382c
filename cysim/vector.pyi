from typing import final
