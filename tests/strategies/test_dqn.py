"""The strategy of a trained network sees, decides and earns what a greedy policy does in the world it learned in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbt import BacktestConfig
from mmbt.backtest import FillRules, NoSink, run_backtest
from mmbt.envs.actions import ActionGrid
from mmbt.envs.days import prepare_day
from mmbt.envs.features import PRIVATE_FEATURES
from mmbt.envs.market import MarketWorld
from mmbt.envs.options import MarketOptions
from mmbt.errors import StoreError, UsageError
from mmbt.learn.model import Model
from mmbt.market import ArrayMarket
from mmbt.store import convert, open_store
from mmbt.strategies.dqn import DQN
from mmbt.strategies.registry import make
from mmbt.testing.conformance import StrategyConformance, small_market
from mmbt.testing.models import random_model

ROOT = Path(__file__).resolve().parents[2]
NAME = "BTC/USD_T+0"
SECOND = 10**9

GRIDS = {
    "spreads": ActionGrid(),
    "ticks and sizes": ActionGrid(unit="tick", skews=(-3, 0, 3), half_spreads=(0, 1, 4), sizes=(2, 1)),
}
VARIANTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as it comes": ({}, {}),
    "own orders seen": ({}, {"private": PRIVATE_FEATURES}),
    "ticks and sizes": ({"fills": FillRules.parse("conservative")}, {"actions": GRIDS["ticks and sizes"],
                                                                    "max_position": 4}),
    "a delay": ({}, {"delay": 2}),
    "a delay and orders on their way": ({"place_latency": "700ms"}, {"delay": 1}),
    "queues": ({"fills": FillRules.parse("queue"), "maker_fee": "-0.1", "taker_fee": "1"}, {"interval": SECOND // 2}),
    "everything late": ({"place_latency": "300ms", "cancel_latency": "900ms", "response_latency": "400ms",
                         "feed_latency": "lognormal:median=100ms,sigma=0.5", "seed": 4}, {}),
    "few features": ({}, {"market": ("imbalance", "return_5s", "time_sin"), "private": ("inventory",)}),
}


class Traced(DQN):
    """Begins where it is told, and notes every decision with what it saw and what it had by then."""

    begin, most = 0, 10**9

    def on_start(self, ctx: Any) -> None:
        super().on_start(ctx)
        self.noted: list[tuple[Any, ...]] = []

    def on_timer(self, ctx: Any) -> None:
        if ctx.time < self.begin or not ctx.valid or len(self.noted) == self.most:
            return
        worth = float(ctx.cash) + ctx.position * float(ctx.lot_size) * ctx.mid * float(ctx.tick_size)
        super().on_timer(ctx)
        self.noted.append((ctx.time, self.policies[ctx.instrument].last(), ctx.position, worth))


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The first day of the sample that comes with the project."""
    store = tmp_path_factory.mktemp("sample") / "store"
    convert([ROOT / "data" / "raw-data"], store)
    return open_store(store)


@pytest.fixture(scope="module")
def made(sample, tmp_path_factory):
    """Day, conditions and model of a variant, made once."""
    found: dict[str, Any] = {}

    def make_variant(name: str) -> Any:
        if name not in found:
            conditions, choices = VARIANTS[name]
            config, options = BacktestConfig(instruments=(NAME,), **conditions), MarketOptions(window=60, **choices)
            with sample.select([NAME], ("2022-09-20", "2022-09-20")) as market:
                day = prepare_day(market, config, options.interval)
            model = random_model([day], config, options, layers=(32, 16), seed=len(found))
            path = tmp_path_factory.mktemp("models") / "model"
            model.save(path)
            found[name] = day, config, options, model, path
        return found[name]

    return make_variant


