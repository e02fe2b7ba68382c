"""The loop: overlap, resumption, and that it learns."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from mmbt.envs.base_model import BaseModelWorld
from mmbt.envs.exact_market import ExactMarketWorld
from mmbt.errors import UsageError
from mmbt.exact_models import BaseModelParams, ExactMarketParams
from mmbt.learn._forward import ForwardPass
from mmbt.learn.options import LearnerOptions
from mmbt.learn.training import Barrier, DivergedError, Trainer
from mmbt.theory.base_model import BaseModel
from mmbt.theory.exact_market import ExactMarket

SMALL: dict[str, Any] = {
    "steps": 1000, "learn_start": 150, "capacity": 2000, "batch": 32, "updates": 4, "layers": (16,), "seed": 3}


def trainer(overlap: bool = True, n: int = 16, delay: int = 0, **options: Any) -> Trainer:
    chosen = LearnerOptions(**SMALL | options)
    world = ExactMarketWorld(ExactMarketParams(delay=delay, q_max=3), n=n, relabel=chosen.relabel)
    return Trainer(world, chosen, overlap=overlap)


def bits(learner: Trainer) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in learner.state().items()}


def same_for_all(barrier: Barrier) -> tuple[Any, ...]:
    """What a barrier tells but for the seconds."""
    return tuple(repr(value) for value in barrier[: Barrier._fields.index("learn_seconds")])


KINDS = [
    {"prioritized": True, "epsilon_start": 0.5, "ratio": 10.0}, {"noisy": True, "dueling": True, "quantiles": 3},
    {"backup": "taken", "n_step": 3, "prioritized": True, "delay": 1},
]


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_overlap_changes_nothing_and_a_state_goes_on_bit_for_bit(options: dict[str, Any]) -> None:
    with trainer(**options) as beside, trainer(overlap=False, **options) as alone, trainer(**options) as late:
        told = [[same_for_all(barrier) for barrier in itertools.islice(each.run(), 8)] for each in (beside, alone)]
        assert told[0] == told[1]
        late.restore({name: array.copy() for name, array in beside.state().items()})
        assert bits(late) == bits(beside) == bits(alone)
        rest = [[same_for_all(barrier) for barrier in itertools.islice(each.run(), 3)] for each in (beside, late)]
        assert rest[0] == rest[1]
        assert bits(late) == bits(beside)


@pytest.mark.parametrize("ratio", [0.5, 10.0])
def test_every_step_is_made_and_at_least_the_ratio_is_learned(ratio: float) -> None:
    with trainer(ratio=ratio) as learner:
        first = learner.advance()
        while first.gradient_steps == 0:
            first = learner.advance()
        last = list(learner.run())[-1]
    assert last.steps >= 1000
    assert (last.learned - first.learned) / (last.steps - first.steps) >= ratio
    assert last.gradient_steps == learner.agent.gradient_steps == last.learned // 32


def test_epsilon_falls_and_warm_up_is_random() -> None:
    with trainer(epsilon_start=0.8, epsilon_end=0.2, epsilon_share=0.5) as learner:
        told = [(barrier.gradient_steps, barrier.epsilon) for barrier in learner.run()]
    assert told[0] == (0, 1.0)
    falling = [epsilon for steps, epsilon in told if steps]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] < 0.8
    assert falling[-1] == pytest.approx(0.2)


def test_the_centre_is_frozen_after_warm_up() -> None:
    with trainer(centering_share=0.3) as learner, trainer(centering=False) as other:
        centres = [barrier.centre for barrier in learner.run()]
        assert {barrier.centre for barrier in other.run()} == {0.0}
    assert len(set(centres[: len(centres) // 4])) > 2
    assert len(set(centres[len(centres) // 2 :])) == 1
    assert centres[-1] > 0.1


def test_a_loss_that_is_no_number_stops_with_its_batch() -> None:
    with trainer() as learner:
        while not learner.agent.gradient_steps:
            learner.advance()
        state = learner.state()
        state["replay.reward"][:] = np.inf
        learner.restore(state)
        with pytest.raises(DivergedError, match="is not a number after") as caught:
            learner.advance()
    assert np.isinf(caught.value.batches.reward).any()


def test_a_block_that_would_fill_the_replay_is_refused() -> None:
    with pytest.raises(UsageError, match="capacity"):
        trainer(n=600)


@pytest.mark.parametrize(("options", "message"), [
    ({"n_step": 2}, "n_step"), ({"capacity": 10, "learn_start": 20}, "capacity"),
    ({"quantiles": 3, "loss": "huber"}, "loss"), ({"unknown": 1}, "unknown"),
    ({"learning_rate": -1.0}, "learning_rate"),
])
def test_options_that_contradict_one_another_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LearnerOptions(**options)


def test_every_option_says_what_it_means() -> None:
    assert not [name for name, field in LearnerOptions.model_fields.items() if not field.description]


def greedy(learner: Trainer, shape: tuple[int, ...]) -> np.ndarray:
    """The policy of the averaged network over every state of a sampled world."""
    states = learner.world.every_state()  # type: ignore[attr-defined]
    values = ForwardPass(learner.result).values(np.concatenate([states.market, states.private], 1))
    return np.where(states.admissible, values, -np.inf).argmax(1).reshape(shape)


def trained(world: Any, options: LearnerOptions, shape: tuple[int, ...]) -> np.ndarray:
    with Trainer(world, options) as learner:
        for _ in learner.run():
            pass
        return greedy(learner, shape)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_it_learns_the_exact_market(seed: int) -> None:
    options, exact = LearnerOptions(seed=seed), ExactMarket.solved()
    score = exact.score(trained(ExactMarketWorld(n=512, relabel=options.relabel), options, exact.best.policy.shape))
    assert min(score.start, score.occupancy) >= 0.990
    assert score.worst >= 0.985


LEARNS: list[tuple[dict[str, Any], float]] = [  # each has to earn clearly more than the best linear skew, 92.7%
    ({"dueling": True}, 0.98), ({"quantiles": 8, "learning_rate": 5e-3}, 0.95), ({"noisy": True}, 0.98),
    ({"prioritized": True}, 0.98), ({"target": "periodic"}, 0.98),
    ({"backup": "taken", "relabel": 0.0}, 0.95), ({"backup": "taken", "relabel": 0.0, "n_step": 3}, 0.95),
]


@pytest.mark.slow
@pytest.mark.parametrize(("changed", "least"), LEARNS, ids=str)
def test_every_variant_learns(changed: dict[str, Any], least: float) -> None:
    options, exact = LearnerOptions(**{"steps": 300_000} | changed), ExactMarket.solved()
    policy = trained(ExactMarketWorld(n=512, relabel=options.relabel), options, exact.best.policy.shape)
    assert exact.score(policy).start >= least


@pytest.mark.slow
@pytest.mark.parametrize(("k", "r", "beta", "p0", "delay"), [
    (0.5, 0.1, 0.99, 1, 0), (1, 0.02, 0.95, 0.3, 2), (2, 0.1, 0.99, 0.3, 2)])
def test_it_learns_the_base_model(k: float, r: float, beta: float, p0: float, delay: int) -> None:
    params = BaseModelParams(k=k, r=r, beta=beta, p0=p0, delay=delay, shifts=(0, 0.25, 0.5, 1, 2))
    options, exact = LearnerOptions(), BaseModel.solved(params)
    world = BaseModelWorld(params, n=512, relabel=options.relabel)
    assert exact.regret(trained(world, options, exact.best.policy.shape)) <= 0.05
