"""The sampled exact market: the law of the exact one, every action's outcome, exact resumption."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from mmbt.envs.exact_market import ExactMarketWorld
from mmbt.envs.world import Intervals, World
from mmbt.errors import UsageError
from mmbt.exact_models import ExactMarketParams
from mmbt.theory.exact_market import ExactMarket, make_problem

SIGMAS = 4.5
ROWS = 20_000


def stand(world: Any, inventory: int, level: int, pending: tuple[int, ...] = ()) -> None:
    """Put all markets in one state."""
    state = world.state()
    state["inventory"][:], state["level"][:], state["pending"][:] = inventory, level, pending
    world.restore(state)


def within(sample: np.ndarray, mean: np.ndarray | float) -> None:
    error = sample.std(axis=0, ddof=1) / np.sqrt(len(sample))
    # Rewards are kept in 32 bits: where none varies the mean is met to their last digits.
    assert (np.abs(sample.mean(axis=0, dtype=np.float64) - mean) <= SIGMAS * error + 1e-6).all()


def copied(intervals: Intervals) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in vars(intervals).items()}


def mean_reward(problem: Any, inventory: int) -> np.ndarray:
    """[X, A] by the exact model."""
    place, kind = inventory + problem.q_max, problem.kinds[inventory + problem.q_max]
    carry = np.pad(problem.carry, ((1, 1), (0, 0)))[place : place + 3]
    mean: np.ndarray = problem.before[place] + problem.gain[kind] + np.einsum("aj,jx->xa", problem.moves[kind], carry)
    return mean


@pytest.mark.parametrize("inventory", [-10, -3, 0, 9, 10])
def test_rewards_and_moves_follow_the_law(inventory: int) -> None:
    world = ExactMarketWorld(n=ROWS)
    problem = make_problem(world.params)
    world.reset(11)
    for level in range(6):
        stand(world, inventory, level)
        _, learned = world.step(np.zeros(ROWS, np.int16))
        within(learned.reward, mean_reward(problem, inventory)[level])
        where = np.rint(learned.next_private[:, :, 0] * 10).astype(int)
        moved = np.take_along_axis(where, learned.outcome.astype(int), 1) - inventory
        for j in (-1, 0, 1):
            within((moved == j).astype(float), problem.moves[problem.kinds[inventory + 10]][:, j + 1])
        seen = learned.next_market[:, :3].argmax(axis=1) * 2 + learned.next_market[:, 3:].argmax(axis=1)
        for other in range(6):
            within((seen == other).astype(float), problem.chain[level, other])


@pytest.mark.parametrize("pending", [(3,), (20, 7)])
def test_with_a_delay_the_oldest_action_governs(pending: tuple[int, ...]) -> None:
    world = ExactMarketWorld(ExactMarketParams(delay=len(pending)), n=ROWS)
    problem = make_problem(world.params)
    for inventory, level in ((-10, 0), (2, 3), (10, 5)):
        stand(world, inventory, level, pending)
        _, learned = world.step(np.full(ROWS, 12, np.int16))
        moved = np.rint(learned.next_private[:, 0, 0] * 10).astype(int) - inventory
        for j in (-1, 0, 1):
            chance = problem.moves[problem.kinds[inventory + 10]][pending[0], j + 1]
            within((moved == j).astype(float), chance)
        newest = np.array(world.params.actions, np.float32)
        assert (learned.next_private[:, :, -2:] == newest[learned.outcome.astype(int)]).all()
        assert (learned.next_private[:, :, 2:-2] == newest[list(pending[1:])].reshape(1, 1, -1)).all()


def test_with_a_delay_an_action_is_paid_for_the_step_that_it_governs() -> None:
    world, soon = ExactMarketWorld(ExactMarketParams(delay=2), n=64, relabel=0.5), ExactMarketWorld(n=64)
    world.reset(6)
    rng = np.random.default_rng(7)
    for step in range(20):
        chosen = rng.integers(0, 25, 64).astype(np.int16)
        promised = world.step(chosen)[1].reward[:64].copy()
        before = world.state()
        for _ in range(2):
            there = world.state()
            world.step(chosen)
        later = soon.state() | {name: there[name] for name in ("inventory", "level", "seed", "step")}
        soon.restore(later)  # the same market without a delay, at the instant the action governs
        assert (soon.step(chosen)[1].reward == promised).all(), step
        world.restore(before)


@pytest.mark.parametrize("delay", [0, 1])
def test_the_discounted_return_of_a_policy_is_its_exact_value(delay: int) -> None:
    exact = ExactMarket.solved(ExactMarketParams(delay=delay))
    n, steps, beta = 3000, 120, exact.params.beta
    world = ExactMarketWorld(exact.params, n=n)
    policy = np.random.default_rng(3).integers(0, 25, exact.problem.shape)
    value = exact.evaluate(policy)
    if delay:  # what is under way is earned whatever is chosen
        value = value - np.stack([mean_reward(exact.problem, held) for held in range(-10, 11)])
    world.reset(5)

    def here() -> tuple[np.ndarray, ...]:
        state = world.state()
        return (state["inventory"] + 10, state["level"], *state["pending"].T)

    earned = np.zeros(n)
    for step in range(steps):
        chosen = policy[here()].astype(np.int16)
        _, learned = world.step(chosen)
        earned += beta ** (step + delay) * learned.reward[np.arange(n), chosen]
    within(earned + beta**steps * value[here()], value[exact.start])


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_every_action_leads_where_its_column_says(delay: int) -> None:
    world = ExactMarketWorld(ExactMarketParams(delay=delay, q_max=2), n=64, relabel=0.25)
    world.reset(1)
    rng = np.random.default_rng(2)
    for _ in range(30):
        world.step(rng.integers(0, 25, 64).astype(np.int16))
        before = world.state()
        learned = copied(world.step(np.zeros(64, np.int16))[1])
        for action in range(0, 25, 3):
            world.restore(before)
            seen, told = world.step(np.full(64, action, np.int16))
            for name in set(learned) - {"action"}:
                assert learned[name].tobytes() == vars(told)[name].tobytes(), name
            at = learned["outcome"][:64, action].astype(int)
            assert seen.private.tobytes() == learned["next_private"][np.arange(64), at].tobytes()
            assert seen.market.tobytes() == learned["next_market"][:64].tobytes()
            assert seen.admissible.tobytes() == learned["next_admissible"][np.arange(64), at].tobytes()


@pytest.mark.parametrize("tries", [2, 7, 24])
def test_some_actions_tried_are_a_uniform_part_of_all_of_them(tries: int) -> None:
    some, every = (ExactMarketWorld(ExactMarketParams(delay=2), n=200, relabel=0.5, tries=k) for k in (tries, 255))
    rng = np.random.default_rng(5)
    count = np.zeros((2, 25))
    for _ in range(40):
        chosen = rng.integers(0, 25, 200).astype(np.int16)
        part, whole = (copied(world.step(chosen)[1]) for world in (some, every))
        tried = part["admissible"]
        assert (tried.sum(axis=1) == tries).all()
        assert tried[np.arange(200), chosen].all()
        assert (part["reward"] == np.where(tried, whole["reward"], 0)).all()
        led = np.take_along_axis(part["next_private"], part["outcome"][:, :, None].astype(int), 1)
        assert (led[tried] == whole["next_private"][tried]).all()
        count += tried[:200].sum(axis=0), tried[200:].sum(axis=0)
    for chances in count / 8000:
        assert np.abs(chances - tries / 25).max() < 5 * np.sqrt(0.25 / 8000)


def test_rows_of_next_states_beyond_those_used_repeat_the_first() -> None:
    world = ExactMarketWorld(n=500, relabel=0.5)
    world.reset(3)
    for _ in range(20):
        _, learned = world.step(np.full(500, 12, np.int16))
        used = learned.outcome.max(axis=1)
        for k in range(1, 3):
            beyond = used < k
            assert (learned.next_private[beyond, k] == learned.next_private[beyond, 0]).all()
            assert (learned.next_private[~beyond, k, 0] != learned.next_private[~beyond, 0, 0]).all()


def moves(learned: dict[str, np.ndarray], q_max: int) -> np.ndarray:
    """[N, A]: by how much each action moves the inventory."""
    where = np.rint(learned["next_private"][:, :, 0] * q_max).astype(int)
    held = np.rint(learned["private"][:, :1] * q_max).astype(int)
    moved: np.ndarray = np.take_along_axis(where, learned["outcome"].astype(int), 1) - held
    return moved


def test_relabelled_rows_share_the_interval_of_a_market() -> None:
    world = ExactMarketWorld(n=100, relabel=0.8)
    world.reset(4)
    for _ in range(20):
        learned = copied(world.step(np.full(100, 7, np.int16))[1])
        assert (learned["action"][:100] == 7).all()
        assert (learned["action"][100:] == -1).all()
        assert len(learned["action"]) == 500
        inside = np.abs(learned["private"][:, 0]) < 1
        moved = moves(learned, 10)
        for first in range(100, 500, 100):
            rows = slice(first, first + 100)
            assert (learned["market"][rows] == learned["market"][:100]).all()
            assert (learned["next_market"][rows] == learned["next_market"][:100]).all()
            free = inside[rows] & inside[:100]
            assert (moved[rows][free] == moved[:100][free]).all()
            same = learned["private"][rows, 0] == learned["private"][:100, 0]
            assert (learned["reward"][rows][same] == learned["reward"][:100][same]).all()


@pytest.mark.parametrize("delay", [0, 2])
def test_relabelled_rows_draw_all_that_is_private_uniformly(delay: int) -> None:
    world = ExactMarketWorld(ExactMarketParams(delay=delay, q_max=3), n=100, relabel=0.8)
    drawn = np.concatenate([world.step(np.full(100, 7, np.int16))[1].private[100:].copy() for _ in range(60)])
    for inventory in range(-3, 4):
        within((np.rint(drawn[:, 0] * 3) == inventory).astype(float), 1 / 7)
    for place in range(delay):
        for action in world.params.actions:
            within((drawn[:, 2 + 2 * place : 4 + 2 * place] == np.float32(action)).all(axis=1).astype(float), 1 / 25)


@pytest.mark.parametrize(("relabel", "rows"), [(0.0, 64), (0.1, 71), (0.5, 128), (0.75, 256)])
def test_relabel_is_the_share_of_rows(relabel: float, rows: int) -> None:
    _, learned = ExactMarketWorld(n=64, relabel=relabel).step(np.zeros(64, np.int16))
    assert len(learned.action) == rows == len(learned.discount)
    assert (learned.discount == np.float32(0.99)).all()


def test_a_restored_world_goes_on_exactly() -> None:
    params = ExactMarketParams(delay=1)
    rng = np.random.default_rng(8)
    actions = rng.integers(0, 25, (50, 32)).astype(np.int16)
    world = ExactMarketWorld(params, n=32, relabel=0.5)
    world.reset(2**64 - 1)
    for row in actions[:20]:
        world.step(row)
    middle = world.state()
    told = [copied(world.step(row)[1]) for row in actions[20:]]
    other = ExactMarketWorld(params, n=32, relabel=0.5)
    other.restore(middle)
    for row, expected in zip(actions[20:], told, strict=True):
        learned = copied(other.step(row)[1])
        assert all(learned[name].tobytes() == expected[name].tobytes() for name in expected)
    assert all((other.state()[name] == world.state()[name]).all() for name in middle)


def test_draws_depend_on_seed_step_and_market_alone() -> None:
    few, many, other = (ExactMarketWorld(n=n) for n in (4, 16, 16))
    few.reset(9), many.reset(9), other.reset(10)
    for step in range(5):
        action = np.full(16, step, np.int16)
        first, second, third = (copied(world.step(action[: world.sizes.n])[1]) for world in (few, many, other))
        assert (first["reward"] == second["reward"][:4]).all()
        assert not (second["reward"] == third["reward"]).all()
    assert len(np.unique(second["reward"][:, 12])) > 12


def test_every_state_stands_where_a_policy_is_scored() -> None:
    params = ExactMarketParams(delay=1, q_max=2)
    world, problem = ExactMarketWorld(params, n=3), make_problem(params)
    rows = world.every_state()
    assert len(rows.private) == np.prod(problem.shape)
    assert rows.market.shape == (len(rows.private), world.sizes.market)
    rng = np.random.default_rng(1)
    for _ in range(50):
        seen, _ = world.step(rng.integers(0, 25, 3).astype(np.int16))
        state = world.state()
        place = np.ravel_multi_index((state["inventory"] + 2, state["level"], state["pending"][:, 0]), problem.shape)
        assert rows.market[place].tobytes() == seen.market.tobytes()
        assert rows.private[place].tobytes() == seen.private.tobytes()
        assert (rows.admissible[place] == seen.admissible).all()


def test_what_is_seen_at_the_start() -> None:
    world: World = ExactMarketWorld(n=2)
    seen = world.reset(0)
    assert seen.market.tolist() == [[0, 1, 0, 1, 0]] * 2
    assert seen.private.tolist() == [[0, 0]] * 2
    assert seen.admissible.all()
    assert (world.sizes.actions, world.sizes.market, world.sizes.private, world.sizes.outcomes) == (25, 5, 2, 3)


def test_what_does_not_fit_is_refused() -> None:
    world = ExactMarketWorld(n=2)
    before = world.state()
    for wrong in (np.array([0, 25], np.int16), np.array([0, -1], np.int16)):
        with pytest.raises(ValueError, match="of market 1 is not admissible"):
            world.step(wrong)
    with pytest.raises(ValueError, match="3 actions for 2 markets"):
        world.step(np.zeros(3, np.int16))
    assert all((world.state()[name] == before[name]).all() for name in before)
    with pytest.raises(ValueError, match="not of this world"):
        ExactMarketWorld(n=3).restore(before)
    with pytest.raises(ValueError, match=r"outside -10\.\.10"):
        world.restore(before | {"inventory": np.full(2, 11, np.int32)})
    for options in ({"n": 0}, {"relabel": 1.0}, {"relabel": -0.1}, {"tries": 1}):
        with pytest.raises(UsageError):
            ExactMarketWorld(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="too many to learn"):
        ExactMarketWorld(ExactMarketParams(delay=1, skews=tuple(range(20)), half_spreads=tuple(range(20))))
    with pytest.raises(UsageError, match="a seed is a whole number"):
        world.reset(-1)


@pytest.mark.parametrize("module", ["mmbt.envs.exact_market", "mmbt.envs.base_model"])
def test_a_world_needs_nothing_of_what_solves_it(module: str) -> None:
    code = f"import {module}, sys; print([name for name in sys.modules if name.startswith('mmbt.theory')])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"
