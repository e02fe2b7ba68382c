"""Logs: the same in every run but for the clock, cut to a checkpoint, and never the end of a training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from mmbt.learn.journal import Journal


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_line_a_block_and_events_for_tensorboard(tmp_path: Path) -> None:
    import tensorflow as tf

    journal = Journal(tmp_path, 0, pytest.fail)
    journal.write(1, {"steps": 10, "loss": math.nan}, {"wall_seconds": 0.5})
    journal.write(2, {"steps": 20, "loss": 0.25, "validation": {"F": 2.0}}, {"wall_seconds": 0.5})
    journal.close()
    assert lines(tmp_path) == [
        {"block": 1, "steps": 10, "loss": None, "clock": {"wall_seconds": 0.5}},
        {"block": 2, "steps": 20, "loss": 0.25, "validation": {"F": 2.0}, "clock": {"wall_seconds": 0.5}}]
    (events,) = (tmp_path / "tensorboard").iterdir()
    found = set()
    for record in tf.data.TFRecordDataset(str(events)):
        event = tf.compat.v1.Event.FromString(record.numpy())
        found |= {(event.step, value.tag, float(tf.make_ndarray(value.tensor))) for value in event.summary.value}
        assert all(value.metadata.plugin_data.plugin_name == "scalars" for value in event.summary.value)
    assert found == {(1, "steps", 10.0), (1, "clock/wall_seconds", 0.5), (2, "steps", 20.0), (2, "loss", 0.25),
                     (2, "validation/F", 2.0), (2, "clock/wall_seconds", 0.5)}


@pytest.mark.parametrize("rest", [b"", b'{"block": 4, "lo', b'{"block": 4}\n{"block": 5}\n', b"\x00\xff\n"])
def test_lines_after_the_checkpoint_are_cut_off(tmp_path: Path, rest: bytes) -> None:
    kept = b'{"block": 1}\n{"block": 2}\n{"block": 3}\n'
    (tmp_path / "metrics.jsonl").write_bytes(kept + rest)
    journal = Journal(tmp_path, 3, pytest.fail)
    assert (tmp_path / "metrics.jsonl").read_bytes() == kept
    journal.write(4, {"loss": 1.0}, {})
    journal.close()
    assert [line["block"] for line in lines(tmp_path)] == [1, 2, 3, 4]


def test_R10_logs_that_cannot_be_written_are_told_once_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    (tmp_path / "tensorboard").write_text("in the way")
    journal = Journal(tmp_path, 0, told.append)
    journal.write(1, {"loss": 1.0}, {})
    real = Path.open

    def refuse(path: Path, *arguments: object, **more: object) -> object:
        if path.name == "metrics.jsonl":
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    for block in (2, 3):
        journal.write(block, {"loss": 1.0}, {})
        journal.sync()
    monkeypatch.setattr(Path, "open", real)
    journal.write(4, {"loss": 1.0}, {})
    journal.close()
    assert [line["block"] for line in lines(tmp_path)] == [1, 2, 3, 4]
    assert len(told) == 2
    assert "tensorboard cannot be written" in told[0]
    assert "metrics.jsonl cannot be written: No space left" in told[1]
