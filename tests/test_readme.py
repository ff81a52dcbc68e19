"""What the README tells people to paste works when pasted."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import kernels
from tests.running import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _block(containing: str) -> str:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return next(block for block in blocks if containing in block)


def test_the_plugin_is_short_and_gets_a_row(tmp_path: Path) -> None:
    program = _block("class MyRelu")
    assert len(program.splitlines()) <= 20
    (tmp_path / "my_relu.py").write_text(program)
    options = "--plugin my_relu:MyRelu --backends my_relu --ops relu --sizes 1Ki --max-seconds 0.1 --run-id r"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "bench/",
            *options.split(),
            f"--results={tmp_path}",
            "-p",
            "no:cacheprovider",
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    with (tmp_path / "r" / "cells.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["backend"] == "my_relu"]
    statuses = {(row["direction"], row["placement"]): row["status"] for row in rows}
    assert statuses.pop(("forward", "out")) in ("ok", "noisy")
    assert set(statuses.values()) == {"skipped"}


def test_the_calls_give_what_is_said_beside_them() -> None:
    names: dict[str, object] = {}
    exec(_block("import kernels"), names)  # the README's own text
    x = np.array([-2, -1, 0, 1, 2], dtype=np.float32)
    np.testing.assert_array_equal(kernels.relu(x), [0, 0, 0, 1, 2])
    np.testing.assert_allclose(kernels.leaky_relu(x, 0.01, backend="torch_eager"), [-0.02, -0.01, 0, 1, 2])
