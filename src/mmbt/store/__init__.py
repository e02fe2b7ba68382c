"""The store: raw data converted once, read many times.

`convert` makes a store or adds to it, `open_store` opens one, `Catalog.select` gives the engine its market data, from
Parquet or, with `hot=True`, from mapped files that are made once.
"""

from mmbt.store.catalog import Catalog, InstrumentSummary, open_store
from mmbt.store.convert import ConvertOptions, Progress, convert
from mmbt.store.hotcache import HotCache
from mmbt.store.hotmarket import HotMarket
from mmbt.store.market import StoreMarket
from mmbt.store.report import ConvertReport

__all__ = [
    "Catalog",
    "ConvertOptions",
    "ConvertReport",
    "HotCache",
    "HotMarket",
    "InstrumentSummary",
    "Progress",
    "StoreMarket",
    "convert",
    "open_store",
]
