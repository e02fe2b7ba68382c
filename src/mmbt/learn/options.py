"""What a learner may be told: every option with its meaning, its bounds and the default that measured best."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["LearnerOptions"]

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, lt=2**40)]
Width = Annotated[int, Field(ge=1, le=4096)]


class LearnerOptions(BaseModel):
    """Options of the deep Q-learner; they are stored with every model and checkpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0, lt=2**63, description="of weights, sampling and exploration")

    # How much
    steps: Count = Field(1_000_000, description="steps of all markets together before learning ends")
    ratio: float = Field(4.0, ge=0.001, le=1024, description="intervals learned per step, at least")
    batch: int = Field(256, ge=1, le=65536, description="intervals in a gradient step")
    updates: int = Field(32, ge=1, le=256, description="gradient steps in one compiled call")
    learn_start: Count = Field(20_000, description="steps by random actions before the first gradient step")
    capacity: Count = Field(200_000, description="intervals the replay holds")
    relabel: float = Field(0.5, ge=0, lt=1, description="share of the intervals that a world gives other inventories")

    # Network
    layers: tuple[Width, ...] = Field((64, 64), max_length=8, description="hidden layers, widths")
    dueling: bool = Field(False, description="a value and an advantage head instead of one head")
    quantiles: int = Field(0, ge=0, le=256, description="quantiles of the return an action; 0 learns its mean only")
    noisy: bool = Field(False, description="explore by noise in the weights of the heads instead of epsilon")

    # Targets
    backup: Literal["all", "taken"] = Field("all", description="back up every admissible action, or the one taken")
    double: bool = Field(True, description="choose the next action by the online network, value it by the target's")
    n_step: int = Field(1, ge=1, le=64, description="steps of reward before the bootstrap; needs backup = taken")
    target: Literal["polyak", "periodic"] = Field("polyak", description="how the target network follows the online one")
    target_rate: float = Field(0.01, gt=0, le=1, description="of a polyak target, a gradient step")
    target_period: Count = Field(500, description="gradient steps between copies to a periodic target")
    centering: bool = Field(True, description="subtract the mean reward earned during warm-up, frozen after it")
    centering_share: Share = Field(0.1, description="share of the gradient steps that are warm-up")

    # Gradient steps
    loss: Literal["squared", "huber"] = Field("squared", description="huber clips at 1: wrong where rewards are skewed")
    shared_weight: float = Field(1.0, gt=0, le=1, description="most weight of the error that all actions share")
    balance: bool = Field(True, description="weigh the parts of that error by their noise, each at most so much")
    learning_rate: float = Field(2e-3, gt=0, le=1, description="of Adam, at the start")
    learning_rate_end: Share = Field(0.01, description="share of it that is left at the end")
    decay: Literal["linear", "cosine", "none"] = Field("cosine", description="how the learning rate falls between")
    clip_norm: float = Field(10.0, ge=0, allow_inf_nan=False, description="largest norm of a gradient; 0 for no limit")
    average_rate: float = Field(0.001, gt=0, le=1, description="how fast the averaged weights, the result, follow")

    # Exploration
    epsilon_start: Share = Field(0.2, description="share of random actions at the first gradient step")
    epsilon_end: Share = Field(0.1, description="share of them when the schedule ends")
    epsilon_share: Share = Field(0.2, description="share of the steps over which it falls")

    # Which intervals
    prioritized: bool = Field(False, description="sample in proportion to priority = mean |TD error| ** alpha")
    alpha: Share = Field(0.6, description="0 is uniform")
    beta_start: Share = Field(0.4, description="correction of the sampling bias at the start; 1 corrects it whole")
    beta_end: Share = Field(1.0, description="the same at the end")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.n_step > 1 and self.backup == "all":
            raise ValueError("n_step: more than one step needs backup = taken, for only that action's path is known")
        if self.capacity <= self.learn_start:
            raise ValueError("capacity: the replay must hold more than learn_start intervals")
        if self.quantiles and self.loss == "huber":
            raise ValueError("loss: huber is not used with quantiles")
        return self
