"""The machine's 128-bit arithmetic, compiled by itself, against Python's integers: exact, or it says that it is not."""

from __future__ import annotations

import ctypes
import random
import re
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "cysim" / "money.pxd"
SHIM = """
#include <stdint.h>
%s
typedef mmbt_money m;
static m in(const uint64_t *a) { return (m)(((unsigned __int128)a[1] << 64) | a[0]); }
static void out(m x, uint64_t *a) { a[0] = (uint64_t)x; a[1] = (uint64_t)((unsigned __int128)x >> 64); }
int quotient(int64_t n, int64_t times, int64_t divisor, uint64_t *r)
{ int o = 0; out(mmbt_money_quotient(n, times, divisor, &o), r); return o; }
int scaled(const uint64_t *a, int64_t b, uint64_t *r)
{ int o = 0; out(mmbt_money_scaled(in(a), b, &o), r); return o; }
int rounded(const uint64_t *a, const uint64_t *b, const uint64_t *c, const uint64_t *d, uint64_t *r)
{ int o = 0; out(mmbt_money_rounded(in(a), in(b), in(c), in(d), &o), r); return o; }
"""
Wide = ctypes.c_uint64 * 2
BOUND = 1 << 127


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    block = re.search(r'"""\n(.*?)"""', SOURCE.read_text("utf-8"), re.S)
    assert block is not None
    folder = tmp_path_factory.mktemp("money")
    (folder / "money.c").write_text(SHIM % block[1], "utf-8")
    trap = ["-fno-wrapv", "-fsanitize=signed-integer-overflow,shift", "-fsanitize-undefined-trap-on-error"]
    library = folder / "money.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", *trap, "-o", library, folder / "money.c"], check=True)
    return ctypes.CDLL(str(library))


def wide(value: int) -> ctypes.Array[ctypes.c_uint64]:
    return Wide(value & (2**64 - 1), value >> 64 & (2**64 - 1))


def narrow(words: ctypes.Array[ctypes.c_uint64]) -> int:
    value = words[1] << 64 | words[0]
    return value - (1 << 128) if value >= BOUND else value


def half_away(value: Fraction) -> int:
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole


def check(overflow: int, words: ctypes.Array[ctypes.c_uint64], expected: Fraction) -> None:
    exact = half_away(expected)
    if -BOUND <= exact < BOUND:
        assert (overflow, narrow(words)) == (0, exact)
    else:
        assert overflow


def lots(rng: random.Random) -> int:
    return rng.choice([-1, 1]) * rng.randrange(1 << rng.randrange(1, 63))


def test_a_quotient_is_rounded_once_and_never_wraps(native: ctypes.CDLL) -> None:
    rng = random.Random(1)
    for _ in range(4000):
        n, times = lots(rng), rng.choice([1, 2])
        divisor = rng.randrange(1, 1 << rng.randrange(1, 42))
        found = Wide()
        overflow = native.quotient(ctypes.c_int64(n), ctypes.c_int64(times), ctypes.c_int64(divisor), found)
        check(overflow, found, Fraction(n * times * 10**20, divisor))


@pytest.mark.parametrize(("n", "divisor", "expected"), [
    (1, 3, 33333333333333333333), (-1, 3, -33333333333333333333), (2, 3, 66666666666666666667),
    (1, 2**21 * 3, 15894571940104), (1, 2**21, 47683715820313), (-1, 2**21, -47683715820313), (0, 7, 0),
])
def test_halves_of_a_quotient_go_away_from_zero(native: ctypes.CDLL, n: int, divisor: int, expected: int) -> None:
    # 10^20 / 2^21 = 47683715820312.5
    found = Wide()
    assert native.quotient(ctypes.c_int64(n), ctypes.c_int64(1), ctypes.c_int64(divisor), found) == 0
    assert narrow(found) == expected


def test_two_fractions_are_added_before_they_are_rounded(native: ctypes.CDLL) -> None:
    rng = random.Random(2)
    for _ in range(6000):
        a, c = (rng.choice([-1, 1]) * rng.randrange(1 << rng.randrange(1, 128)) for _ in range(2))
        b, d = rng.randrange(1, 1 << rng.randrange(1, 41)), rng.randrange(1, 1 << rng.randrange(1, 81))
        if rng.random() < 0.5:  # near halves and whole numbers
            a, c = a % 1000 - 500, c % 1000 - 500
            b, d = rng.choice([1, 2, 4, 6]), rng.choice([1, 2, 3, 4])
        found = Wide()
        check(native.rounded(wide(a), wide(b), wide(c), wide(d), found), found, Fraction(a, b) + Fraction(c, d))


def test_a_product_beyond_128_bits_is_told(native: ctypes.CDLL) -> None:
    rng = random.Random(3)
    for _ in range(2000):
        a = rng.choice([-1, 1]) * rng.randrange(1 << rng.randrange(1, 127))
        b = lots(rng)
        found = Wide()
        check(native.scaled(wide(a), ctypes.c_int64(b), found), found, Fraction(a * b))
