"""The committed sample is what its README says."""

from __future__ import annotations

import json

from mmbt.synth import generate, preset


def test_sample_is_made_by_its_command(project_root, tmp_path):
    sample = project_root / "data" / "raw-data"
    generate(preset("triangle"), tmp_path)
    made = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert made == {p.name: p.read_bytes() for p in sample.iterdir()}
    assert sum(map(len, made.values())) < 2 * 2**20


def test_sample_spans_a_midnight_and_four_pairs(project_root):
    manifest = json.loads((project_root / "data" / "raw-data" / "synth.json").read_text(encoding="utf-8"))
    assert {f["path"] for f in manifest["files"]} == {
        f"{kind}_2022-09-{day}.csv" for kind in ("tob", "trade") for day in (20, 21)}
    assert len(manifest["rows"]) == 4


def test_readme_names_the_command_and_the_truth(project_root):
    text = (project_root / "data" / "README.md").read_text(encoding="utf-8")
    assert "mmbt synth triangle --out data/raw-data" in text
    manifest = json.loads((project_root / "data" / "raw-data" / "synth.json").read_text(encoding="utf-8"))
    for name, rows in manifest["rows"].items():
        assert f"| {name} | {rows['tob_rows']:,} | {rows['trade_rows']:,} |" in text
