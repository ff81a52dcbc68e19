"""Whether a run on a card reached what a card has to reach, by the run's own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kernels.api import Case
from scripts._card import told
from scripts._card.goals import goals
from tests import factories

LARGE: dict[str, Any] = {"placement": "out", "n": 256 << 20, "device": "cuda"}
SMALL = Case("relu", placement="out", n=1 << 10, device="cuda")


def run(folder: Path, *shares: tuple[str, str, float], graph_s: float | None = None) -> Path:
    """A run with such shares of a copy, by backend and dtype; torch_eager takes 5 us a call among many."""
    cells = [
        factories.cell(name, dtype=dtype, ceiling_fraction=share, **LARGE) for name, dtype, share in shares
    ]
    cells += [
        factories.cell(name, n=SMALL.n, placement="out", device="cuda", queued_s=queued_s)
        for name, queued_s in (("torch_eager", 5e-6), ("torch_graph", graph_s))
    ]
    (folder / "cells.csv").write_text(factories.as_csv(cells))
    return folder


def test_what_reaches_its_goal_and_what_does_not(tmp_path: Path) -> None:
    shares = [("triton_jit", "float32", 0.97), ("triton_jit", "bfloat16", 0.95)]
    shares += [("numba_cuda", "float32", 0.96), ("numba_cuda", "float16", 0.9)]
    lines = goals(run(tmp_path, *shares, graph_s=1e-6))
    assert lines == [
        "- goal: triton_jit, 0.95 of the copy of the same bytes at 256Mi: **reached**, 2 of 2 cases, from 0.95 to 0.97",
        "- goal: numba_cuda, 0.95 of the copy of the same bytes at 256Mi: **not reached**, 1 of 2 cases, "
        "from 0.90 to 0.96; below: relu-forward-out-float16-256Mi-cuda 0.90",
        "- goal: torch_graph, 5 times as fast a call as torch_eager at 1Ki: **reached**, 1 of 1 cases, "
        "from 5.00 to 5.00",
    ]


def test_a_graph_that_is_not_five_times_as_fast(tmp_path: Path) -> None:
    line = goals(run(tmp_path, graph_s=1.1e-6))[-1]
    assert "**not reached**" in line
    assert line.endswith("below: relu-forward-out-float32-1Ki-cuda 4.55")


def test_what_was_not_measured_is_told_as_that(tmp_path: Path) -> None:
    lines = goals(run(tmp_path, ("triton_jit", "float32", 0.99)))
    assert [line.rpartition(": ")[2] for line in lines[1:]] == ["**not measured**"] * 2
    assert set(lines) <= set(told.bench(tmp_path))


def test_a_rehearsal_reaches_nothing(tmp_path: Path) -> None:
    cells = [factories.cell("triton_jit", ceiling_fraction=0.99, **(LARGE | {"device": "cpu"}))]
    (tmp_path / "cells.csv").write_text(factories.as_csv(cells))
    assert all(line.endswith("**not measured**") for line in goals(tmp_path))
