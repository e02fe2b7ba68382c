"""The machine: market events in, fills out. No files, no pandas, no clock; `mmbt` is the face people use."""

from pathlib import Path

from cysim.build import build_info
from cysim.columns import Table
from cysim.comparison import Comparison
from cysim.context import Context
from cysim.delays import Latency
from cysim.feature_names import FEATURES, MARKET_FEATURES, PRIVATE_FEATURES, Feature
from cysim.features import FeatureState
from cysim.hooks import HOOKS
from cysim.instants import Instants
from cysim.native import NativeStrategy
from cysim.quoter import Quoter
from cysim.rows import EQUITY_DTYPE, FILL_DTYPE, INSTANT_DTYPE, ORDER_DTYPE
from cysim.sight import Synthetic
from cysim.simulator import Simulator
from cysim.synthetic import SyntheticBook
from cysim.tally import FillTally
from cysim.vector import VectorEngine
from cysim.views import Fill, Order, Trade

__all__ = [
    "EQUITY_DTYPE",
    "FEATURES",
    "FILL_DTYPE",
    "HOOKS",
    "INSTANT_DTYPE",
    "MARKET_FEATURES",
    "ORDER_DTYPE",
    "PRIVATE_FEATURES",
    "Comparison",
    "Context",
    "Feature",
    "FeatureState",
    "Fill",
    "FillTally",
    "Instants",
    "Latency",
    "NativeStrategy",
    "Order",
    "Quoter",
    "Simulator",
    "Synthetic",
    "SyntheticBook",
    "Table",
    "Trade",
    "VectorEngine",
    "build_info",
    "get_include",
]


def get_include() -> str:
    """The folder to give Cython as an include path, so that it finds what native strategies cimport from `cysim`.

    It is right wherever mmbt lies. An editable installation is found by Python alone, not by Cython, which needs it.

    Returns
    -------
    str
        For `cythonize(..., include_path=[cysim.get_include()])`, or `cython -I`.
    """
    return str(Path(__file__).resolve().parent.parent)
