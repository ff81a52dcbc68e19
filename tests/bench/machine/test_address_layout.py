"""The environment's size is that of all arms, whatever a variant adds to it."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from bench.machine.address_layout import filled_up


def shape(environ: Mapping[str, str]) -> tuple[int, int]:
    """How many variables there are, and the bytes of their text."""
    return len(environ), sum(len(os.fsencode(f"{name}={value}")) + 1 for name, value in environ.items())


@pytest.mark.parametrize("count", range(60, 69))
def test_variants_have_one_shape_wherever_the_shared_variables_end(count: int) -> None:
    shared = {f"V{number}": "é" * number for number in range(count)}
    variants: tuple[dict[str, str], ...] = (
        {},
        {"A": "1"},
        {"A": "22", "B": ""},
        {"V3": "other"},
        {"C": "x" * 900},
    )
    filled = [filled_up({**shared, **added}, shared) for added in variants]
    assert len({shape(environ) for environ in filled}) == 1
    for environ, added in zip(filled, variants, strict=True):
        assert environ.items() >= {**shared, **added}.items()
