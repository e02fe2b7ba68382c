"""The faults of raw files, each by its number in the project's list: C1..C9, C13..C15, C17, C19 and X9."""

from __future__ import annotations

import random
import time
from decimal import Decimal

import pytest

from mmbt.errors import DataError, FileError, StoreError
from mmbt.formats import ReadOptions, choose, get
from mmbt.formats.base import REASONS

from .conftest import ROW, TOB, TRADE

T = "2024-08-08 23:54:14"
NS = 1723161254 * 10**9


def row(bid="61.25", bid_size="1", ask="61.26", ask_size="2", when=T, instrument="X/Y"):
    return ";".join([when, instrument, bid, bid_size, ask, ask_size]) + "\n"


def deal(price="61.25", qty="1", side="B", when=T, instrument="X/Y"):
    return ";".join([when, instrument, price, qty, side]) + "\n"


class TestC1Columns:
    def test_C1_missing_column_says_found_required_and_meant(self, read):
        with pytest.raises(DataError, match=r"'bid_size'.*did you mean 'bid_siez'.*Found: .*Required: ") as caught:
            read("tob_1.csv", "exchange_time;instrument;bid;bid_siez;ask;ask_size\n" + ROW)
        assert caught.value.exit_code == 3

    def test_C1_other_order_gives_the_same_values(self, read):
        plain = read("tob_1.csv", TOB + ROW)
        other = read("tob_2.csv", "ask_size;ASK;bid;instrument;Exchange_Time;bid_size\n"
                                  "2;61.26;61.25;X/Y;2024-08-08 23:54:14.024619;1\n")
        assert [r[2:] for r in other.rows] == [r[2:] for r in plain.rows]

    def test_C1_extra_columns_are_ignored_with_a_note(self, read):
        got = read("tob_1.csv", TOB.replace("\n", ";venue;flags\n") + ROW.replace("\n", ";abc;\n"))
        assert len(got.rows) == 1
        assert "columns not used: venue, flags" in got.raw.notes

    @pytest.mark.parametrize("name", ["bid", "BID", "venue"])
    def test_C1_duplicated_name_is_an_error(self, read, name):
        with pytest.raises(DataError, match="two columns are named"):
            read("tob_1.csv", TOB.replace("\n", f";venue;{name}\n") + ROW.replace("\n", ";a;b\n"))

    @pytest.mark.parametrize("header", [
        "exchange_time;instrument;bid_price;bid_qty;ask_price;ask_qty",
        "Timestamp;Symbol;BestBid;BestBidSize;BestAsk;BestAskSize",
        "ts;ticker;bid_px;bid_amount;offer;offer_size",
        "transactTime;symbol;bidPrice;bidQty;askPrice;askQty",
    ])
    def test_C1_aliases(self, read, header):
        assert read("tob_1.csv", header + "\n" + ROW).values == [
            (Decimal("61.25"), Decimal(1), Decimal("61.26"), Decimal(2))]

    def test_C1_trades_in_a_tob_file(self, read):
        with pytest.raises(DataError, match="tob needs column"):
            read("tob_1.csv", TRADE + deal())

    def test_C1_headerless_file_is_an_error(self, read):
        with pytest.raises(DataError, match="needs column"):
            read("tob_1.csv", ROW * 3)

    def test_C1_any_name_by_header_alone(self, write):
        path = write("market.csv", TRADE + deal())
        with choose(path, ReadOptions()).open(path, ReadOptions()) as raw:
            assert raw.table == "trades"


class TestC2Delimiter:
    @pytest.mark.parametrize("mark", [",", "\t", "|"])
    def test_C2_another_delimiter_is_found_and_noted(self, read, mark):
        got = read("tob_1.csv", (TOB + ROW).replace(";", mark))
        assert got.values == [(Decimal("61.25"), Decimal(1), Decimal("61.26"), Decimal(2))]
        assert any("instead of ';'" in note for note in got.raw.notes)

    def test_C2_wrong_delimiter_given_is_an_error(self, read):
        with pytest.raises(DataError, match="needs column"):
            read("tob_1.csv", TOB + ROW, delimiter=",")

    def test_C2_one_column_is_an_error(self, read):
        with pytest.raises(DataError, match="needs column"):
            read("tob_1.csv", (TOB + ROW).replace(";", "~"))

    @pytest.mark.parametrize("mark", ["1", "a", ".", '"', "-"])
    def test_C2_impossible_delimiter(self, read, mark):
        with pytest.raises(DataError, match="cannot separate"):
            read("tob_1.csv", TOB + ROW, delimiter=mark)


