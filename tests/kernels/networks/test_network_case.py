"""A network as a case: what it refuses, what it moves and computes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kernels.api import Case
from kernels.networks.case import NetworkCase, case_of, parse_widths

pytestmark = pytest.mark.slow

SMALL = NetworkCase("mlp_relu")


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"op": "relu"}, "op of a network is 'relu'; allowed: mlp_relu"),
        ({"direction": "backward"}, "direction of a network is 'backward'; allowed: forward, train_step"),
        ({"placement": "out"}, "placement of a network is 'out'; allowed: new"),
        ({"dtype": "float64"}, "dtype of a network"),
        ({"cache": "cold"}, "cache of a network"),
        ({"layout": "contiguous"}, "'contiguous' are no widths; allowed: input-hidden-output"),
        ({"layout": "10-5"}, "no widths"),
        ({"layout": "10-0-3"}, "no widths"),
        ({"n": 15}, "n is 15; it counts the input batch: a multiple of its width 10"),
        ({"n": 0}, "n is 0"),
        ({"threads": -1}, "threads is -1"),
    ],
)
def test_a_case_refuses_what_no_network_is(axes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        NetworkCase(**{"op": "mlp_relu", **axes})


def test_an_activations_case_still_refuses_networks() -> None:
    for axes in (
        {"op": "mlp_relu"},
        {"op": "relu", "direction": "train_step"},
        {"op": "relu", "layout": "10-5-3"},
    ):
        with pytest.raises(ValueError, match="allowed"):
            Case(**axes)  # type: ignore[arg-type]


def test_the_op_says_which_kind_of_case_it_is() -> None:
    assert case_of(op="mlp_relu", layout="3-2-1", n=6) == NetworkCase("mlp_relu", layout="3-2-1", n=6)
    assert case_of(op="relu", n=6) == Case("relu", n=6)
    assert NetworkCase("mlp_relu", negative_slope=0.3).negative_slope == 0.0


def test_what_a_network_moves_and_computes() -> None:
    case = NetworkCase("mlp_relu", n=20)
    assert (case.batch, case.parameters) == (2, 10 * 5 + 5 + 5 * 3 + 3)
    assert case.bytes_moved == 4 * (20 + 73 + 6)
    assert case.flops == 2 * 2 * (50 + 15)
    step = NetworkCase("mlp_relu", "train_step", n=20)
    assert step.bytes_moved == 4 * (20 + 6 + 73 + 73 + 1)
    assert step.flops == 2 * 2 * (2 * 50 + 3 * 15)


@pytest.mark.parametrize("text", ["10x5x3", "10-5-3-1", "-5-3", "1e3-5-3", "1000000-1-1", "10-5-3 ", ""])
def test_words_that_are_no_widths(text: str) -> None:
    with pytest.raises(ValueError, match="are no widths; allowed: input-hidden-output"):
        parse_widths(text)
