"""Nothing here is for Python: see senses.pxd."""

from cysim.feature_names import FEATURES as FEATURES
