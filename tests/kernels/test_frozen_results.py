"""relu and leaky_relu have the bits that they had before ops became files."""

from __future__ import annotations

import json

import pytest

from tests.frozen_results import BACKENDS, digests
from tests.running import ROOT

FROZEN = json.loads((ROOT / "tests" / "frozen_results.json").read_text())


@pytest.mark.parametrize(
    "source", ["reference", *(pytest.param(name, marks=pytest.mark.slow) for name in BACKENDS)]
)
def test_the_bits_are_those_of_before(source: str) -> None:
    wanted = {name: digest for name, digest in FROZEN.items() if name.split()[0] == source}
    assert len(wanted) >= 4 * 2 * 4
    assert digests(source) == wanted
