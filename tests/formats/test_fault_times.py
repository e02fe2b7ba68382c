"""What a raw file's times may throw at the parser, fault by fault (C13-C15)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mmbt.errors import DataError

from .conftest import ROW, TOB

T = "2024-08-08 23:54:14"
NS = 1723161254 * 10**9


def row(bid="61.25", bid_size="1", ask="61.26", ask_size="2", when=T, instrument="X/Y"):
    return ";".join([when, instrument, bid, bid_size, ask, ask_size]) + "\n"


def deal(price="61.25", qty="1", side="B", when=T, instrument="X/Y"):
    return ";".join([when, instrument, price, qty, side]) + "\n"


class TestC13Times:
    @pytest.mark.parametrize(("text", "ns", "unit"), [
        ("2024-08-08 23:54:14", NS, "iso"),
        ("2024-08-08T23:54:14.1", NS + 10**8, "iso"),
        ("2024-08-08 23:54:14.123456789", NS + 123456789, "iso"),
        ("2024-08-08T23:54:14.000000001Z", NS + 1, "iso+offset"),
        ("2024-08-09T02:54:14+03:00", NS, "iso+offset"),
        ("2024-08-08 18:24:14.5-0530", NS + 5 * 10**8, "iso+offset"),
        ("2024-08-09 02:54:14+03", NS, "iso+offset"),
        ("1723161254", NS, "s"),
        ("1723161254.123456789", NS + 123456789, "s"),
        ("1723161254000", NS, "ms"),
        ("1723161254123.456789", NS + 123456789, "ms"),
        ("1723161254123456", NS + 123456000, "us"),
        ("1723161254123456.789", NS + 123456789, "us"),
        ("1723161254123456789", NS + 123456789, "ns"),
    ])
    def test_C13_exact_to_the_nanosecond(self, read, text, ns, unit):
        got = read("tob_1.csv", TOB + row(when=text))
        assert got.ts == [ns]
        assert got.raw.time_unit == unit

    @pytest.mark.parametrize("text", [
        "2024-08-08", "2024-08-08 23:54", "2024-08-08 24:00:00", "2024-08-08 23:60:00", "2024-08-08 23:54:60",
        "2024-02-30 00:00:00", "2023-02-29 00:00:00", "2024-13-01 00:00:00", "2024-00-01 00:00:00",
        "1969-12-31 23:59:59", "2200-01-01 00:00:00", "2024-08-08 23:54:14.", "2024-08-08 23:54:14.1234567890",
        "2024-08-08 23:54:14+24:00", "2024-08-08 23:54:14 ", "2024-08-08 23:54:14,5", "2024/08/08 23:54:14", "now",
        "-1", "2024-08-08  3:54:14", "2024-08-08x23:54:14", "nan", "1.5", "12345", "20240808235414",
        "23:54:14",
    ])
    def test_C13_bad_time_is_rejected(self, read, text):
        assert read("tob_1.csv", TOB + ROW + row(when=text)).reasons == ["BAD_TIME"]

    def test_C13_finer_than_ns_is_rejected(self, read):
        got = read("tob_1.csv", TOB + row(when="1723161254123.4567890") + row(when="1723161254123.4567891"))
        assert (len(got.rows), got.reasons) == (1, ["BAD_TIME"])

    @pytest.mark.parametrize(("first", "second"), [
        (T, "1723161254"), ("1723161254", "1723161254000"), ("1723161254000", T), (T, T + "Z"), (T + "+03:00", T),
        ("1723161254123456", "1723161254123456789"), ("23:54:14", T),
    ])
    def test_C13_mixed_kinds_are_an_error(self, read, first, second):
        with pytest.raises(DataError, match=r"line 3, byte \d+, column 'exchange_time'.*another kind"):
            read("tob_2024-08-08.csv", TOB + row(when=first) + row(when=second))

    @pytest.mark.parametrize("text", ["12345", "20240808235414", "99999999", "4102444800", "0"])
    def test_C13_ambiguous_magnitude_is_an_error(self, read, text):
        with pytest.raises(DataError, match="magnitude"):
            read("tob_1.csv", TOB + row(when=text))

    def test_C13_unit_given_takes_any_magnitude(self, read):
        assert read("tob_1.csv", TOB + row(when="12345"), time="ms").ts == [12345 * 10**6]

    def test_C13_zoneless_in_a_zone(self, read):
        assert read("tob_1.csv", TOB + row(), tz="+03:00").ts == [NS - 3 * 3600 * 10**9]
        got = read("tob_1.csv", TOB + row(), tz="Europe/Moscow")
        assert (got.ts, got.raw.tz) == ([NS - 3 * 3600 * 10**9], "Europe/Moscow")

    def test_C13_offset_in_the_text_beats_the_zone(self, read):
        assert read("tob_1.csv", TOB + row(when=T + "Z"), tz="Europe/Moscow").ts == [NS]

    def test_C13_time_of_day_with_the_date_of_the_file(self, read):
        got = read("tob_2024-08-08.csv", TOB + row(when="23:54:14.024619"))
        assert (got.ts, got.raw.time_unit) == ([NS + 24619000], "time-of-day")
        assert read("tob20240808.csv", TOB + row(when="23:54:14")).ts == [NS]

    @pytest.mark.parametrize("name", ["tob.csv", "tob_2024-08-08_2024-08-09.csv", "tob_2024-13-40.csv"])
    def test_C13_time_of_day_without_one_date_is_an_error(self, read, name):
        with pytest.raises(DataError, match="the file's name has no date"):
            read(name, TOB + row(when="23:54:14"))

    def test_C13_local_time_has_its_own_kind(self, read):
        got = read("tob_1.csv", TOB.replace("\n", ";local_time\n") + row().replace("\n", ";1723161254123\n"))
        assert (got.local, got.raw.local_time_unit) == ([NS + 123 * 10**6], "ms")
        bad = read("tob_1.csv", TOB.replace("\n", ";local_time\n") + row().replace("\n", ";soon\n"))
        assert [(r.reason, r.column) for r in bad.rejected] == [("BAD_TIME", "local_time")]

    def test_C13_a_row_without_a_local_time_is_no_worse(self, read):
        rows = row().replace("\n", ";\n") + row().replace("\n", ";1723161254123\n")
        got = read("tob_1.csv", TOB.replace("\n", ";local_time\n") + rows)
        assert (got.local, got.reasons, got.raw.local_time_unit) == ([0, NS + 123 * 10**6], [], "ms")


NEW_YORK = {"tz": "America/New_York"}


class TestC14ClockChanges:
    def test_C14_gap_is_rejected(self, read):
        got = read("tob_1.csv", TOB + row(when="2024-03-10 01:59:59.999999999") + row(when="2024-03-10 02:00:00")
                   + row(when="2024-03-10 02:59:59.999999999") + row(when="2024-03-10 03:00:00"), **NEW_YORK)
        assert got.reasons == ["TIME_GAP"] * 2
        assert got.ts[1] - got.ts[0] == 1

    def test_C14_fold_is_an_error_by_default(self, read):
        with pytest.raises(DataError, match=r"twice in America/New_York.*--ambiguous"):
            read("tob_1.csv", TOB + row(when="2024-11-03 01:30:00"), **NEW_YORK)

    @pytest.mark.parametrize(("choice", "hours"), [("earlier", 4), ("later", 5)])
    def test_C14_fold_by_choice(self, read, choice, hours):
        got = read("tob_1.csv", TOB + row(when="2024-11-03 01:30:00"), ambiguous=choice, **NEW_YORK)
        utc = 1730597400 + hours * 3600
        assert got.ts == [utc * 10**9]

    @pytest.mark.parametrize(("day", "hours"), [("2024-11-03", 25), ("2024-03-10", 23), ("2024-08-08", 24)])
    def test_C14_hours_of_a_day_with_inference(self, read, day, hours):
        # a row every ten minutes by the wall: the day's true length comes out
        walls = [f"{day} {h:02}:{m:02}:00" for h in range(24) for m in range(0, 60, 10)]
        if hours == 23:
            walls = [wall for wall in walls if wall[11:13] != "02"]
        if hours == 25:
            at = walls.index(f"{day} 02:00:00")
            walls[at:at] = [wall for wall in walls if wall[11:13] == "01"]
        got = read("tob_1.csv", TOB + "".join(row(when=wall) for wall in walls), ambiguous="infer", **NEW_YORK)
        steps = {b - a for a, b in pairwise(got.ts)}
        assert steps == {600 * 10**9}
        assert len(got.ts) == hours * 6

    def test_C14_every_hour_of_twenty_years_agrees_with_zoneinfo(self, read):
        from datetime import datetime, timedelta
        from zoneinfo import ZoneInfo

        zone = ZoneInfo("Europe/London")
        walls = [datetime(1995, 1, 1, 0, 30) + timedelta(hours=5 * n) for n in range(40000)]
        real = [wall for wall in walls
                if wall.replace(tzinfo=zone).astimezone(ZoneInfo("UTC")).astimezone(zone).replace(tzinfo=None) == wall]
        text = TOB + "".join(row(when=str(wall)) for wall in walls)
        got = read("tob_1.csv", text, tz="Europe/London", ambiguous="earlier")
        assert got.ts == [int(wall.replace(tzinfo=zone).timestamp()) * 10**9 for wall in real]
        assert got.reasons == ["TIME_GAP"] * (len(walls) - len(real))
        assert got.reasons


class TestC15Midnight:
    def days(self, read, *times):
        got = read("tob_2024-08-08.csv", TOB + "".join(row(when=when) for when in times))
        start = NS // (86400 * 10**9) * 86400 * 10**9
        return [(ts - start) / 3.6e12 for ts in got.ts]

    def test_C15_drop_of_more_than_half_a_day_is_the_next_day(self, read):
        assert self.days(read, "23:30:00", "00:30:00", "01:00:00") == [23.5, 24.5, 25]

    def test_C15_late_row_after_midnight_stays_on_its_day(self, read):
        assert self.days(read, "23:30:00", "00:30:00", "23:45:00", "00:45:00") == [23.5, 24.5, 23.75, 24.75]

    def test_C15_small_drop_is_out_of_order(self, read):
        assert self.days(read, "14:00:00", "02:30:00", "15:00:00") == [14, 2.5, 15]

    def test_C15_rolls_once(self, read):
        assert self.days(read, "23:30:00", "00:30:00", "13:00:00", "00:15:00") == [23.5, 24.5, 37, 24.25]
