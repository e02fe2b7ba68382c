"""The native replay against plain Python over what was pushed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mmbt.envs.world import Intervals
from mmbt.learn._replay import Replay

M, P, A, K = 2, 1, 11, 3


def intervals(rows: int, seed: int, behaved: int | None = None) -> Intervals:
    draw = np.random.default_rng(seed)
    action = draw.integers(0, A, rows).astype(np.int16)
    action[rows if behaved is None else behaved :] = -1

    def floats(*shape: int) -> np.ndarray:
        return draw.standard_normal(shape).astype(np.float32)

    return Intervals(
        floats(rows, M), floats(rows, P), draw.random((rows, A)) < 0.7, action, floats(rows, A),
        draw.integers(0, K, (rows, A)).astype(np.uint8), floats(rows, M), floats(rows, K, P),
        draw.random((rows, K, A)) < 0.7, draw.random(rows).astype(np.float32))


def pushed(replay: Replay, block: Intervals, behaved: int | None = None) -> None:
    replay.reserve(len(block.action))
    replay.push(block, len(block.action) if behaved is None else behaved)
    replay.commit()


def gathered(replay: Replay, slots: np.ndarray, taken: bool = False) -> dict[str, np.ndarray]:
    n, columns, nexts = len(slots), 1 if taken else A, 1 if taken else K
    out = {
        "state": np.zeros((n, M + P), np.float32), "mask": np.zeros((n, columns), np.uint8),
        "action": np.zeros(n, np.int32), "reward": np.zeros((n, columns), np.float32),
        "mass": np.zeros(n, np.float32), "outcome": np.zeros((n, columns), np.uint8),
        "next_state": np.zeros((n, nexts, M + P), np.float32), "next_mask": np.zeros((n, nexts, A), np.uint8),
        "discount": np.zeros(n, np.float32)}
    replay.gather(slots, **out)
    return out


def sampled(replay: Replay, count: int, update: int = 0, seed: int = 5, beta: float = 1.0, batch: int = 0):
    slots, weights = np.empty(count, np.int64), np.empty(count, np.float32)
    replay.sample(seed, update, slots, weights, batch or count, beta)
    return slots, weights


def test_rows_come_back_as_they_were_pushed() -> None:
    replay, block = Replay(M, P, A, K, 50), intervals(30, 1, behaved=20)
    pushed(replay, block, behaved=20)
    slots = np.array([0, 7, 29, 7], np.int64)
    out = gathered(replay, slots)
    assert (out["state"] == np.concatenate([block.market, block.private], 1)[slots]).all()
    assert (out["mask"] == block.admissible[slots]).all()
    assert (out["action"] == block.action[slots]).all()
    assert (out["reward"] == block.reward[slots]).all()
    assert (out["outcome"] == block.outcome[slots]).all()
    assert (out["next_state"][..., :M] == block.next_market[slots][:, None]).all()
    assert (out["next_state"][..., M:] == block.next_private[slots]).all()
    assert (out["next_mask"] == block.next_admissible[slots]).all()
    assert (out["discount"] == block.discount[slots]).all()
    assert (out["mass"] == 1).all()


def test_the_ring_keeps_the_newest_rows_and_never_samples_a_block_under_way() -> None:
    replay = Replay(M, P, A, K, 50)
    blocks = [intervals(20, seed) for seed in range(5)]
    for block in blocks[:4]:
        pushed(replay, block)
    assert len(replay) == 50
    replay.reserve(20)
    assert len(replay) == 30
    before = sampled(replay, 2000)[0]
    replay.push(blocks[4], 20)
    assert (sampled(replay, 2000)[0] == before).all()  # rows 80 to 99 are there, and nobody sees them
    assert set(before) == {row % 50 for row in range(50, 80)}
    assert gathered(replay, np.array([5], np.int64))["reward"][0].tobytes() == blocks[2].reward[15].tobytes()
    replay.commit()
    assert set(sampled(replay, 2000)[0]) == set(range(50))


def test_rows_of_an_interval_are_drawn_together_and_only_from_whole_pushes() -> None:
    replay, n, group = Replay(M, P, A, K, 50, group=3), 4, 3
    for seed in range(6):  # 72 rows: the ring holds 50, of which 48 are whole pushes
        pushed(replay, intervals(n * group, seed, behaved=n), behaved=n)
    slots = sampled(replay, 600, batch=30)[0]
    rows = np.where(slots < 72 - 50, slots + 50, slots).reshape(-1, group)
    assert (np.diff(rows, axis=1) == n).all()
    assert (rows[:, 0] % (n * group) < n).all()
    assert set(rows[:, 0]) == {push * n * group + market for push in range(2, 6) for market in range(n)}
    again = Replay(M, P, A, K, 50, group=3)
    again.restore(replay.state())
    assert (sampled(again, 600, batch=30)[0] == slots).all()


def test_groups_that_do_not_fit_are_refused() -> None:
    replay = Replay(M, P, A, K, 50, group=2)
    replay.reserve(30)
    with pytest.raises(ValueError, match="are not 2 of each"):
        replay.push(intervals(7, 1, behaved=4), 4)
    replay.push(intervals(8, 1, behaved=4), 4)
    with pytest.raises(ValueError, match="are not 2 of each"):
        replay.push(intervals(6, 1, behaved=3), 3)
    replay.commit()
    with pytest.raises(ValueError, match="groups of 2"):
        sampled(replay, 9)
    for options in ({"taken": True}, {"alpha": 0.5}, {}):
        with pytest.raises(ValueError, match="group"):
            Replay(M, P, A, K, 50, group=2 if options else 0, **options)  # type: ignore[arg-type]


def test_a_market_may_show_nothing() -> None:
    for taken in (False, True):
        replay = Replay(0, P, A, K, 50, taken=taken, n_step=2 if taken else 1)
        for seed in (1, 2):
            block = intervals(20, seed)
            block.market, block.next_market = np.zeros((20, 0), np.float32), np.zeros((20, 0), np.float32)
            pushed(replay, block)
        n, columns, nexts = 2, 1 if taken else A, 1 if taken else K
        state, following = np.zeros((n, P), np.float32), np.zeros((n, nexts, P), np.float32)
        replay.gather(
            np.array([3, 25]), state, np.zeros((n, columns), np.uint8), np.zeros(n, np.int32),
            np.zeros((n, columns), np.float32), np.zeros(n, np.float32), np.zeros((n, columns), np.uint8), following,
            np.zeros((n, nexts, A), np.uint8), np.zeros(n, np.float32))
        assert (state[1] == block.private[5]).all()
        assert (following[1] == (block.next_private[5] if not taken else block.next_private[5, [block.outcome[
            5, block.action[5]]]])).all()


def test_the_action_taken_alone() -> None:
    replay, block = Replay(M, P, A, K, 50, taken=True), intervals(30, 1, behaved=20)
    pushed(replay, block, behaved=20)
    assert len(replay) == 20  # a relabelled interval has no action taken
    rows = np.arange(20)
    out = gathered(replay, rows, taken=True)
    outcome = block.outcome[rows, block.action[:20]]
    assert (out["reward"][:, 0] == block.reward[rows, block.action[:20]]).all()
    assert (out["next_state"][:, 0, M:] == block.next_private[rows, outcome]).all()
    assert (out["next_mask"][:, 0] == block.next_admissible[rows, outcome]).all()
    assert (out["mask"] == 1).all()
    assert (out["outcome"] == 0).all()


def path(length: int, seed: int, cut: tuple[int, ...] = ()) -> list[Intervals]:
    """Intervals of one market that follow on one another, but for those after which it was cut off."""
    steps = [intervals(1, seed + step) for step in range(length)]
    for number, (one, after) in enumerate(pairwise(steps)):
        if number not in cut:
            after.market[0] = one.next_market[0]
            after.private[0] = one.next_private[0, one.outcome[0, one.action[0]]]
    return steps


@pytest.mark.parametrize("block", [1, 4, 9])  # a path runs on across barriers
def test_paths_of_n_steps_end_where_a_market_was_cut_off_or_ended(block: int) -> None:
    steps = path(9, 40, cut=(3,))
    steps[6].discount[0] = 0.0
    replay = Replay(M, P, A, K, 20, taken=True, n_step=3)
    for first in range(0, 9, block):
        replay.reserve(block)
        for step in steps[first : first + block]:
            replay.push(step, 1)
        replay.commit()
    out = gathered(replay, np.arange(9), taken=True)
    for start in range(9):
        reward, mass, discount, at = 0.0, 0.0, 1.0, start
        while True:
            one = steps[at]
            reward += discount * float(one.reward[0, one.action[0]])
            mass += discount
            discount *= float(one.discount[0])
            if at - start == 2 or at in (3, 6, 8):
                break
            at += 1
        assert out["reward"][start, 0] == pytest.approx(reward, rel=1e-5, abs=1e-6)
        assert out["mass"][start] == pytest.approx(mass, rel=1e-5)
        assert out["discount"][start] == pytest.approx(discount, rel=1e-5)
        assert (out["next_state"][start, 0, :M] == steps[at].next_market[0]).all()


def test_uniform_sampling_is_uniform_and_a_function_of_seed_and_update() -> None:
    replay = Replay(M, P, A, K, 16)
    pushed(replay, intervals(10, 1))
    slots, weights = sampled(replay, 50_000)
    assert np.abs(np.bincount(slots, minlength=10) - 5000).max() < 270  # four standard deviations
    assert (weights == 1).all()
    assert (sampled(replay, 50_000)[0] == slots).all()
    assert (sampled(replay, 50_000, update=1)[0] != slots).any()
    assert (sampled(replay, 50_000, seed=6)[0] != slots).any()


def test_priorities_set_the_odds_and_the_weights_undo_them() -> None:
    replay = Replay(M, P, A, K, 16, alpha=0.5)
    pushed(replay, intervals(4, 1))
    replay.set_priorities(np.arange(4), np.array([1, 4, 9, 16], np.float32))
    slots, weights = sampled(replay, 10_000)
    assert np.abs(np.bincount(slots) - np.array([1000, 2000, 3000, 4000])).max() <= 1  # places are stratified
    assert weights[slots == 0] == pytest.approx(1.0, abs=1e-5)
    assert weights[slots == 3] == pytest.approx(0.25, rel=1e-4)
    assert sampled(replay, 10_000, beta=0.0)[1] == pytest.approx(1.0)
    pushed(replay, intervals(1, 2))  # a new row is as urgent as the most urgent so far
    assert np.bincount(sampled(replay, 14_000)[0])[4] == pytest.approx(4000, abs=1)


def test_a_block_under_way_weighs_nothing() -> None:
    replay = Replay(M, P, A, K, 8, alpha=1.0)
    pushed(replay, intervals(8, 1))
    replay.reserve(3)
    assert set(sampled(replay, 4000)[0]) == set(range(3, 8))
    replay.push(intervals(2, 2), 2)
    assert set(sampled(replay, 4000)[0]) == set(range(3, 8))
    replay.commit()
    assert set(sampled(replay, 4000)[0]) == {0, 1, 3, 4, 5, 6, 7}


def test_a_tree_is_a_function_of_its_leaves() -> None:
    one, other = (Replay(M, P, A, K, 37, alpha=0.7) for _ in range(2))
    draw = np.random.default_rng(0)
    for replay in (one, other):
        pushed(replay, intervals(37, 1))
    values = draw.random(37).astype(np.float32)
    for _ in range(20):
        slots = draw.integers(0, 37, 50)
        one.set_priorities(slots, draw.random(50).astype(np.float32))
    one.set_priorities(np.arange(37), values)
    other.set_priorities(np.arange(37)[::-1].copy(), values[::-1].copy())
    assert one.state()["tree"].tobytes() == other.state()["tree"].tobytes()
    tree = one.state()["tree"]
    assert (tree[1:64] == tree[2:128:2] + tree[3:128:2]).all()


@pytest.mark.parametrize("blocks", [1, 3, 7])
def test_a_restored_replay_goes_on_bit_for_bit(blocks: int) -> None:
    steps = path(60, 3)

    def replay() -> Replay:
        return Replay(M, P, A, K, 40, taken=True, n_step=4, alpha=0.6)

    def block(target: Replay, number: int) -> bytes:
        target.reserve(6)
        for step in steps[6 * number : 6 * number + 6]:
            target.push(step, 1)
        target.commit()
        slots, weights = sampled(target, 32, update=number, batch=8)
        out = gathered(target, slots, taken=True)
        target.set_priorities(slots, np.abs(out["reward"][:, 0]))
        return slots.tobytes() + weights.tobytes() + b"".join(out[name].tobytes() for name in sorted(out))

    whole, first, second = replay(), replay(), replay()
    expected = [block(whole, number) for number in range(10)]
    for number in range(blocks):
        block(first, number)
    second.restore(first.state())
    assert [block(second, number) for number in range(blocks, 10)] == expected[blocks:]


def test_what_does_not_fit_is_refused() -> None:
    replay, block = Replay(M, P, A, K, 50), intervals(10, 1)
    with pytest.raises(ValueError, match="reserved"):
        replay.push(block, 10)
    with pytest.raises(ValueError, match="fit"):
        replay.reserve(51)
    replay.reserve(10)
    block.outcome[3, 2] = K
    with pytest.raises(ValueError, match="outcome"):
        replay.push(block, 10)
    bad = intervals(10, 1)
    bad.reward = bad.reward[:, :-1]
    with pytest.raises(ValueError, match="reward"):
        replay.push(bad, 10)
    with pytest.raises(ValueError, match="action"):
        replay.push(intervals(10, 1, behaved=9), 10)
    with pytest.raises(ValueError, match="of 0 rows"):
        sampled(replay, 4)
    with pytest.raises(ValueError, match="another replay"):
        replay.restore(Replay(M, P, A + 1, K, 50).state() | {"counters": np.array([0, 0, -1, 0])})
    with pytest.raises(ValueError, match="path"):
        Replay(M, P, A, K, 50, n_step=2)


@pytest.mark.parametrize(("name", "value", "told"), [
    ("outcome", K, "outcome"), ("action", A, "action"), ("follows", 20, "follows"), ("counters", -3, "counters"),
    ("tree", 7.0, "sums of their leaves"),
])
def test_a_state_that_would_be_read_out_of_bounds_is_refused(name: str, value: float, told: str) -> None:
    replay = Replay(M, P, A, K, 50, alpha=0.6)
    pushed(replay, intervals(20, 1))
    state = replay.state()
    forged = state[name].copy()
    forged.flat[-1 if name == "tree" else 0] = value
    with pytest.raises(ValueError, match=told):
        Replay(M, P, A, K, 50, alpha=0.6).restore(state | {name: forged})
