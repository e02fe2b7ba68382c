"""When a training judges what it has learned, and when it gives up."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ScheduleOptions"]


class ScheduleOptions(BaseModel):
    """Validation and early stop; needs days to validate on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    validations: int = Field(20, ge=1, lt=10**6, description="times that the model is judged on the validation days")
    patience: int | None = Field(
        10, ge=1, description="validations without a better model after which training ends; none: it never does")
