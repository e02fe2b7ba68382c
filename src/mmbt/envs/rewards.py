"""What an interval is worth to a learner: its PnL, less what the risk that was run costs.

In units of the reference spread x the smallest quote, frozen from the training days. Q is the position in such quotes,
T the length of the interval in reference intervals, Q dM what holding the position earned while the mid moved.

| kind          | reward                                                            |
|---------------|-------------------------------------------------------------------|
| `pnl`         | dPnL                                                              |
| `pnl_risk`    | dPnL - r T (time average of |Q|) sqrt(omega)                      |
| `quadratic`   | dPnL - r T (time average of |Q|)^2 omega                          |
| `asym_damped` | dPnL - eta max(0, Q dM), Spooner et al. 2018                      |

`pnl_risk` charges (Q' Omega Q)^u with u = 1/2 of a single instrument; omega is 1, or the variance of the mid in a
reference interval, in squared spreads. The end of a day pays for closing the position at the opposite touch.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Earned", "RewardRule"]

Floats = NDArray[np.float64]


class Earned(NamedTuple):
    """Of intervals and actions, in arrays of one shape."""

    pnl: Floats  # money units
    inventory: Floats  # of these, by holding the position while the mid moved
    closing: Floats  # money units, paid where a day ends
    held: Floats  # |position| x time, lots x ns
    duration: Floats  # ns


class RewardRule(BaseModel):
    """How a learner is paid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pnl", "pnl_risk", "quadratic", "asym_damped"] = Field(
        "pnl_risk", description="what is paid, and what risk costs")
    r: float = Field(0.02, ge=0, allow_inf_nan=False, description="price of risk, a reference interval")
    eta: float = Field(0.5, ge=0, le=1, description="share of lucky inventory gains that is taken away")
    omega: Literal["one", "variance"] = Field("one", description="what a lot's risk is measured by")

    def reward(self, earned: Earned, *, money: float, lots: float, interval_ns: float, variance: float) -> Floats:
        """Rewards of intervals.

        Parameters
        ----------
        earned
            What happened.
        money
            Money units in a reference spread x the smallest quote.
        lots
            Of the smallest quote.
        interval_ns
            The reference interval.
        variance
            Of the mid in a reference interval, squared spreads.
        """
        paid: Floats = (earned.pnl - earned.closing) / money
        omega = variance if self.omega == "variance" else 1.0
        if self.kind == "pnl_risk":
            paid -= (self.r * omega**0.5 / (lots * interval_ns)) * earned.held
        if self.kind == "quadratic":
            mean = earned.held / (lots * np.maximum(earned.duration, 1.0))
            paid -= self.r * omega / interval_ns * mean**2 * earned.duration
        if self.kind == "asym_damped":
            paid -= self.eta / money * np.maximum(earned.inventory, 0.0)
        return paid
