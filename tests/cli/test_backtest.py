"""`mmbt backtest` from the store to its table, its document and its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mmbt.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FIXED = ["backtest", "--strategy", "fixed-spread", "-S", "half_spread_ticks=1"]


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    out, _ = capsys.readouterr()
    found: dict[str, Any] = json.loads(out)
    return found


CONTRACT = {
    "run": str,
    "strategy": str,
    "instruments": list,
    "events": int,
    "tob_events": int,
    "trade_events": int,
    "wall_s": float,
    "events_per_s": float,
    "peak_rss_mb": float,
    "result_hash": str,
    "fills": int,
    "traded_lots": int,
    "position_lots": int,
    "pnl": str,
    "pnl_spread": str,
    "pnl_inventory": str,
    "hedge_cost": str,
    "fees": str,
    "currency": str,
    "decisions": int,
    "liquidation_pnl": str,
    "max_drawdown": str,
    "fill_ratio": float,
    "markouts": list,
    "fills_by_reason": dict,
}


def test_the_document_keeps_the_contract(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *FIXED)
    assert {name: type(found[name]) for name in CONTRACT} == CONTRACT
    assert found["events"] == found["tob_events"] + found["trade_events"] > 0
    assert found["strategy"] == "fixed-spread"
    assert found["instruments"] == ["BTC/USD_T+0"]
    assert found["currency"] == "USD"
    assert found["fills"] > 0
    money = {
        name: Decimal(found[name])
        for name in CONTRACT
        if CONTRACT[name] is str and name.startswith(("pnl", "fee", "hedge"))
    }
    assert money["pnl"] == money["pnl_spread"] + money["pnl_inventory"] - money["hedge_cost"] - money["fees"]
    assert [row["horizon"] for row in found["markouts"]] == ["0", "100ms", "1s", "10s", "60s"]
    for row in found["markouts"]:
        assert row["fills"] + row["dropped"] == found["fills_by_reason"]["cross"] + found["fills_by_reason"]["trade"]


def test_two_instruments_give_objects_by_name(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["BTC/USD_T+0", "ETH/USD_T+0"]
    found = document(capsys, *FIXED, "--instrument", names[1], "--instrument", names[0], "--watch", "USD/RUB_T+0")
    assert found["instruments"] == names
    assert found["watch"] == ["USD/RUB_T+0"]
    for name in (
        "position_lots",
        "pnl",
        "pnl_spread",
        "pnl_inventory",
        "hedge_cost",
        "fees",
        "traded_lots",
        "max_drawdown",
        "markouts",
    ):
        assert list(found[name]) == names


def test_the_folder_holds_what_the_document_says(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, *FIXED, "--maker-fee", "-0.25", "--latency", "3ms", "--seed", "9")
    run = Path(found["run"])
    assert run.parent == Path("runs")
    assert run.name.endswith("-fixed-spread")
    assert json.loads((run / "metrics.json").read_text()) == found
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert manifest["config"]["place_latency"] == 3_000_000
    assert manifest["config"]["seed"] == 9
    assert manifest["strategy"]["params"]["half_spread_ticks"] == 1.0
    assert all(len(entry["sha256"]) == 64 for entry in manifest["inputs"]["files"])
    fills = pq.read_table(run / "fills.parquet")
    assert fills.num_rows == found["fills"]
    assert fills.schema.names[:10] == [
        "ts",
        "instrument",
        "order_id",
        "side",
        "px",
        "qty",
        "reason",
        "purpose",
        "fee",
        "position",
    ]
    assert sum(fills["fee"].to_pylist()) == Decimal(found["fees"])
    equity = pq.read_table(run / "equity.parquet")
    assert equity["pnl"][-1].as_py() == Decimal(found["pnl"])
    assert pq.read_table(run / "orders.parquet").num_rows == sum(found["order_outcomes"].values())
    assert not list(run.glob("*.part"))


def test_the_table_tells_a_trader_the_run(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main([*FIXED, "--fills", "conservative,cross=touch", "--latency", "5ms", "--out", "mine"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for text in (
        "fixed-spread on BTC/USD_T+0",
        "fills conservative (cross=touch",
        "latency 5ms",
        "events",
        "/s",
        "PnL",
        "spread",
        "inventory",
        "hedge cost",
        "fees",
        "not quoting: 0",
        "liquidation",
        "max drawdown",
        "position",
        "fill ratio",
        "cross",
        "trade",
        "taker",
        "mark-outs",
        "standard error",
        "dropped",
        "result hash",
        "mine",
        "memory",
    ):
        assert text in out, text
    assert max(map(len, out.splitlines())) <= 84


def test_runs_in_two_processes_have_one_hash(inside: Path, capsys: pytest.CaptureFixture[str], run: Run) -> None:
    here = document(capsys, *FIXED)
    there = run(*FIXED, "--json", PYTHONHASHSEED="3")
    assert (there.returncode, there.stderr) == (0, "")
    assert json.loads(there.stdout)["result_hash"] == here["result_hash"]


def test_days_and_times_select_events(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = document(capsys, *FIXED)["events"]
    first = document(capsys, *FIXED, "--dates", "2022-09-20")["events"]
    second = document(capsys, *FIXED, "--from", "2022-09-21T00:00:00Z")["events"]
    assert first > 0 < second
    assert first + second == whole
    assert document(capsys, *FIXED, "--to", "2022-09-21")["events"] == first


def test_the_seed_is_that_of_a_strategy_with_one(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = ["backtest", "--strategy", "random"]
    by_flag = document(capsys, *random, "--seed", "7")["result_hash"]
    assert by_flag == document(capsys, *random, "-S", "seed=7")["result_hash"]
    assert by_flag == document(capsys, *random, "-S", "seed=7", "--seed", "1")["result_hash"]
    assert by_flag != document(capsys, *random)["result_hash"]


def test_settings_of_the_project_are_used(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mmbt.toml").write_text(
        '[backtest]\nstrategy = "fixed-spread"\nlatency = "7ms"\nout = "from-toml"\n'
        "[backtest.params.fixed-spread]\nsize = 3\nhalf_spread_ticks = 2.5\n",
        encoding="utf-8",
    )
    found = document(capsys, "backtest", "-S", "size=2")
    assert found["run"] == "from-toml"
    assert found["config"]["place_latency"] == 7_000_000
    assert (found["params"]["size"], found["params"]["half_spread_ticks"]) == (2, 2.5)


def test_a_position_to_start_with(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "backtest", "--strategy", "fixed-spread", "-S", "half_spread_ticks=1e6", "--position", "5")
    assert (found["fills"], found["position_lots"]) == (0, 5)


WRONG = {
    "instrument": (["--instrument", "BTC/USD"], 2, "did you mean 'BTC/USD_T+0'"),
    "watched": (["--watch", "BTC/EUR"], 2, "no instrument 'BTC/EUR'"),
    "watched_and_traded": (["--instrument", "BTC/USD_T+0", "--watch", "BTC/USD_T+0"], 2, "named twice"),
    "dates": (["--dates", "1999-01-01"], 2, "the store has 2022-09-20 to 2022-09-21"),
    "backwards": (["--from", "2022-09-21", "--to", "2022-09-20"], 2, "before it starts"),
    "queue": (["--fills", "seed,queue=prob"], 2, "need trade=queue"),
    "queue_power": (["--fills", "queue,power=0"], 2, "above 0 and at most 20"),
    "fill_option": (["--fills", "seed,szie=full"], 2, "did you mean 'size'"),
    "fill_value": (["--fills", "seed,size=huge"], 2, "must be full or displayed"),
    "parameter": (["-S", "size=0"], 2, "size"),
    "equity_interval": (["--equity-interval", "1ns"], 2, "--equity-interval"),
    "positions": (
        ["--instrument", "BTC/USD_T+0", "--instrument", "ETH/USD_T+0", "--position", "3"],
        2,
        "exactly one traded",
    ),
    "store": (["--data", "raw-data"], 4, "not a store"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests(case: str, inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, code, message = WRONG[case]
    assert main([*FIXED, *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert not Path("runs").exists()


def test_a_folder_that_holds_something_is_left_alone(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("keep")
    assert main([*FIXED, "--out", "mine"]) == 2
    assert "--out" in capsys.readouterr().err
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("locked").mkdir(mode=0o500)
    assert main([*FIXED, "--out", "locked/run"]) == 6


def test_results_under_a_file_are_an_io_error(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    assert main([*FIXED, "--out", "file/run"]) == 6
    assert "file/run" in capsys.readouterr().err


STRATEGY = """
from mmbt import Strategy

