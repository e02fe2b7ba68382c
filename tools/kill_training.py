"""Kill a training at random moments with SIGKILL, resume it, and compare its end with an uninterrupted run.

    python tools/kill_training.py [--kills 20] [--seed 0] [--market exact-market] [--market recorded]

Prints a line a kill and ends with 1 where a bit of the state, of the model or of the metrics (the clock aside) differs.
A training starts in seconds and is killed while it starts, too: a fourth of the kills fall there.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mmbt.learn.checkpoint import Checkpoints

SMALL = {"steps": 12_000, "learn_start": 1000, "capacity": 4000, "batch": 64, "updates": 4, "layers": 16, "markets": 16}
COMMON = ["--checkpoint-every", "1ms", "--json"]
MARKETS = {
    "exact-market": ["--market", "exact-market", "-S", "q_max=3"],
    "recorded": ["-S", "validations=30", "-S", "patience=none", "-S", "window=60"],
}
STARTING = 0.25  # share of kills before the first new block


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mmbt", "train", *arguments]


def blocks(run: Path) -> int:
    """Lines of metrics so far."""
    try:
        return (run / "metrics.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def outcome(run: Path) -> dict[str, Any]:
    """All that must not differ."""
    found, wrong = Checkpoints(run / "checkpoints").latest()
    assert found is not None
    assert not wrong, wrong
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["clock"]
    model = {path.name: path.read_bytes() for path in (run / "model").glob("*.npy")}
    assert model
    meta = {name: value for name, value in found.meta.items() if name != "identity"}
    return {"meta": meta, "lines": lines, "model": model,
            **{name: (array.dtype.str, array.shape, array.tobytes()) for name, array in found.arrays.items()}}


def kill_once(words: list[str], run: Path, rng: random.Random, span: float, start: float) -> str:
    """Start or resume a run and kill it; says where."""
    before = blocks(run)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            if rng.random() < STARTING:
                time.sleep(rng.uniform(0, start))
            else:
                deadline = time.monotonic() + 600
                while blocks(run) <= before and child.poll() is None:
                    assert time.monotonic() < deadline, "no block in ten minutes"
                    time.sleep(0.002)
                time.sleep(rng.uniform(0, span))
            ended = child.poll()
        finally:
            child.kill()
    assert not ended, f"exit {ended} of {' '.join(words)}"
    return "it was over" if ended == 0 else f"killed after block {blocks(run)}"


def compare(market: str, folder: Path, kills: int, seed: int, more: list[str]) -> list[str]:
    """What differs between a run and the same run killed so often; empty when nothing does."""
    rng = random.Random(seed)
    options = [word for name, value in SMALL.items() for word in ("-S", f"{name}={value}")]
    words = [*MARKETS[market], *options, *COMMON, *more]
    whole, killed = folder / "whole", folder / "killed"
    began = time.monotonic()
    subprocess.run(command(*words, "--out", str(whole)), check=True, stdout=subprocess.DEVNULL)
    took = json.loads((whole / "metrics.jsonl").read_text().splitlines()[-1])["clock"]["seconds"]
    start = time.monotonic() - began - took
    print(f"{market}: {blocks(whole)} blocks uninterrupted, {took:.1f} s after {start:.1f} s to start", flush=True)
    for count in range(kills):
        begun = (killed / "manifest.json").exists()
        new = command(*words, "--out", str(killed))
        again = command("--resume", str(killed), *COMMON)
        said = kill_once(again if begun else new, killed, rng, 1.5 * took / kills, start)
        print(f"  {count + 1}: {said}", flush=True)
    last = again if (killed / "manifest.json").exists() else new
    subprocess.run(last, check=True, stdout=subprocess.DEVNULL)
    one, other = outcome(whole), outcome(killed)
    return [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]


def data_options(market: str, folder: Path) -> list[str]:
    """The options that name the sample, converted, where days are needed."""
    if market != "recorded":
        return []
    raw, store = Path(__file__).resolve().parents[1] / "data" / "raw-data", folder / "store"
    convert = [sys.executable, "-m", "mmbt", "convert", str(raw), "--out", str(store)]
    subprocess.run(convert, check=True, stdout=subprocess.DEVNULL)
    return ["--data", str(store)]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--market", action="append", choices=list(MARKETS), help="both by default")
    chosen = parser.parse_args()
    wrong = 0
    for market in chosen.market or list(MARKETS):
        with tempfile.TemporaryDirectory(prefix="mmbt-kill-") as name:
            more = data_options(market, Path(name))
            differs = compare(market, Path(name), chosen.kills, chosen.seed, more)
        said = f"differs in {', '.join(differs)}" if differs else "byte-equal to the uninterrupted run"
        print(f"{market}: {said}", flush=True)
        wrong += bool(differs)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
