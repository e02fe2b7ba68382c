"""What this build of the machine is."""

from cysim.recorder cimport EquityRow, FillRow, OrderRow

cdef extern from *:
    """
    #ifndef MMBT_BUILD
    #define MMBT_BUILD "unknown"
    #endif
    """
    const char* MMBT_BUILD


def build_info():
    """How this machine was built: mode (release, debug, trace, asan) and the sizes of its recorded rows in bytes."""
    return {
        "mode": MMBT_BUILD.decode(),
        "fill_row": sizeof(FillRow),
        "order_row": sizeof(OrderRow),
        "equity_row": sizeof(EquityRow),
    }
