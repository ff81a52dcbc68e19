"""Functions of one file are tried in one process, and none of them is taken for wrong by what another one did."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernels.own import refuse
from kernels.specs.function import CallableSpec

PROGRAM = """
import ctypes
from pathlib import Path

with Path(__file__).with_suffix(".log").open("a") as log:
    print("imported", file=log)
zero = 0

def right(x): return x.clip(zero)
def spoiling(x):
    global zero
    zero = None
    return x.clip(0)
def needing(x): return x.clip(zero + 0)
def dying(x): ctypes.string_at(0)
def wrong(x): return x[1:]
"""


@pytest.mark.parametrize(
    ("functions", "imports", "wanted"),
    [
        (["right", "spoiling", "dying"], 1, None),
        (["right", "spoiling", "needing"], 2, None),
        (["right", "dying", "wrong"], 2, r"wrong\(x\), called .* returned shape \(1023,\)"),
    ],
)
def test_one_process_tells_of_all_unless_one_may_have_harmed_another(
    tmp_path: Path, functions: list[str], imports: int, wanted: str | None
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PROGRAM)
    specs = [CallableSpec(name, "relu", "numpy", str(path), name) for name in functions]
    if wanted is None:
        refuse(specs, "float32", {})
    else:
        with pytest.raises(ValueError, match=wanted):
            refuse(specs, "float32", {})
    assert len(path.with_suffix(".log").read_text().splitlines()) == imports
