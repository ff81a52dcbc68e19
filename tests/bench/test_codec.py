"""Messages as JSON: every kind comes back as it went, and nothing else is taken for one."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest

from bench.codec import MessageError, decode, encode
from bench.judging.gate import GateReport
from bench.limits import Between, Finite, OneOf, Seconds, Sized
from bench.machine.own_usage import Usage
from bench.messages import ARM_REQUESTS, Loaded, Open, Prepare, Prepared, Sample, TimeBatch
from kernels.api import Case
from kernels.networks.case import NetworkCase


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Inner:
    number: float


@dataclass(frozen=True)
class Other:
    number: float


SAMPLE = Sample(
    1e-6, (1e-6, 2e-6), 1000, 1.5, 2.5, 0.1, 0.0, Usage(1.0, 2, 0.5), 3.0, None, (((0, 1e-5), (-1, 2e-5)),)
)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (float, 0.1 + 0.2),
        (float, -0.0),
        (float, math.inf),
        (float, 5e-324),
        (int, 2**63 - 1),
        (bool, True),
        (str, "é\udc80\0\n"),
        (int | None, None),
        (int | None, 7),
        (Literal["new", "out"], "out"),
        (Colour, Colour.BLUE),
        (tuple[float, ...], (1.0, 2.0)),
        (tuple[int, str], (1, "a")),
        (list[Inner], [Inner(1.0)]),
        (set[str], {"b"}),
        (frozenset[int], frozenset({3})),
        (dict[str, Inner], {"a": Inner(2.0)}),
        (Mapping[str, str], {"a": "b"}),
        (Inner | Other, Other(1.0)),
        (Case | NetworkCase, NetworkCase("mlp_relu")),
        (Loaded, Loaded(0.5, "3.11.7", {"numpy": "2"})),
        (Prepared, Prepared(None, GateReport(None, 0.5, "x"), 0.1, None, 2, {"cache_hit": 0})),
        (Sample, SAMPLE),
        (Open, Open("numpy_ufunc", "twin", {"a": "b:C"}, 1, 1 << 20)),
        (Prepare, Prepare(Case("leaky_relu", n=3, negative_slope=-math.inf))),
        (TimeBatch, TimeBatch(10, 0.5)),
    ],
)
def test_what_goes_comes_back(hint: Any, value: object) -> None:
    back = decode(hint, encode(hint, value))
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_nan_comes_back() -> None:
    assert math.isnan(decode(float, encode(float, math.nan)))
    case = decode(Prepare, encode(Prepare, Prepare(Case("leaky_relu", negative_slope=math.nan)))).case
    assert math.isnan(case.negative_slope)


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, b"1.5"),
        (int, b"true"),
        (int, b"1" * 30),
        (int, b"1" * 5000),
        (float, b'"1"'),
        (float, b"1" * 400),
        (bool, b"1"),
        (str, b"1"),
        (int, b"null"),
        (int, b"[[[["),
        (int, b"[" * 100_000),
        (int, b"\xff\xfe"),
        (int, b""),
        (Literal["new"], b'"old"'),
        (Literal[1], b"true"),
        (Colour, b'"GREEN"'),
        (Colour, b"1"),
        (tuple[int, str], b'[1,"a",2]'),
        (tuple[int, ...], b'{"0":1}'),
        (dict[str, int], b"[1]"),
        (Inner, b'{"number":1.0,"more":2}'),
        (Inner, b"{}"),
        (Inner, b"[1.0]"),
        (Inner | Other, b'["Case",{"number":1.0}]'),
        (Inner | Other, b'[["Inner"],{"number":1.0}]'),
        (Inner | Other, b'{"number":1.0}'),
        (Case, encode(Case, Case("relu")).replace(b'"relu"', b'"gleu"')),
        (Finite, b"NaN"),
        (Finite, b"-Infinity"),
        (Seconds, b"-1"),
        (Annotated[int, Between(1, 9)], b"10"),
        (Annotated[str, OneOf(("a",))], b'"b"'),
        (Annotated[tuple[int, ...], Sized(1, 2)], b"[]"),
    ],
)
def test_what_does_not_fit_is_refused(hint: Any, text: bytes) -> None:
    with pytest.raises(MessageError):
        decode(hint, text)


@pytest.mark.parametrize(
    ("hint", "value"),
    [(int, 1.0), (str, None), (Inner, Other(1.0)), (Inner, Inner("x")), (dict[str, int], {1: 2})],  # type: ignore[arg-type]
)
def test_what_is_no_message_is_not_sent(hint: Any, value: object) -> None:
    with pytest.raises(MessageError):
        encode(hint, value)


@pytest.mark.parametrize(
    "change",
    [
        {"parts": []},
        {"parts": [float("nan")]},
        {"iterations": 0},
        {"pace": [[[0, 0.0]]]},
        {"pace": [[]]},
        {"parts": [1.0] * 9},  # the one look at the CPUs covers two
        {"seconds": float("inf")},
        {"usage": {"cpu_s": float("nan"), "pushed_off": 0, "waited_s": 0.0}},
    ],
)
def test_a_sample_that_would_trip_the_coordinator_is_refused(change: dict[str, Any]) -> None:
    told = json.loads(encode(Sample, SAMPLE)) | change
    with pytest.raises(MessageError):
        decode(Sample, json.dumps(told).encode())


def test_the_reason_says_where_it_is_wrong() -> None:
    told = json.loads(encode(Sample, SAMPLE))
    told["usage"]["pushed_off"] = "many"
    with pytest.raises(MessageError, match="usage: pushed_off: 'many' is no whole number"):
        decode(Sample, json.dumps(told).encode())


@pytest.mark.parametrize("kind", ARM_REQUESTS)
def test_every_request_of_an_arm_can_be_written_and_says_its_answer(kind: Any) -> None:
    with pytest.raises(MessageError):
        encode(kind, object())
    with pytest.raises(MessageError):
        encode(kind.answer_type, object())
