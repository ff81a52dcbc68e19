"""The fused loops of Numba's network on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import ROOT

pytestmark = pytest.mark.slow

_PROGRAM = """
import numpy as np
from kernels import networks
from kernels.networks.case import NetworkCase
case = NetworkCase("mlp_leaky_relu")
networks.load("numba_jit").compile(case, np.ones((1, 10), np.float32), None, None)
"""


def test_a_second_process_fetches_the_fused_loop_and_adds_no_file(tmp_path: Path) -> None:
    kept = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            cwd=ROOT,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        kept.append({path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*fused*")})
    assert kept[0]
    assert kept[0] == kept[1]
