"""U4: contract terms stated at conversion are kept, and win over what stood there before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmbt.errors import UsageError
from mmbt.market import Instrument
from mmbt.store import ConvertOptions, convert, open_store
from tests.store.helpers import quotes, tob

BTC, ETH = "BTC/USD_T+0", "ETH/USD_T+0"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tob(tmp_path / "raw" / "tob.csv", [*quotes(10, BTC), *quotes(10, ETH)])


def terms(store: Path, name: str) -> tuple[str | None, str, str | None, str | None]:
    found: Instrument = open_store(store).instrument(name)
    return found.contract, found.multiplier, found.base, found.quote


def test_U4_undeclared_contracts_take_currencies_from_their_names(raw: Path, tmp_path: Path) -> None:
    convert([raw], tmp_path / "s")
    assert terms(tmp_path / "s", BTC) == (None, "1", "BTC", "USD")


def test_U4_terms_of_one_and_of_all_others(raw: Path, tmp_path: Path) -> None:
    options = ConvertOptions(contract={"*": "spot", BTC: "inverse"}, multiplier={BTC: "100.0"},
                             currencies={BTC: "XBT/USDX"})
    report = convert([raw], tmp_path / "s", options)
    assert terms(tmp_path / "s", BTC) == ("inverse", "100", "XBT", "USDX")
    assert terms(tmp_path / "s", ETH) == ("spot", "1", "ETH", "USD")
    row = next(row for row in report.instruments if row["instrument"] == BTC)
    assert (row["contract"], row["multiplier"], row["base"], row["quote"]) == ("inverse", "100", "XBT", "USDX")
    entry = json.loads((tmp_path / "s" / "manifest.json").read_text())["instruments"][BTC]
    assert (entry["contract"], entry["base"], entry["settlement"]) == ("inverse", "XBT", "T+0")


def test_U4_terms_can_be_stated_later_and_values_stay(raw: Path, tmp_path: Path) -> None:
    store = tmp_path / "s"
    plain = convert([raw], store)
    stated = convert([raw], store, ConvertOptions(contract={"*": "linear"}))
    assert (terms(store, BTC)[0], terms(store, ETH)[0]) == ("linear", "linear")
    assert (stated.rows_out, stated.content_hash) == (0, plain.content_hash)
    changed = convert([raw], store, ConvertOptions(contract={BTC: "inverse"}))
    assert f"{BTC}: the contract was linear and is now inverse" in changed.notes
    assert (terms(store, BTC)[0], terms(store, ETH)[0]) == ("inverse", "linear")


def test_U4_more_data_keep_the_terms(raw: Path, tmp_path: Path) -> None:
    convert([raw], tmp_path / "s", ConvertOptions(contract={BTC: "inverse"}, multiplier={BTC: "100"}))
    more = tob(tmp_path / "more" / "tob.csv", [*quotes(10, BTC, step=10**7), *quotes(3, "SOL/USD")])
    convert([more], tmp_path / "s", ConvertOptions(contract={"SOL/USD": "spot"}))
    assert terms(tmp_path / "s", BTC) == ("inverse", "100", "BTC", "USD")
    assert terms(tmp_path / "s", ETH)[0] is None
    other = tob(tmp_path / "other" / "tob.csv", quotes(3, "SOL/EUR"))
    convert([other], tmp_path / "s", ConvertOptions(contract={"*": "linear"}))  # of all in its files
    assert [terms(tmp_path / "s", name)[0] for name in (BTC, ETH, "SOL/USD", "SOL/EUR")] == [
        "inverse", None, "spot", "linear"]


@pytest.mark.parametrize(("options", "message"), [
    ({"contract": {"BTC/USD": "spot"}}, "did you mean 'BTC/USD_T"),
    ({"contract": {BTC: "spto"}}, "did you mean 'spot'"),
    ({"multiplier": {"*": "-1"}}, "must be a positive number"),
    ({"currencies": {"*": "BTC-USD"}}, "BASE/QUOTE"),
])
def test_U4_wrong_terms_change_nothing(options: dict[str, dict[str, str]], message: str, raw: Path, tmp_path: Path
                                       ) -> None:
    with pytest.raises(UsageError, match=message):
        convert([raw], tmp_path / "s", ConvertOptions(**options))
    assert not (tmp_path / "s" / "manifest.json").exists()