@pytest.mark.parametrize("name", VARIANTS)
def test_a_backtest_is_what_training_was(made, name):
    day, config, options, model, path = made(name)
    count = 5
    world = MarketWorld([day], config, options, n=count, backup="taken")
    starts = day.starts[np.linspace(0, len(day.starts) - 2 * options.window, count).astype(int)]
    begin = world.state() | {"start": starts, "steps": np.zeros(count, np.int64), "log": np.zeros((count, 0), np.int16)}
    seen = world.reset(0)
    world.restore(begin | {"pending": np.zeros((count, options.delay), np.int16)})
    net, chosen = model.forward(), np.empty(count, np.int16)
    steps: list[Any] = []
    for _ in range(options.window):
        net.act(seen.market, seen.private, seen.admissible.view(np.uint8), chosen)
        told = [np.concatenate([seen.market, seen.private], axis=1), seen.admissible.copy(), chosen.copy()]
        seen, _ = world.step(chosen)
        steps.append((*told, world.behaviour.position.copy(), world.behaviour.pnl.copy()))
    assert not world.behaviour.ended.any()
    assert len({int(action) for step in steps for action in step[2]}) > 5
    for k in range(count):
        strategy = Traced(model=str(path))
        strategy.begin, strategy.most = int(day.tape.ts[starts[k]]), options.window + 1
        result = run_backtest(day.market, strategy, config)
        noted = strategy.noted
        assert len(noted) == options.window + 1
        for place, (inputs, admissible, action, position, _) in enumerate(steps):
            _, decision, _, _ = noted[place]
            assert decision.inputs.tobytes() == inputs[k].tobytes()
            assert (decision.admissible == admissible[k]).all()
            assert decision.action == action[k]
            assert noted[place + 1][2] == position[k]
        if name != "everything late":  # where what it sees is what is
            worth = np.array([each[3] for each in noted])
            np.testing.assert_allclose(np.diff(worth), [step[4][k] for step in steps], atol=1e-6)
        assert result.summary["fills"] > 0


def test_decisions_are_tensorflows(made):
    """Networks of several shapes: dueling, quantiles, deep, none hidden."""
    pytest.importorskip("tensorflow")
    from mmbt.learn.agent import build_network, plain_layers, prepare_tensorflow
    from mmbt.learn.options import LearnerOptions

    prepare_tensorflow()  # or whoever learns later in this process could not
    day, config, _, model, path = made("own orders seen")
    inputs, actions = len(model.info.inputs), model.info.actions
    for seed, (layers, more) in enumerate([
        ((64, 64), {}), ((), {}), ((16, 48, 8), {"dueling": True}), ((32,), {"quantiles": 9}),
        ((64, 64), {"dueling": True, "quantiles": 16}),
    ]):
        learner = LearnerOptions(seed=seed, layers=layers, **more)
        network, rng = build_network(inputs, actions, learner), np.random.default_rng(seed)
        network.set_weights([rng.normal(0, 0.3, array.shape).astype(np.float32) for array in network.get_weights()])
        plain = plain_layers(network.get_weights(), actions, learner)
        Model(model.info.model_copy(update={"layers": layers}), plain).save(path.parent / f"tf{seed}")
        strategy = Traced(model=str(path.parent / f"tf{seed}"))
        run_backtest(day.market, strategy, config, NoSink())
        assert len(strategy.noted) > 200
        values = network(np.stack([decision.inputs for _, decision, _, _ in strategy.noted])).numpy()
        values = values.mean(axis=2) if values.ndim == 3 else values
        scale = np.abs(values).max()
        for theirs, (_, ours, _, _) in zip(values, strategy.noted, strict=True):
            assert np.abs(theirs - ours.values).max() <= 1e-5 * scale
            best = np.where(ours.admissible, theirs, -np.inf)
            assert best[ours.action] >= best.max() - 1e-5 * scale
            second = np.sort(best)[-2]
            if best.max() - second > 1e-5 * scale:
                assert ours.action == best.argmax()


def test_it_runs_without_tensorflow_and_gymnasium(made, tmp_path):
    *_, path = made("as it comes")
    code = """
import sys
class Blocked:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {"tensorflow", "keras", "gymnasium", "torch", "onnx", "pandas"}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from mmbt import BacktestConfig
from mmbt.backtest import run_backtest
from mmbt.strategies.registry import make
from mmbt.synth import generate_market, make_config
market = generate_market(make_config("triangle", {"seed": 3, "duration": "20s"}))
strategy = make("dqn", {"model": sys.argv[1]})
print(run_backtest(market, strategy, BacktestConfig(instruments=("BTC/USD_T+0",))).summary["decisions"])
"""
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_what_is_in_the_record(made):
    day, config, _, model, path = made("as it comes")
    summary = run_backtest(day.market, DQN(model=str(path)), config, NoSink()).summary
    assert summary["about"] == {"model": str(path), "model_hash": model.hash}
    assert summary["warnings"] == []


