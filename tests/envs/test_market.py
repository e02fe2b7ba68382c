"""Recorded days as a world: what a learner is told is what happened, and it can be told again exactly."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from mmbt import BacktestConfig
from mmbt.envs.actions import ActionGrid
from mmbt.envs.days import prepare_day
from mmbt.envs.features import MARKET_FEATURES, PRIVATE_FEATURES, Frozen
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.envs.rewards import RewardRule
from mmbt.errors import UsageError
from mmbt.market import Instrument
from mmbt.synth import generate_market, make_config
from mmbt.testing.markets import book, market_of

SECOND = 10**9
SPEC = Instrument("X", "1", "1", "1", "X", "USD", "linear")
QUIET = ActionGrid(skews=(0.0,), half_spreads=(0.5,), one_sided=(), hedges=())  # nothing ever coincides


@pytest.fixture(scope="module")
def config():
    return BacktestConfig(instruments=("BTC/USD_T+0",))


@pytest.fixture(scope="module")
def days(config):
    """Two calm minutes each, of different prices."""
    found = []
    for seed in (1, 2):
        market = generate_market(make_config("triangle", {"seed": seed, "duration": "120s"}))
        found.append(prepare_day(market, config, SECOND))
    return found


def act(world, seen, rng):
    """Random admissible actions."""
    return (rng.random(seen.admissible.shape) * seen.admissible).argmax(axis=1).astype(np.int16)


def arrays(thing):
    return {field.name: getattr(thing, field.name).copy() for field in fields(thing)}


def same(one, other):
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def run(world, steps, seed=0, seen=None):
    rng, found = np.random.default_rng(seed), []
    seen = world.reset(5) if seen is None else seen
    for _ in range(steps):
        began = arrays(seen)
        actions = act(world, seen, rng)
        seen, learned = world.step(actions)
        found.append((actions, began, arrays(learned), arrays(world.behaviour)))
    return found, seen


VARIANTS = {
    "all": ({"relabel": 0.5}, {}),
    "all with own orders": ({"relabel": 0.25}, {"private": PRIVATE_FEATURES}),
    "taken": ({"backup": "taken"}, {}),
    "delayed": ({"relabel": 0.5}, {"delay": 2}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_intervals_hang_together(days, config, name):
    arguments, options = VARIANTS[name]
    world = MarketWorld(days, config, MarketOptions(window=15, **options), n=24, threads=2, **arguments)
    sizes = world.sizes
    rows = 24 + round(24 * arguments.get("relabel", 0) / (1 - arguments.get("relabel", 0)))
    found, _ = run(world, 60)
    ends = cuts = 0
    for k, (actions, began, learned, told) in enumerate(found):
        assert learned["market"].shape == (rows, sizes.market)
        assert learned["next_private"].shape == (rows, sizes.outcomes, sizes.private)
        assert (learned["action"][:24] == actions).all()
        assert (learned["action"][24:] == -1).all()
        for part in ("market", "private", "admissible"):
            assert learned[part][:24].tobytes() == began[part].tobytes()
        assert not learned["reward"][~learned["admissible"]].any()
        assert np.isfinite(learned["reward"]).all()
        assert learned["outcome"].max() < sizes.outcomes
        assert learned["next_admissible"].any(axis=2).all()
        assert ((learned["discount"][:24] == 0) == told["ended"]).all()
        assert not (told["ended"] & told["truncated"]).any()
        ends, cuts = ends + told["ended"].sum(), cuts + told["truncated"].sum()
        if k + 1 == len(found):
            break
        after = found[k + 1][1]
        for i in np.flatnonzero(~told["ended"] & ~told["truncated"]):  # the state that the action taken led to
            state = learned["outcome"][i, actions[i]]
            assert learned["next_private"][i, state].tobytes() == after["private"][i].tobytes()
            assert learned["next_market"][i].tobytes() == after["market"][i].tobytes()
            assert (learned["next_admissible"][i, state] == after["admissible"][i]).all()
        restarted = told["ended"] | told["truncated"]
        assert not after["private"][restarted, 0].any()  # flat
    assert ends > 0
    assert cuts > 0


def test_the_action_taken_is_one_of_all(days, config):
    options = MarketOptions(window=20)
    tried = MarketWorld(days, config, options, n=16, threads=1)
    taken = MarketWorld(days, config, options, n=16, threads=2, backup="taken")
    both = [run(world, 50)[0] for world in (tried, taken)]
    for (actions, began, learned, told), (others, other_began, other, other_told) in zip(*both, strict=True):
        place = np.arange(16), actions
        assert (actions == others).all()
        assert same(began, other_began)
        assert same(told, other_told)
        assert learned["reward"][place].tobytes() == other["reward"][place].tobytes()
        assert learned["discount"].tobytes() == other["discount"].tobytes()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_restored_world_goes_on_exactly(days, config, name):
    arguments, options = VARIANTS[name]
    worlds = [MarketWorld(days, config, MarketOptions(window=25, **options), n=12, threads=k, **arguments)
              for k in (1, 2)]
    _, seen = run(worlds[0], 40)
    state = worlds[0].state()
    assert all(isinstance(value, np.ndarray) for value in state.values())
    expected, _ = run(worlds[0], 40, 1, seen)
    run(worlds[1], 3, 9)
    worlds[1].restore(state)
    again = worlds[1].state()
    assert all(again[key].tobytes() == state[key].tobytes() for key in state)
    first, _ = run(worlds[1], 40, 1, worlds[1]._seen)
    for one, other in zip(expected, first, strict=True):
        assert one[0].tobytes() == other[0].tobytes()
        assert all(same(one[part], other[part]) for part in (1, 2, 3))


def test_a_state_of_another_world_is_refused(days, config):
    small, large = (MarketWorld(days, config, n=n) for n in (2, 3))
    with pytest.raises(ValueError, match="episode"):
        large.restore(small.state())
    state = small.state()
    state["start"][:] = 10**6
    with pytest.raises(ValueError, match="start"):
        small.restore(state)


def test_a_delayed_action_is_done_later(days, config):
    """A world whose actions are delayed is one without delay that is given them later."""
    options = {"window": 30, "actions": QUIET}
    for delay in (1, 3):
        late = MarketWorld(days, config, MarketOptions(delay=delay, **options), n=8)
        now = MarketWorld(days, config, MarketOptions(**options), n=8, backup="taken")
        rng = np.random.default_rng(delay)
        seen, _ = late.reset(1), now.reset(1)
        way = np.zeros((8, delay), np.int16)
        assert seen.private.shape[1] == 2 + 5 * delay
        for _ in range(80):
            chosen = rng.integers(0, 2, 8).astype(np.int16)
            seen, learned = late.step(chosen)
            rewards = learned.reward[:8].copy()
            other_seen, other = now.step(way[:, 0])
            assert (rewards == other.reward[np.arange(8), way[:, 0]][:, None]).all()
            assert same(arrays(late.behaviour), arrays(now.behaviour))
            way = np.concatenate([way, chosen[:, None]], axis=1)[:, 1:]
            way[late.behaviour.ended | late.behaviour.truncated] = 0
            assert seen.private[:, :2].tobytes() == other_seen.private.tobytes()
            features = late.options.actions.features()[way].reshape(8, -1)
            assert seen.private[:, 2:].tobytes() == features.tobytes()


def test_relabelled_rows_begin_with_other_positions(days, config):
    world = MarketWorld(days, config, MarketOptions(max_position=4), n=30, relabel=0.75)
    found, _ = run(world, 20)
    held = np.concatenate([learned["private"][30:, 0] for _, _, learned, _ in found])
    assert sorted(set((held * 4).round(6).tolist())) == list(range(-4, 5))
    _, counts = np.unique(held, return_counts=True)
    assert counts.min() > 0.08 * len(held)
    for _, _, learned, _ in found:
        limits = np.abs(learned["private"][:, 0]) == 1
        assert learned["admissible"][limits].sum(axis=1).max() < learned["admissible"][~limits].sum(axis=1).max()
        flat = learned["private"][:, 0] == 0
        assert not learned["admissible"][flat][:, -2:].any()  # nothing to hedge
        assert learned["admissible"][:, 0].all()


def ending_market(last_bid=99, last_ask=101):
    """Quotes 98, 102 each second, an offer of ours at 101 lifted in the first, another touch at the end."""
    quotes = [book(SECOND * k, 98, 102) for k in range(1, 10)] + [book(SECOND * 10 - 1, last_bid, last_ask)]
    return market_of(SPEC, quotes, [(SECOND + 5, 102, 1, 1)])


def test_a_days_end_closes_the_position_at_the_opposite_touch():
    config = BacktestConfig(instruments=("X",), taker_fee=10)
    grid = ActionGrid(unit="tick", skews=(0.0,), half_spreads=(1.0,), one_sided=(), hedges=())
    options = MarketOptions(actions=grid, reward=RewardRule(kind="pnl"), window=100)
    day = prepare_day(ending_market(98, 110), config, SECOND)
    frozen = Frozen.of([day.tape], options.market)
    assert frozen.spread == 4
    world = MarketWorld([day], config, options, n=64, frozen=frozen)
    world.reset(0)
    start = np.flatnonzero(world.state()["start"] == 0)
    assert len(start)  # windows that begin with the first timer
    total, raw = np.zeros(64), np.zeros(64)
    for step in range(9):
        _, learned = world.step(np.full(64, 1 if step == 0 else 0, np.int16))
        place = np.arange(64), np.full(64, 1 if step == 0 else 0)
        total += learned.reward[:64][place]
        raw += world.behaviour.pnl
        assert (world.behaviour.ended[start] == (step == 8)).all()
        assert ((learned.discount[start] == 0) == (step == 8)).all()
    # sold one at 101, bought back at 110, a fee of 10 bp of 110
    assert raw[start] == pytest.approx(-9 - 0.11)
    assert total[start] == pytest.approx((-9 - 0.11) / 4, rel=1e-6)


def test_timers_without_a_valid_book_decide_nothing():
    config = BacktestConfig(instruments=("X",))
    quotes = [book(SECOND * k, 99, 101) if not 5 <= k <= 7 else book(SECOND * k, 101, 99) for k in range(1, 30)]
    day = prepare_day(market_of(SPEC, quotes), config, SECOND)
    assert day.tape.valid.tolist() == [not 5 <= k <= 7 for k in range(1, 30)]
    world = MarketWorld([day], config, MarketOptions(beta=0.9, window=3), n=128)
    world.reset(2)
    found = set()
    for _ in range(6):
        _, learned = world.step(np.zeros(128, np.int16))
        found |= {round(discount, 6) for discount in learned.discount.tolist()}
    assert found == {0.0, 0.9, round(0.9**4, 6)}


def test_days_and_sessions_end_apart():
    config = BacktestConfig(instruments=("X",), session_gap="10s")
    midnight = 86_400 * SECOND
    quotes = [book(midnight + SECOND * k, 99, 101) for k in (*range(-6, 6), *range(100, 106))]
    day = prepare_day(market_of(SPEC, quotes), config, SECOND)
    assert len(day.tape.ts) == 6 + 6 + 9 + 6  # silent timers up to the session's end
    ends = {int(end - midnight) for end in day.end_ts if end}
    assert ends == {-SECOND + 1, 5 * SECOND + 1, 105 * SECOND + 1}
    assert (day.end_ts == 0).sum() == 9
    assert len(day.starts) == 5 + 5 + 5
    world = MarketWorld([day], config, MarketOptions(), n=32)
    world.reset(0)
    for _ in range(6):
        world.step(np.zeros(32, np.int16))
        assert not world.behaviour.truncated.any()
    assert world.behaviour.ended.any()


def test_rewards_by_hand(days, config):
    worlds = {rule.kind: MarketWorld(days, config, MarketOptions(reward=rule, window=40), n=16) for rule in (
        RewardRule(kind="pnl"), RewardRule(kind="pnl_risk", r=0.5), RewardRule(kind="quadratic", r=0.5),
        RewardRule(kind="asym_damped", eta=1.0))}
    found = {kind: run(world, 30)[0] for kind, world in worlds.items()}
    gained = 0
    for k, (actions, _, plain, told) in enumerate(found["pnl"]):
        place = np.arange(16), actions
        unit = worlds["pnl"].frozen.spread * float(days[0].market.instruments[0].price_unit)
        lot = float(next(i for i in days[0].market.instruments if i.name == "BTC/USD_T+0").lot_size)
        assert plain["reward"][place] * unit * lot == pytest.approx(told["pnl"], rel=1e-4, abs=1e-6)
        going = ~told["ended"]
        risky = found["pnl_risk"][k][2]["reward"][place][going]
        assert risky == pytest.approx(plain["reward"][place][going] - 0.5 * told["held"][going], abs=1e-4)
        square = found["quadratic"][k][2]["reward"][place][going]
        assert square == pytest.approx(plain["reward"][place][going] - 0.5 * told["held"][going] ** 2, abs=1e-3)
        damped = found["asym_damped"][k][2]["reward"][place]
        assert (damped <= plain["reward"][place] + 1e-6).all()
        gained += (damped < plain["reward"][place] - 1e-3).sum()
    assert gained > 20


def test_scales_are_frozen(days, config):
    trained = MarketWorld(days[:1], config, n=4)
    other = MarketWorld(days[1:], config, n=4, frozen=trained.frozen)
    assert other.frozen == trained.frozen
    assert other.metadata()["frozen"] == trained.metadata()["frozen"]
    assert Frozen.model_validate(trained.metadata()["frozen"]) == trained.frozen
    assert MarketOptions.model_validate(trained.metadata()["options"]) == trained.options
    valid = days[0].tape.valid
    inputs = trained.frozen.inputs(days[0].tape.features)[valid]
    assert np.abs(inputs.mean(axis=0)).max() < 1e-3
    moving = days[0].tape.features[valid].std(axis=0) > 1e-6
    assert inputs.std(axis=0)[moving] == pytest.approx(1, abs=1e-3)
    with pytest.raises(UsageError, match="not of the features"):
        MarketWorld(days, config, MarketOptions(market=MARKET_FEATURES[:3]), frozen=trained.frozen)


def test_grids_are_named_by_their_content():
    grid = ActionGrid()
    assert len(grid.actions) == 1 + 25 + 2 + 2
    assert [str(grid.actions[k]) for k in (0, 1, 26, 27, 28, 29)] == [
        "no quotes", "skew -1, half spread 0.5", "skew 0, half spread 1, bid only", "skew 0, half spread 1, offer only",
        "hedge 0.5", "hedge 1"]
    assert grid.hash == ActionGrid(name="other").hash
    assert grid.hash != ActionGrid(unit="tick").hash
    assert ActionGrid.model_validate(grid.model_dump(mode="json")) == grid
    assert len(ActionGrid(sizes=(1, 5)).actions) == 1 + 50 + 4 + 2
    assert grid.features().shape == (30, 5)
    for wrong, words in (({"skews": (0.0, 0.0)}, "twice"), ({"sizes": ()}, "at least 1"),
                         ({"skews": tuple(float(k) for k in range(60))}, "1 to 255"),
                         ({"hedges": (2.0,)}, "less than"), ({"skews": ()}, "need both")):
        with pytest.raises(ValueError, match=words):
            ActionGrid(**wrong)
    assert ActionGrid(skews=(), half_spreads=()).actions[0].bid is False


def test_wrong_worlds_are_refused(days, config):
    for words, arguments in {"at least one market": {"n": 0}, "0 <= relabel < 1": {"relabel": 1.0},
                             "only the action taken": {"relabel": 0.5, "backup": "taken"}}.items():
        with pytest.raises(UsageError, match=words):
            MarketWorld(days, config, **arguments)
    for words, options in {"unknown feature 'imbalanc'": {"market": ("imbalanc",)},
                           "named twice": {"market": ("imbalance",) * 2},
                           "inventory must be seen": {"private": ("bid_age",)},
                           "not be less than the size": {"max_position": 2, "actions": ActionGrid(sizes=(3,))}}.items():
        with pytest.raises(ValueError, match=words):
            MarketOptions(**options)
    with pytest.raises(UsageError, match="no book is ever"):
        prepare_day(market_of(SPEC, [book(SECOND, 99)]), BacktestConfig(instruments=("X",)), SECOND)
    with pytest.raises(UsageError, match="no two decisions"):
        MarketWorld([market_of(SPEC, [book(SECOND, 99, 101)])], BacktestConfig(instruments=("X",)))
    world = MarketWorld(days, config, n=2)
    seen = world.reset(0)
    with pytest.raises(ValueError, match="actions must be 2 numbers from 0 to 29"):
        world.step(np.array([0, 30], np.int16))
    wrong = np.array([0, (~seen.admissible[1]).argmax()], np.int16)
    with pytest.raises(ValueError, match="of market 1 is not admissible"):
        world.step(wrong)
