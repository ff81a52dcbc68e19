"""The parsers that the options of pytest and of the scripts share."""

from __future__ import annotations

import math
from functools import partial

import pytest

from bench.plan import option_values as values_as
from bench.plan.option_values import OptionError, taken
from bench.text.sizes import parse_size
from kernels.api import AXIS_TABLE, USUAL


def test_a_list_has_each_item_once_in_its_order() -> None:
    assert values_as.items(" b, a,b ") == ("b", "a")
    assert values_as.list_of(float, "1,1.0,2") == (1.0, 2.0)


@pytest.mark.parametrize("text", ["0", "0.5", "1e300"])
def test_a_number_within_its_bounds(text: str) -> None:
    assert values_as.number(text, low=0) == float(text)


@pytest.mark.parametrize(
    ("text", "bounds", "says"),
    [
        ("inf", {"low": 0}, "inf is out of range; allowed: a number, 0 or more"),
        ("nan", {"low": 0}, "nan is out of range; allowed: a number, 0 or more"),
        ("0", {"low": 0, "above": True}, "0 is out of range; allowed: a number above 0"),
        ("-1", {"low": 0, "high": 1}, "-1 is out of range; allowed: a number from 0 to 1"),
        ("1.0", {"low": 1, "whole": True}, "'1.0' is not a whole number; allowed: a whole number, 1 or more"),
        ("x", {}, "'x' is not a number; allowed: a number"),
    ],
)
def test_another_number_is_told_them(text: str, bounds: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=f"^{says}$"):
        values_as.number(text, **bounds)  # type: ignore[arg-type]  # flags stand among the bounds


def test_a_slope_may_be_any_number() -> None:
    assert values_as.number("-inf") == -math.inf
    assert math.isnan(values_as.number("nan"))


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices(name: str) -> None:
    assert values_as.device(name) == name
    assert values_as.device_kind(name) == name.rstrip(":0123456789")


@pytest.mark.parametrize("name", ["", "CUDA", "cuda:", "cuda:-1", "cpu:0", "cuda:\u0663"])
def test_what_is_no_device(name: str) -> None:
    with pytest.raises(ValueError, match="is not a device; allowed: cpu, cuda, cuda:0"):
        values_as.device(name)


@pytest.mark.parametrize("text", ["1Ki,2Ki", "1Ki:4Ki"])
def test_where_one_size_belongs_several_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is more than one size; allowed: one, such as 64Mi"):
        parse_size(text)


def test_what_an_axis_may_be_can_be_typed() -> None:
    for axis in AXIS_TABLE:
        values = axis.values or (USUAL[axis.name] if axis.kind != "params" else "alpha=0.5",)
        assert values_as.axis_list(axis)(",".join(map(str, values))) == values
        assert values_as.axis_value(axis)(str(values[0])) == values[0]


def test_an_error_names_the_option_as_it_is_typed() -> None:
    with pytest.raises(OptionError, match=r"^--cache-states: 'warm' is not known; allowed: hot, cold$"):
        taken("cache_states", partial(values_as.one_of, ("hot", "cold")), "warm")
