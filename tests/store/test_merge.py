"""Merging sorted runs: by time, then rank, then row; the same however the runs come in batches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mmbt.store.merge import Run, merged, without_duplicates
from mmbt.store.provenance import RunLengths, decode_runs
from mmbt.store.rows import Rows, joined

RUNS = st.lists(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 2)), min_size=1, max_size=25), min_size=1, max_size=5
)


def run(rank: int, stamps: list[tuple[int, int]], batch: int) -> Run:
    stamps = sorted(stamps, key=lambda pair: pair[0])

    def batches() -> Iterator[Rows]:
        for i in range(0, len(stamps), batch):
            piece = stamps[i : i + batch]
            ts = np.array([ts for ts, _ in piece], np.int64)
            value = np.array([value for _, value in piece], np.int64)
            yield Rows(ts, None, (value,), None, rank)

    return Run(stamps[0][0], rank, batches)


def flat(rows: Rows) -> list[tuple[int, int, int]]:
    return list(zip(rows.ts.tolist(), rows.ranks().tolist(), rows.values[0].tolist(), strict=True))


@given(RUNS, st.integers(1, 9), st.booleans())
def test_merged_as_sorted(runs: list[list[tuple[int, int]]], batch: int, whole: bool) -> None:
    expected = sorted(
        ((ts, rank, value) for rank, stamps in enumerate(runs) for ts, value in stamps), key=lambda row: row[:2]
    )
    batches = list(merged([run(rank, stamps, batch) for rank, stamps in enumerate(runs)], whole))
    assert flat(joined(batches)) == expected
    if whole:
        assert all(a.ts[-1] < b.ts[0] for a, b in pairwise(batches))


@given(RUNS, st.integers(1, 9))
def test_duplicates_are_left_out_once_per_instant(runs: list[list[tuple[int, int]]], batch: int) -> None:
    runs_ = [run(rank, stamps, batch) for rank, stamps in enumerate(runs)]
    expected = list(dict.fromkeys((ts, value) for ts, _, value in flat(joined(list(merged(runs_))))))
    kept = joined(list(without_duplicates(merged(runs_, whole_instants=True))))
    assert [(ts, value) for ts, _, value in flat(kept)] == expected


@given(RUNS, st.integers(1, 9), st.integers(0, 4))
def test_recorded_sources_place_the_rows_of_a_later_file(
    runs: list[list[tuple[int, int]]], batch: int, later: int
) -> None:
    """The later file may stand anywhere among the sources, and tie with rows that were alone in their stamp."""
    later = min(later, len(runs))
    ranks = [rank for rank in range(len(runs) + 1) if rank != later]
    lengths = RunLengths()
    batches = list(merged([run(place, stamps, batch) for place, stamps in enumerate(runs)]))
    for rows in batches:
        lengths.add(rows)
    whole = joined(batches)
    owners, ends = decode_runs(lengths.encoded(len(runs)), len(runs), len(whole.ts), "here")
    places = owners[np.searchsorted(ends, np.arange(len(whole.ts)), "right")]
    assert (places == whole.ranks()).all()
    stored = Rows(whole.ts, None, whole.values, None, np.array(ranks)[places])
    late = run(later, [(ts, 9) for ts in range(13)], batch)
    in_steps = joined(list(merged([Run(int(whole.ts[0]), ranks[0], lambda: iter([stored])), late])))
    new = [run(rank, stamps, batch) for rank, stamps in zip(ranks, runs, strict=True)]
    assert flat(in_steps) == flat(joined(list(merged([*new, late]))))
