"""Whatever bytes stand in a file or come through a socket: what reads them says so in one line, or takes them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzzing import READERS, seeds

BYTES = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.integers(0, 127).map(lambda n: 2 * n), st.integers(0, 65535), st.binary(max_size=40)).map(
        lambda cut: bytes([cut[0]]) + cut[1].to_bytes(2, "big") + cut[2]
    ),
)
"""Bytes, and such as stand in the place of a piece of a whole file (see `tests.fuzzing`)."""
FEW, MANY = 25, 100_000


def fuzz(name: str, examples: int) -> None:
    reader = READERS[name]
    for seed in seeds(name):
        reader(seed)
    quiet = settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    quiet(given(BYTES)(reader))()


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_any_bytes(name: str) -> None:
    fuzz(name, FEW)


@pytest.mark.daily
@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_any_of_many_bytes(name: str) -> None:
    fuzz(name, MANY // len(READERS))
