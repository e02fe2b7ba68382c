"""The recorded rows as NumPy dtypes: the structs of recorder.pxd and of instants.pyx, field by field."""

__all__ = ["EQUITY_DTYPE", "FILL_DTYPE", "INSTANT_DTYPE", "ORDER_DTYPE"]

FILL_DTYPE = [
    ("ts", "<i8"), ("order_id", "<i8"), ("px", "<i8"), ("qty", "<i8"), ("remaining", "<i8"), ("position", "<i8"),
    ("mid2", "<i8"), ("mid2_100ms", "<i8"), ("mid2_1s", "<i8"), ("mid2_10s", "<i8"), ("mid2_60s", "<i8"),
    ("fee_low", "<u8"), ("fee_high", "<i8"), ("instrument", "<i4"), ("side", "i1"), ("reason", "i1"), ("purpose", "i1"),
    ("_padding", "i1"),
]
ORDER_DTYPE = [
    ("ts", "<i8"), ("order_id", "<i8"), ("px", "<i8"), ("qty", "<i8"), ("remaining", "<i8"), ("instrument", "<i4"),
    ("side", "i1"), ("kind", "i1"), ("purpose", "i1"), ("status", "i1"), ("reason", "i1"), ("_padding", "V7"),
]
EQUITY_DTYPE = [
    ("ts", "<i8"), ("position", "<i8"), ("mid2", "<i8"), ("cash_low", "<u8"), ("cash_high", "<i8"), ("fees_low", "<u8"),
    ("fees_high", "<i8"), ("pnl_low", "<u8"), ("pnl_high", "<i8"), ("instrument", "<i4"), ("_padding", "<i4"),
]
INSTANT_DTYPE = [
    ("ts", "<i8"), ("valid", "<i8"), ("mid", "<f8"), ("reference_spread", "<f8"), ("features", "<f8", (17,)),
]
