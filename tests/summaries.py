"""Runs with known answers for the tests of `scripts/summarise.py`, and how to look at what it says."""

from __future__ import annotations

import pytest

from bench.records.schema import Cell
from scripts.summarise import main
from tests.factories import cell, experiment

SIZES = (1024, 1 << 20, 1 << 24)


def lines(run: str = "run1", factor: float = 1.0) -> list[Cell]:
    """Three sizes of one case: latency 1 us and 10 GB/s for the baseline, 4 us and 40 GB/s for torch."""
    return [
        record
        for n in SIZES
        for record in experiment(
            {
                "numpy_ufunc": factor * (1e-6 + 8 * n / 10e9),
                "torch_eager": factor * (4e-6 + 8 * n / 40e9),
                "torch_eager[thp]": factor * (4e-6 + 8 * n / 40e9),
            },
            n=n,
            run_id=run,
            ceiling_gb_per_s=50.0,
        )
    ]


def skips() -> list[Cell]:
    reason = "JAX arrays are immutable: use placement new"
    return [cell("jax_jit", None, status="skipped", reason=reason, n=n, placement="out") for n in SIZES]


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def row_of(text: str, *words: str) -> str:
    """The first line that has all of `words`."""
    return next(line for line in text.splitlines() if all(word in line for word in words))