class TestC3Encoding:
    def test_C3_bom_is_no_part_of_the_header(self, read):
        got = read("tob_1.csv", b"\xef\xbb\xbf" + (TOB + ROW).encode())
        assert got.rows[0][:2] == (2, 3 + len(TOB))

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_C3_wide_text_is_named(self, read, encoding):
        with pytest.raises(DataError, match="UTF-16" if "16" in encoding else "UTF-(16|32)"):
            read("tob_1.csv", (TOB + ROW).encode(encoding))

    def test_C3_latin1_byte_rejects_its_row_with_its_offset(self, read):
        bad = row(instrument="X/Y\xe9").encode("latin-1")
        got = read("tob_1.csv", (TOB + ROW).encode() + bad + ROW.encode())
        assert [(r.reason, r.line, r.offset) for r in got.rejected] == [("BAD_BYTE", 3, len(TOB + ROW))]
        assert got.rejected[0].raw == bad[:-1]
        assert len(got.rows) == 2

    @pytest.mark.parametrize("bad", [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\x80"])
    def test_C3_overlong_surrogate_and_broken_sequences(self, read, bad):
        text = TOB.encode() + ROW.encode().replace(b"X/Y", b"X" + bad)
        assert read("tob_1.csv", text).reasons == ["BAD_BYTE"]

    def test_C3_utf8_name_is_kept(self, read):
        assert read("tob_1.csv", TOB + row(instrument="Рубль/€_𝕏")).rows[0][3] == "Рубль/€_𝕏"

    def test_C3_nul_rejects_its_row_even_in_an_unused_column(self, read):
        text = (TOB.replace("\n", ";x\n") + ROW.replace("\n", ";a\0b\n")).encode()
        assert read("tob_1.csv", text).reasons == ["NUL"]

    def test_C3_latin1_header(self, read):
        with pytest.raises(DataError, match="not UTF-8"):
            read("tob_1.csv", TOB.replace("\n", ";prix\xe9\n").encode("latin-1") + ROW.encode())


class TestC4LineEnds:
    @pytest.mark.parametrize("end", ["\r\n", "\r", "\n\n", "\r\n\r\n", "\n \t\n"])
    def test_C4_line_ends_do_not_matter(self, read, end):
        text = TOB + "".join(row(bid=f"{n}.5") for n in range(1, 50))
        plain, other = read("tob_1.csv", text), read("tob_2.csv", text.replace("\n", end))
        assert [r[2:] for r in other.rows] == [r[2:] for r in plain.rows]

    def test_C4_mixed_ends_count_lines_and_bytes(self, read):
        data = TOB.strip() + "\r\n\n" + row().strip() + "\r" + row().strip() + "\n\r\n" + row()
        got = read("tob_1.csv", data)
        assert [r[0] for r in got.rows] == [3, 4, 6]
        assert [data[r[1]:r[1] + 10] for r in got.rows] == ["2024-08-08"] * 3

    @pytest.mark.parametrize("rows", [1, 2, 7, 1000])
    def test_C4_cr_lf_across_blocks(self, write, monkeypatch, rows):
        path = write("tob_1.csv", (TOB + ROW * 20).replace("\n", "\r\n"))
        for block in range(1, 40):
            monkeypatch.setattr("mmbt.formats.sources._BLOCK", block)
            with get("seed").open(path, ReadOptions(chunk_rows=rows)) as raw:
                lines = [line for chunk in raw for line in chunk.line.tolist()]
            assert lines == list(range(2, 22))

    def test_C4_blank_lines_before_the_header(self, read):
        assert [r[0] for r in read("tob_1.csv", "\n\r\n" + TOB + ROW).rows] == [4]


class TestC5Tail:
    def test_C5_unterminated_tail_is_rejected(self, read):
        got = read("tob_1.csv", TOB + ROW + row().rstrip("\n")[:-3])
        assert got.reasons == ["TRUNCATED_TAIL"]
        assert (got.rejected[0].line, got.rejected[0].offset) == (3, len(TOB + ROW))
        assert len(got.rows) == 1

    def test_C5_whole_looking_tail_is_rejected_too(self, read):
        assert read("trade_1.csv", TRADE + deal() + deal().rstrip("\n")).reasons == ["TRUNCATED_TAIL"]

    def test_C5_accept_unterminated(self, read):
        got = read("tob_1.csv", TOB + ROW + ROW.rstrip("\n"), accept_unterminated=True)
        assert len(got.rows) == 2

    def test_C5_accepted_tail_is_judged_like_any_row(self, read):
        assert read("tob_1.csv", TOB + ROW + T, accept_unterminated=True).reasons == ["FIELD_COUNT"]

    def test_C5_header_alone(self, read):
        assert read("tob_1.csv", TOB.rstrip("\n")).raw.rows == 0


class TestC6Fields:
    @pytest.mark.parametrize("bad", [T, T + ";X/Y;1;2;3", T + ";X/Y;1;2;3;4;5", ";;;;;;;;;", "x"])
    def test_C6_field_count(self, read, bad):
        got = read("tob_1.csv", TOB + ROW + bad + "\n" + ROW)
        assert [(r.reason, r.line) for r in got.rejected] == [("FIELD_COUNT", 3)]
        assert len(got.rows) == 2

    def test_C6_repeated_header_is_dropped_and_counted(self, read):
        got = read("tob_1.csv", TOB + ROW + TOB + ROW + TOB.upper() + "\ufeff" + TOB + ROW)
        assert (len(got.rows), got.raw.dropped, got.raw.rows) == (3, {"repeated_header": 3}, 6)

    @pytest.mark.parametrize("header", [
        "exchange_time;instrument;ask;ask_size;bid;bid_size\n",
        TRADE,
        "exchange_time;instrument;bid;bid_size;ask;ask_size;venue\n",
    ])
    def test_C6_another_header_inside_stops_before_columns_shift(self, read, header):
        with pytest.raises(DataError, match="line 3: another header"):
            read("tob_1.csv", TOB + ROW + header + ROW)

    def test_C6_damaged_copy_of_the_header_is_an_ordinary_reject(self, read):
        got = read("tob_1.csv", TOB + ROW + TOB.replace("bid;", "b?d;") + ROW)
        assert (got.reasons, len(got.rows)) == (["BAD_NUMBER"], 2)

    def test_C6_quotes(self, read):
        got = read("tob_1.csv", TOB + row(instrument='"X;Y"') + row(instrument='"X') + row(instrument='"X"Y'))
        assert got.rows[0][3] == "X;Y"
        assert got.reasons == ["BAD_QUOTE", "BAD_QUOTE"]


BAD_NUMBERS = ["61.2O", "61,20", "6 120.0", "nan", "NaN", "NULL", "inf", "-inf", "Infinity", "-0", "-0.0", "0x10",
               "1" * 400, "1_000", " 61", "61 ", "+61", "61.", ".5", ".", "-", "--1", "1.2.3", "1e", "1e+", "e5",
               "1e5.0", "٣", "1e99999", "0" * 65]


class TestC7Numbers:
    @pytest.mark.parametrize("text", BAD_NUMBERS)
    def test_C7_bad_number_is_rejected_in_every_column(self, read, text):
        rows = [row(bid=text), row(bid_size=text), row(ask=text), row(ask_size=text)]
        got = read("tob_1.csv", TOB + "".join(rows))
        assert got.reasons == ["BAD_NUMBER"] * 4
        assert [r.column for r in got.rejected] == ["bid", "bid_size", "ask", "ask_size"]
        assert read("trade_1.csv", TRADE + deal(price=text) + deal(qty=text)).reasons == ["BAD_NUMBER"] * 2

    @pytest.mark.parametrize("text", ["1e400", "1e-400", "1" * 19, "0." + "1" * 19, "1e18", "1e-19", "9" * 20])
    def test_C7_out_of_range(self, read, text):
        assert read("tob_1.csv", TOB + row(bid=text)).reasons == ["NUMBER_RANGE"]

    @pytest.mark.parametrize("text", ["61.25", "0.00000001", "1e-05", "2.5E+3", "1e17", "999999999999999999", "007.50",
                                      "0.999999999999999999", "100", "100.000", "1" + "0" * 17,
                                      "12.5000000000000000000000000", "000000000000000000000000061.25"])
    def test_C7_good_number_is_exact(self, read, text):
        got = read("tob_1.csv", TOB + row(bid=text))
        assert got.values[0][0] == Decimal(text)

    def test_C7_decimal_comma_by_option(self, read):
        got = read("tob_1.csv", TOB + row("61,25", "1,5", "61,26", "2"), decimal=",")
        assert got.values == [(Decimal("61.25"), Decimal("1.5"), Decimal("61.26"), Decimal(2))]
        assert read("tob_1.csv", TOB + row("61.25"), decimal=",").reasons == ["BAD_NUMBER"]

    def test_C7_hint_names_value_and_column(self, read):
        reject = read("tob_1.csv", TOB + row("61,25")).rejected[0]
        assert "'61,25' in column 'bid'" in reject.hint
        assert "decimal" in reject.hint


class TestC8Signs:
    @pytest.mark.parametrize("text", ["0", "0.0", "-1", "-61.25", "0e5"])
    def test_C8_price_of_zero_or_less(self, read, text):
        assert read("tob_1.csv", TOB + row(bid=text) + row(ask=text)).reasons == ["NON_POSITIVE_PRICE"] * 2
        assert read("trade_1.csv", TRADE + deal(price=text)).reasons == ["NON_POSITIVE_PRICE"]

    def test_C8_zero_size_is_an_absent_side(self, read):
        got = read("tob_1.csv", TOB + row(bid_size="0.000") + row(bid="0", bid_size="0") + row(ask="0", ask_size="0"))
        assert got.values == [(0, 0, Decimal("61.26"), 2)] * 2 + [(Decimal("61.25"), 1, 0, 0)]

    def test_C8_negative_size(self, read):
        got = read("tob_1.csv", TOB + row(bid_size="-1") + row(bid="", bid_size="-1"))
        assert got.reasons == ["NON_POSITIVE_QTY"] * 2

    @pytest.mark.parametrize("text", ["0", "0.0", "-1"])
    def test_C8_trade_of_nothing(self, read, text):
        assert read("trade_1.csv", TRADE + deal(qty=text)).reasons == ["NON_POSITIVE_QTY"]


class TestC9AbsentSides:
    def test_C9_empty_sides(self, read):
        got = read("tob_1.csv", TOB + row("", "") + row("", "3") + row("", "", "", "") + row(ask="", ask_size="0"))
        assert got.values == [(0, 0, Decimal("61.26"), 2)] * 2 + [(0, 0, 0, 0), (Decimal("61.25"), 1, 0, 0)]

    def test_C9_nan_is_not_empty(self, read):
        assert read("tob_1.csv", TOB + row("nan", "") + row("", "nan")).reasons == ["BAD_NUMBER"] * 2

    def test_C9_price_without_size_is_rejected(self, read):
        assert read("tob_1.csv", TOB + row(bid_size="")).reasons == ["EMPTY_FIELD"]

    def test_C9_empty_trade_values(self, read):
        assert read("trade_1.csv", TRADE + deal(price="") + deal(qty="")).reasons == ["EMPTY_FIELD"] * 2


class TestSides:
    def test_side_words(self, read):
        words = ["B", "buy", "BID", "1", "", "S", "Sell", "ask", "-1", "unknown"]
        got = read("trade_1.csv", TRADE + "".join(deal(side=word) for word in words))
        assert [r[5] for r in got.rows] == [1, 1, 1, 1, 0, -1, -1, -1, -1, 0]

    @pytest.mark.parametrize("word", ["x", "buy ", "bu", "2", "buysellbuysellbuysell"])
    def test_unknown_side_is_rejected(self, read, word):
        assert read("trade_1.csv", TRADE + deal(side=word)).reasons == ["BAD_SIDE"]

    def test_no_side_column_is_unknown(self, read):
        got = read("trade_1.csv", "exchange_time;instrument;price;size\n" + f"{T};X;1;1\n")
        assert got.rows[0][5] == 0


class TestC17Instruments:
    def test_C17_interleaved_names_keep_their_rows(self, read):
        names = ["USD/RUB_T+0", "BTC/USD_T+0", "A" * 255, "..", "a", "A", "Имя"]
        rng = random.Random(1)
        order = [rng.choice(names) for _ in range(500)]
        got = read("tob_1.csv", TOB + "".join(row(instrument=name) for name in order), chunk_rows=7)
        assert [r[3] for r in got.rows] == order

    @pytest.mark.parametrize("name", ["A" * 256, "a\tb", "a\x7fb", " a", "a ", "a\x85b", "a\u2028b", "\x1b[31m"])
    def test_C17_bad_name_is_rejected(self, read, name):
        assert read("tob_1.csv", TOB + row(instrument=name) * 2).reasons == ["BAD_INSTRUMENT"] * 2

    def test_C17_empty_name_is_rejected(self, read):
        assert read("tob_1.csv", TOB + row(instrument="")).reasons == ["EMPTY_FIELD"]

    def test_C17_many_names(self, read):
        got = read("tob_1.csv", TOB + "".join(row(instrument=f"name-{n}") for n in range(5000)))
        assert [r[3] for r in got.rows] == [f"name-{n}" for n in range(5000)]

    def test_C17_a_column_of_ids_is_no_instrument(self, read):
        with pytest.raises(DataError, match="more than 65536 instruments"):
            read("tob_1.csv", TOB + "".join(row(instrument=str(n)) for n in range(65537)))


class TestFiles:
    def test_missing_file_is_exit_6(self, tmp_path):
        with pytest.raises(FileError, match="cannot read") as caught:
            get("seed").open(tmp_path / "tob_1.csv", ReadOptions())
        assert caught.value.exit_code == 6

    @pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf", b" \t\n"])
    def test_empty_file_is_an_error(self, read, data):
        with pytest.raises(DataError, match="is empty"):
            read("tob_1.csv", data)

    def test_hash_is_unknown_before_the_end(self, write):
        with get("seed").open(write("tob_1.csv", TOB + row()), ReadOptions()) as raw:
            for name in ("sha256", "content_sha256"):
                with pytest.raises(RuntimeError, match="not read to its end"):
                    getattr(raw, name)


class TestX9Rows:
    def test_X9_long_row_is_rejected_once(self, read):
        long = b"x" * 200_000
        got = read("tob_1.csv", TOB.encode() + long + b"\n" + ROW.encode() + long + b"\n" + ROW.encode())
        assert [(r.reason, r.line, r.offset) for r in got.rejected] == [
            ("ROW_TOO_LONG", 2, len(TOB)), ("ROW_TOO_LONG", 4, len(TOB) + len(ROW) + 200_001)]
        assert [r[0] for r in got.rows] == [3, 5]
        assert len(got.rejected[0].raw) == 4096

    def test_X9_no_line_end_for_many_blocks(self, read):
        got = read("tob_1.csv", TOB.encode() + ROW.encode() + b"y" * (5 << 20))
        assert got.reasons == ["ROW_TOO_LONG"]

    def test_X9_row_of_the_limit(self, read):
        head = TOB.replace("\n", ";x\n")
        rest = 65536 - len(ROW)
        rows = [ROW.replace("\n", ";" + "z" * n + "\n") for n in (rest, rest + 1)]
        got = read("tob_1.csv", head + "".join(rows))
        assert (len(got.rows), got.reasons) == (1, ["ROW_TOO_LONG"])

    @pytest.mark.parametrize("piece", ["\r", "\n", "\r\n", ";", '"', "\0", "\x80", "a\r", ";;;;;\n", '";";";";";"\n'])
    def test_X9_anything_takes_less_than_a_second_for_64_kib(self, read, piece):
        begin = time.process_time()
        read("tob_1.csv", (TOB + ROW).encode() + piece.encode("latin-1") * ((1 << 18) // len(piece)))
        assert time.process_time() - begin < 4  # a second for each 64 KiB

    def test_X9_header_without_end(self, read):
        with pytest.raises(DataError, match="no line end"):
            read("tob_1.csv", b"x" * (3 << 20))

    def test_X9_random_bytes_never_crash(self, read):
        rng = random.Random(9)
        for _ in range(100):
            with pytest.raises((DataError, StoreError)):
                read("tob_1.csv", rng.randbytes(rng.randrange(3000)))


def test_every_reason_has_a_hint():
    from mmbt.formats._csv import REASON_CODES

    fatal = {"MIXED_TIMES", "AMBIGUOUS_EPOCH", "AMBIGUOUS_FOLD", "NO_DATE", "TOO_MANY_NAMES", "NO_MEMORY"}
    assert set(REASON_CODES.values()) - fatal == set(REASONS)