@pytest.mark.parametrize(("conditions", "values", "said"), [
    ({"fills": FillRules.parse("queue")}, {}, ["fills seed (cross=through, trade=through",
                                              "runs with queue (cross=through, trade=queue"]),
    ({"fills": FillRules.parse("seed,size=displayed")}, {}, ["size=displayed"]),
    ({"place_latency": "5ms"}, {}, ["place latency 0 and runs with 5ms"]),
    ({"feed_latency": "local"}, {}, ["feed latency 0 and runs with local"]),
    ({"maker_fee": "-0.5", "taker_fee": "2"}, {}, ["maker fee 0 and runs with -0.5", "taker fee 0 and runs with 2"]),
    ({}, {"interval": "100ms"}, ["interval 1s and runs with 100ms"]),
    ({"instruments": ("BTC/RUB_T+0",)}, {}, [f"instruments {NAME} and runs with BTC/RUB_T+0"]),
    ({"position": 3, "seed": 5, "equity_interval": "10s"}, {}, []),
    ({"fills": FillRules.parse("conservative,size=full")}, {}, []),
    ({"cancel_latency": "0"}, {}, []),
])
def test_other_conditions_than_it_learned_under_are_told(made, conditions, values, said):
    _, config, _, _, path = made("as it comes")
    other = BacktestConfig(**({"instruments": config.instruments} | conditions))
    warnings = DQN(model=str(path), **values).warnings(other)
    for text in said:
        assert any(text in warning for warning in warnings), warnings
    assert bool(warnings) == bool(said)


def test_models_that_cannot_be_run_are_refused(made, tmp_path):
    *_, model, _ = made("as it comes")
    fields = dict(model.info)

    def saved(**changes: Any) -> str:
        Model(type(model.info)(**(fields | changes)), model.weights).save(tmp_path / "model")
        return str(tmp_path / "model")

    world = model.info.world
    with pytest.raises(UsageError, match="exact-market"):
        DQN(model=saved(kind="exact-market"))
    for broken in ({}, world | {"actions_hash": "0" * 64}, world | {"options": world["options"] | {"interval": -1}},
                   world | {"private": world["private"][::-1]}, world | {"frozen": None}, world | {"options": []},
                   world | {"frozen": world["frozen"] | {"mean": []}},
                   world | {"options": world["options"] | {"delay": 1}}):
        with pytest.raises(StoreError, match="train again"):
            make("dqn", {"model": saved(world=broken)})


@pytest.mark.parametrize("value", [None, [], "x", {"y": 1}, -1.5, [None], 2**70, True], ids=str)
def test_conditions_that_make_no_sense_are_told_as_others(made, tmp_path, value):
    _, config, _, model, _ = made("as it comes")
    for name in model.info.conditions:
        info = model.info.model_copy(update={"conditions": model.info.conditions | {name: value}})
        Model(info, model.weights).save(tmp_path / "model")
        assert all("may not hold here" in text for text in DQN(model=str(tmp_path / "model")).warnings(config))


def test_the_latest_is_taken(made, tmp_path, monkeypatch):
    *_, model, _ = made("as it comes")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="mmbt train"):
        make("dqn")
    model.save(Path("runs/20240301-101500-train/model"))
    assert make("dqn").about()["model"] == "runs/20240301-101500-train/model"
    assert make("dqn", ["model=20240301-101500-train"]).about() == make("dqn").about()


class TestDQN(StrategyConformance):
    """A network of random weights, on several instruments, decides as often as others do."""

    strategy = DQN
    instruments = (NAME, "A/B")

    @pytest.fixture(autouse=True)
    def _model(self, tmp_path_factory):
        path = tmp_path_factory.getbasetemp() / "conformance"
        if not path.exists():
            options = MarketOptions(interval=50 * 10**6, max_position=6, private=PRIVATE_FEATURES)
            config = BacktestConfig(instruments=(NAME,))
            random_model([ArrayMarket(small_market(1))], config, options, seed=3).save(path)
        type(self).values = {"model": str(path)}
