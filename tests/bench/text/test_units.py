"""Numbers as text."""

from __future__ import annotations

import math

import pytest

from bench.text.units import (
    bytes_text,
    calls_text,
    count_text,
    number_text,
    percent_text,
    ratio_text,
    seconds_text,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.234e-9, "1.23 ns"),
        (1.234e-5, "12.3 us"),
        (9.996e-4, "1.00 ms"),
        (9.994e-4, "999 us"),
        (1.0, "1.00 s"),
        (123.4, "123 s"),
        (0.0, "0 ns"),
        (3e-10, "0.300 ns"),
        (math.nan, "-"),
        (math.inf, "inf"),
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01234, "0.0123"), (9.999, "10.0"), (123.4, "123"), (12345.0, "12300"), (1e9, "1.00e+09"), (0.0, "0")],
)
def test_three_digits(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((2.311, 2.249, 2.381), "2.31x [2.25, 2.38]"),
        ((0.0512, 0.05, 0.0531), "0.0512x [0.0500, 0.0531]"),
        ((12.34, 9.9, 14.8), "12.3x [9.9, 14.8]"),
        ((2.311,), "2.31x"),
        ((2.311, -math.inf, math.inf), "2.31x"),
        ((math.nan, 1.0, 2.0), "-"),
    ],
)
def test_ratios(values: tuple[float, ...], text: str) -> None:
    assert ratio_text(*values) == text


def test_percent_and_calls() -> None:
    assert [percent_text(f) for f in (0.8412, 0.0213, 0.0996, 1.2, 9.99, 2e58, math.nan)] == [
        "84%",
        "2.1%",
        "10%",
        "120%",
        "999%",
        ">1000%",
        "-",
    ]
    assert [calls_text(c) for c in (0, 1234.0, math.inf, math.nan)] == ["at once", "1,234", "never", "-"]


def test_one_is_not_several() -> None:
    assert [count_text(count, "cell") for count in (0, 1, 2, 1234)] == [
        "0 cells",
        "1 cell",
        "2 cells",
        "1,234 cells",
    ]
    assert count_text(1, "batch", "batches") == "1 batch"
    assert count_text(2, "batch", "batches") == "2 batches"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.50 KiB"),
        (80 << 20, "80.0 MiB"),
        (3 << 30, "3.00 GiB"),
        (math.nan, "-"),
    ],
)
def test_bytes(count: float, text: str) -> None:
    assert bytes_text(count) == text