class Mine(Strategy):
    interval = "1s"
    calls = 0

    def on_timer(self, ctx):
        print("noise on stdout")
        ctx.quote(bid=ctx.mid - 1, ask=ctx.mid + 1)
        self.calls += 1
        if self.calls == 5:
            self.helper(ctx)

    def helper(self, ctx):
        {line}
"""


def write_strategy(line: str) -> None:
    Path("mine.py").write_text(STRATEGY.format(line=line), encoding="utf-8")


MINE = ["backtest", "--strategy", "mine.py:Mine", "--out", "result"]


def test_a_strategy_that_prints_does_not_spoil_the_document(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_strategy("pass")
    assert main([*MINE, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["strategy"] == "mine.py:Mine"
    assert "noise on stdout" in err


def test_a_strategy_that_raises_shows_its_own_lines_only(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_strategy("return 1 / 0")
    assert main([*MINE, "--json"]) == 5
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert (error["type"], error["exit_code"]) == ("StrategyError", 5)
    assert "on_timer" in error["message"]
    assert "ZeroDivisionError" in error["message"]
    shown = err.partition("Traceback")[2]
    assert "mine.py" in shown
    assert "return 1 / 0" in shown
    assert "in helper" in shown
    assert "runner.py" not in err
    assert ".pyx" not in err
    assert "what happened before is in result" in err
    manifest = json.loads(Path("result/manifest.json").read_text())
    metrics = json.loads(Path("result/metrics.json").read_text())
    assert manifest["status"] == "failed"
    assert metrics["complete"] is False
    assert pq.read_table("result/fills.parquet").num_rows == metrics["fills"]


def test_a_strategy_that_cannot_be_imported(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.py").write_text("import nosuchmodule\n", encoding="utf-8")
    assert main(MINE) == 5
    err = capsys.readouterr().err
    assert "nosuchmodule" in err
    assert "loading.py" not in err


def test_a_command_refused_by_the_engine_is_the_strategys_error(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_strategy("ctx.quote(bid=float('nan'))")
    assert main(MINE) == 5
    assert "bid" in capsys.readouterr().err


def test_a_damaged_store_is_told(inside: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import shutil

    shutil.copytree(project / "data/store", "copy")
    victim = next(Path("copy/tob").rglob("*.parquet"))
    raw = bytearray(victim.read_bytes())
    raw[len(raw) // 2] ^= 1
    for part in Path("copy/tob").rglob("*.parquet"):
        if part.name == victim.name:
            part.write_bytes(raw)
    name = "BTC/RUB_T+0" if "RUB" in str(victim) and "BTC" in str(victim) else None
    arguments = [*FIXED, "--data", "copy", *(["--instrument", name] if name else [])]
    if name is None:
        for instrument in ("BTC/USD_T+0", "ETH/USD_T+0", "USD/RUB_T+0"):
            arguments += ["--instrument", instrument]
    assert main(arguments) == 4
    assert victim.name in capsys.readouterr().err


def test_native_code_that_cannot_be_imported_is_the_strategys_error(
    inside: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine.py").write_text(
        "from mmbt import Strategy\n\n\nclass Mine(Strategy):\n    def native(self):\n        import no_such_module\n",
        encoding="utf-8",
    )
    assert main([*MINE]) == 5
    assert "Mine.native raised ModuleNotFoundError: No module named 'no_such_module'" in capsys.readouterr().err


def test_ctrl_c_keeps_what_happened(inside: Path) -> None:
    Path("mine.py").write_text(
        STRATEGY.format(line="import time; print('now', flush=True); time.sleep(60)"), encoding="utf-8"
    )
    child = subprocess.Popen(
        [sys.executable, "-m", "mmbt", *MINE, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # a suite started in the background by a script ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stderr is not None
    while "now" not in child.stderr.readline():
        assert child.poll() is None
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    found = json.loads(out)
    assert found["complete"] is False
    assert "interrupted" in err
    assert "Traceback" not in err
    assert json.loads(Path("result/manifest.json").read_text())["status"] == "interrupted"
    assert pq.read_table("result/fills.parquet").num_rows == found["fills"]


def test_a_backtest_never_loads_pandas(
    run: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    child = run(
        "backtest", "--strategy", "linear-skew", "--out", str(tmp_path / "run"), "--json",
        code="import sys; from mmbt.cli import main; main(); print('pandas' in sys.modules, file=sys.stderr)",
    )
    assert child.stderr.strip().endswith("False"), child.stderr


def test_local_times_need_a_store_that_has_them(inside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FIXED, "--feed-latency", "local"]) == 2
    assert "no local times" in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.parametrize("flag", ["--latency", "--cancel-latency", "--response-latency", "--feed-latency"])
def test_a_file_of_latencies_is_checked_before_anything_runs(
    inside: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    Path("lags.csv").write_text("ts,latency\n10,5\n9,5\n", encoding="utf-8")
    assert main([*FIXED, flag, "recorded:lags.csv"]) == 3
    assert "lags.csv, line 3: ts 9 comes before 10" in capsys.readouterr().err
    assert main([*FIXED, flag, "recorded:lag.csv"]) == 6
    assert "lag.csv: No such file" in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_run_on_local_times_says_how_they_were_set_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ticks = [(10**18 + i * 10**7, 10**18 + i * 10**7 - 10**9 - i % 5 * 10**6) for i in range(300)]
    Path("tob_1.csv").write_text(
        "exchange_time;local_time;instrument;bid;bid_size;ask;ask_size\n"
        + "".join(f"{ts};{local if ts % 3 else ''};X;{100 + ts // 10**7 % 3};1;105;1\n" for ts, local in ticks),
        encoding="utf-8",
    )
    assert main(["convert", "tob_1.csv"]) == 0
    out, _ = capsys.readouterr()
    assert "clock: X: its local clock runs behind the exchange's on 1 of 1 days, by 1.004 s at most; 100 rows" in out
    assert main(["doctor", "--json"]) == 0
    clocks = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["name"] == "clock"]
    assert [(check["state"], "--feed-latency local" in check["advice"]) for check in clocks] == [("note", True)]

    code = main([*FIXED, "--feed-latency", "local", "--out", "mine"])
    out, err = capsys.readouterr()
    if "yet" in err:
        pytest.skip(err)
    assert code == 0
    assert "of the feed local" in out
    assert "local times of X: set forward by 1.004 s on 1 of 1 days; 100 rows have none" in out
    (day,) = json.loads(Path("mine/manifest.json").read_text())["inputs"]["clocks"]
    assert (day["instrument"], day["date"], day["offset_ns"], day["missing"]) == ("X", "2001-09-09", 1_004_000_000, 100)
    assert json.loads(Path("mine/metrics.json").read_text())["clocks"] == [day]
