"""The sampled base model: an empty market, masks at the limits, and the law of the exact model."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mmbt.envs.base_model import BaseModelWorld
from mmbt.exact_models import BaseModelParams
from mmbt.theory.base_model import BaseModel, make_problem

PARAMS = BaseModelParams(shifts=(0, 0.5, 1, 2), q_max=2, p0=0.7)
ROWS = 20_000


def stand(world: BaseModelWorld, inventory: int, pending: tuple[int, ...] = ()) -> None:
    state = world.state()
    state["inventory"][:], state["pending"][:] = inventory, pending
    world.restore(state)


def within(sample: np.ndarray, mean: np.ndarray | float) -> None:
    error = sample.std(axis=0, ddof=1) / np.sqrt(len(sample))
    # Rewards are kept in 32 bits: where none varies the mean is met to their last digits.
    assert (np.abs(sample.mean(axis=0, dtype=np.float64) - mean) <= 4.5 * error + 1e-6).all()


@pytest.mark.parametrize("inventory", range(-2, 3))
def test_rewards_and_moves_follow_the_law(inventory: int) -> None:
    world, problem = BaseModelWorld(PARAMS, n=ROWS), make_problem(PARAMS)
    stand(world, inventory)
    _, learned = world.step(np.zeros(ROWS, np.int16))
    kind, able = problem.kinds[inventory + 2], learned.admissible[0]
    mean = problem.before[inventory + 2] + problem.gain[kind, 0]
    within(learned.reward[:, able], mean[able])
    moved = np.take_along_axis(np.rint(learned.next_private[:, :, 0] * 2), learned.outcome.astype(int), 1) - inventory
    for j in (-1, 0, 1):
        within((moved[:, able] == j).astype(float), problem.moves[kind, able, j + 1])


def test_with_a_delay_an_action_is_paid_when_it_governs_and_nothing_is_masked() -> None:
    params = PARAMS.model_copy(update={"delay": 2})
    world, problem = BaseModelWorld(params, n=ROWS), make_problem(params)
    pending = (6, 1)
    earned = problem.before[:, None] + problem.gain[problem.kinds, 0]  # [Q, A]
    for inventory in (-2, 0, 2):
        stand(world, inventory, pending)
        seen, learned = world.step(np.full(ROWS, 15, np.int16))
        assert learned.admissible.all()
        assert learned.next_admissible.all()
        held = (np.arange(5) == inventory + 2).astype(float)  # chances of inventories, as what is under way moves them
        for action in pending:
            chances = problem.moves[problem.kinds, action]
            held = sum(np.roll(held * chances[:, j], j - 1) for j in range(3))
        within(learned.reward, held @ earned)
        assert (seen.private[:, 2:] == np.array([0, 0.5, 2, 2], np.float32)).all()


def test_a_side_at_its_limit_leaves_one_action_for_each_shift_of_the_other() -> None:
    world = BaseModelWorld(PARAMS, n=1)
    actions = list(product(PARAMS.shifts, PARAMS.shifts))
    for inventory, able in ((-2, [x == 0 for x, _ in actions]), (0, [True] * 16), (2, [y == 0 for _, y in actions])):
        stand(world, inventory)
        seen, learned = world.step(np.zeros(1, np.int16))
        assert learned.admissible[0].tolist() == able
        assert (learned.reward[0, ~learned.admissible[0]] == 0).all()
        assert (learned.outcome[0, ~learned.admissible[0]] == 0).all()
        at = learned.outcome[0, 0]
        assert (learned.next_admissible[0, at] == seen.admissible[0]).all()
    stand(world, 2)
    with pytest.raises(ValueError, match="action 1 of market 0 is not admissible"):
        world.step(np.ones(1, np.int16))


def test_the_market_shows_nothing() -> None:
    world = BaseModelWorld(PARAMS, n=3, relabel=0.5)
    seen, learned = world.step(np.zeros(3, np.int16))
    assert world.sizes.market == 0
    assert seen.market.shape == (3, 0)
    assert learned.market.shape == learned.next_market.shape == (6, 0)
    assert world.every_state().private[:, 0].tolist() == [-1, -0.5, 0, 0.5, 1]


def test_the_discounted_return_of_the_best_policy_is_its_value() -> None:
    model = BaseModel.solved(PARAMS.model_copy(update={"delay": 1}))
    n, steps, beta, problem = 3000, 100, PARAMS.beta, model.problem
    world = BaseModelWorld(model.params, n=n)
    world.reset(1)

    def here() -> tuple[np.ndarray, ...]:
        state = world.state()
        return (state["inventory"] + 2, state["level"], *state["pending"].T)

    def first(held: np.ndarray, level: np.ndarray, action: np.ndarray) -> np.ndarray:
        earned: np.ndarray = problem.before[held] + problem.gain[problem.kinds[held], level, action]
        return earned

    start = model.best.value[here()][0] - first(*here())[0]  # what is under way is earned whatever is chosen
    earned = np.zeros(n)
    for step in range(steps):
        chosen = model.best.policy[here()].astype(np.int16)
        _, learned = world.step(chosen)
        earned += beta ** (step + 1) * learned.reward[np.arange(n), chosen]
    within(earned + beta**steps * (model.best.value[here()] - first(*here())), start)
