"""A training from start to end: validation, the best model, early stop, and going on with what a checkpoint holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from mmbt.envs.exact_market import ExactMarketWorld
from mmbt.envs.world import Observation
from mmbt.errors import FileError, NumericError, StoreError
from mmbt.exact_models import ExactMarketParams
from mmbt.learn.checkpoint import Checkpoints
from mmbt.learn.options import LearnerOptions
from mmbt.learn.schedule import ScheduleOptions
from mmbt.learn.session import Session
from mmbt.learn.training import DivergedError
from mmbt.store import files

SMALL: dict[str, Any] = {
    "steps": 1500, "learn_start": 150, "capacity": 2000, "batch": 32, "updates": 4, "layers": (8,), "seed": 3}
STATES = ExactMarketWorld(ExactMarketParams(q_max=3)).every_state()


def judge(choose: Callable[[Observation], Any]) -> dict[str, float]:
    """Something that depends on the policy only."""
    return {"F": float(np.sin(choose(STATES).astype(np.float64)).sum()), "position": 0.0, "quoting": 1.0}


class Kept:
    """A session on a small exact market, with what it published and warned of."""

    def __init__(self, folder: Path, *, every: float = 0.0, scored: bool = True, identity: str = "me",
                 schedule: dict[str, Any] | None = None, **options: Any) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.warned: list[str] = []
        self.published: list[tuple[bytes, dict[str, float], dict[str, int]]] = []
        chosen = LearnerOptions(**SMALL | options)
        self.session = Session(
            ExactMarketWorld(ExactMarketParams(q_max=3), n=16, relabel=chosen.relabel), chosen,
            ScheduleOptions(**{"validations": 9, "patience": None} | (schedule or {})), folder=folder,
            identity=identity, judge=judge if scored else None, publish=self.publish, checkpoint_s=every,
            warn=self.warned.append)

    def publish(self, layers: list[Any], scores: dict[str, float], counts: dict[str, int]) -> None:
        self.published.append((b"".join(layer.tobytes() for layer in layers), scores, counts))

    def run(self, stop: Callable[[], str] = lambda: "") -> Kept:
        with self.session as session:
            session.resume()
            for _ in session.run(stop):
                pass
        return self

    def bits(self) -> dict[str, bytes]:
        return {name: array.tobytes() for name, array in self.session.trainer.state().items()}

    def lines(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]
        for line in found:
            assert set(line.pop("clock")) == {"learn_seconds", "collect_seconds", "wall_seconds", "seconds"}
        return found


def stopping(blocks: int) -> Callable[[], str]:
    left = iter(range(blocks))
    return lambda: "" if next(left, None) is not None else "enough"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("whole") / "run", every=3600.0).run()


def test_the_best_model_is_published_and_validations_are_spread(whole: Kept) -> None:
    lines = whole.lines()
    judged = [line for line in lines if "validation" in line]
    assert [line["block"] for line in lines] == list(range(1, whole.session.trainer.blocks + 1))
    assert len(judged) == 9
    assert judged[-1] is lines[-1]
    assert np.ptp(np.diff([line["block"] for line in judged])) <= 1
    best = max(judged, key=lambda line: line["validation"]["F"])
    assert whole.session.best is not None
    assert whole.session.best.counts["block"] == best["block"]
    assert whole.published[-1][1] == best["validation"]
    assert whole.session.ended == "complete"
    assert whole.warned == []


def test_R1_a_run_cut_into_sessions_is_the_uninterrupted_one(tmp_path: Path, whole: Kept) -> None:
    for blocks, every in ((0, 0.0), (2, 3600.0), (20, 0.0)):  # the first two end before learning begins
        cut = Kept(tmp_path / "run", every=every).run(stopping(blocks))
        assert cut.session.ended == "enough"
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"block": 999}\n{"half a li')
    last = Kept(tmp_path / "run").run()
    assert last.bits() == whole.bits()
    assert last.lines() == whole.lines()
    assert last.published[-1] == whole.published[-1]
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) <= 3
    again = Kept(tmp_path / "run").run()
    assert again.session.ended == "complete"
    assert again.bits() == whole.bits()


def test_early_stop_survives_resumption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([1.0, 3.0, 2.0, 3.0, 2.5])
    monkeypatch.setattr(f"{__name__}.judge", lambda choose: {"F": next(scores)})
    first = Kept(tmp_path, schedule={"patience": 3})
    second = Kept(tmp_path, schedule={"patience": 3})
    assert first.run(lambda: "pause" if first.session._stale == 1 else "").session.ended == "pause"
    assert second.run().session.ended == "early stop"
    assert [line["validation"]["F"] for line in second.lines() if "validation" in line] == [1.0, 3.0, 2.0, 3.0, 2.5]
    assert Kept(tmp_path, schedule={"patience": 3}).run().session.ended == "early stop"


def test_without_days_to_validate_on_the_last_model_is_the_result(tmp_path: Path) -> None:
    kept = Kept(tmp_path, scored=False).run(stopping(2))
    assert kept.published == []
    kept.session.publish()
    result = b"".join(layer.tobytes() for layer in kept.session.trainer.result)
    assert kept.published == [(result, {}, kept.session._counts())]


def test_R2_a_checkpoint_that_lacks_something_is_refused(tmp_path: Path) -> None:
    Kept(tmp_path).run(stopping(2))
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    found, _ = checkpoints.latest()
    assert found is not None
    meta = {name: value for name, value in found.meta.items() if name != "block"}
    wanted = {"agent.online.0", "agent.target.0", "agent.average.0", "agent.first.0", "agent.second.0", "agent.done.0",
              "agent.centre.0", "trainer.counters", "observation.market", "world.step", "replay.reward"}
    assert wanted <= found.arrays.keys()
    for name in sorted(wanted):
        checkpoints.save(found.block, {k: v for k, v in found.arrays.items() if k != name}, meta)
        with pytest.raises(StoreError, match="does not fit this training"):
            Kept(tmp_path).run()
    checkpoints.save(found.block, dict(found.arrays) | {"agent.online.0": np.zeros((2, 2), np.float32)}, meta)
    with pytest.raises(StoreError, match="does not fit this training"):
        Kept(tmp_path).run()
    checkpoints.save(found.block, found.arrays, meta)
    with pytest.raises(StoreError, match="other options"):
        Kept(tmp_path, identity="other").run()


def test_R3_a_damaged_checkpoint_is_named_and_the_one_before_goes_on(tmp_path: Path, whole: Kept) -> None:
    Kept(tmp_path).run(stopping(3))
    latest = max((tmp_path / "checkpoints").iterdir())
    latest.write_bytes(latest.read_bytes()[:-7])
    last = Kept(tmp_path).run()
    assert str(latest) in last.warned[0]
    assert "going on from the checkpoint before" in last.warned[1]
    assert last.bits() == whole.bits()
    assert last.lines() == whole.lines()


class Killed(BaseException):
    pass


def test_R3_killed_at_every_write_of_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path, every=3600.0).run(stopping(2))
    state, meta = kept.session.trainer.state(), {"identity": "me"}
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    calls = limit = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == limit:
                raise Killed
            return real(*arguments, **more)

        return call

    for where, name in ((files, "write_some"), (os, "fsync"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir")):
        monkeypatch.setattr(where, name, counted(getattr(where, name)))
    block = kept.session.trainer.block
    for limit in range(1, 200):
        calls = 0
        try:
            checkpoints.save(block + limit, state, meta)
        except Killed:
            found, wrong = checkpoints.latest()
            assert wrong == []
            assert found is not None
            assert found.block in {block + limit, block + limit - 1, block}
            continue
        break
    assert limit > 40


def iterate(kept: Kept) -> Iterator[Any]:
    return kept.session.run(lambda: "")


@pytest.mark.parametrize("what", ["reward", "observation"])
def test_R4_what_is_no_number_stops_the_run_and_is_kept(tmp_path: Path, what: str) -> None:
    kept = Kept(tmp_path)
    with kept.session as session:
        for _ in session.run(stopping(12)):
            pass
        state = session.trainer.state()
        state["replay.reward" if what == "reward" else "replay.market"][:] = np.nan
        session.trainer.restore(state)
        session.ended = ""
        with pytest.raises(DivergedError, match="is not a number") as caught:
            list(iterate(kept))
    assert caught.value.exit_code == 7
    assert "nan_report" in caught.value.__notes__[0]
    with np.load(tmp_path / "nan_report" / "batches.npz", allow_pickle=False) as batches:
        assert np.isnan(batches["reward" if what == "reward" else "state"]).any()
    found, wrong = Checkpoints(tmp_path / "checkpoints").latest()
    assert found is not None
    assert wrong == []
    assert all(np.isfinite(array).all() for name, array in found.arrays.items() if name.startswith("agent."))


def test_R4_a_reward_that_is_no_number_before_learning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    step = kept.session.trainer.world.step

    def spoiled(actions: Any) -> Any:
        seen, learned = step(actions)
        learned.reward[0] = np.inf
        return seen, learned

    monkeypatch.setattr(kept.session.trainer.world, "step", spoiled)
    with kept.session, pytest.raises(NumericError, match="a reward of block 1 is no number"):
        list(iterate(kept))


def test_R4_weights_that_are_no_numbers_are_never_written(tmp_path: Path) -> None:
    kept = Kept(tmp_path, every=3600.0)
    with kept.session as session:
        steps = session.run(lambda: "")
        next(steps)
        state = session.trainer.state()
        state["agent.average.0"][0, 0] = np.nan
        session.trainer.restore(state)
        with pytest.raises(NumericError, match=r"agent\.average\.0 holds what is no number"):
            session.checkpoint()
    assert not (tmp_path / "checkpoints").exists()


def test_R10_a_full_disk_ends_the_run_and_leaves_the_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Kept
) -> None:
    Kept(tmp_path).run(stopping(3))
    before = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}

    def full(file: Any, data: Any) -> int:
        raise OSError(28, "No space left on device", file.name)

    kept = Kept(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(files, "write_some", full)
        with pytest.raises(FileError, match="bytes are free") as caught:
            kept.run()
    assert "checkpoints before are whole" in caught.value.__notes__[0]
    assert {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()} == before
    assert Kept(tmp_path).run().bits() == whole.bits()
