"""`relu_bench` in the checkout, how a wheel's imports are rewritten, and what another `kernels` before ours does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.elsewhere import STAND_IN, run
from tests.running import ROOT, WITHOUT

pytestmark = pytest.mark.slow


def of_checkout(*words: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, *words, folder=ROOT, path=str(ROOT))


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], str]:
    """Builds one module with these lines; gives the built lines, or what setup.py says."""
    (tmp_path / "kernels").mkdir()
    shutil.copy(ROOT / "setup.py", tmp_path)
    (tmp_path / "kernels" / "__init__.py").touch()

    def built(lines: str) -> str:
        (tmp_path / "kernels" / "a.py").write_text(lines)
        done = run(sys.executable, "setup.py", "--quiet", "build_py", folder=tmp_path)
        made = tmp_path / "build" / "lib" / "relu_bench" / "kernels" / "a.py"
        return done.stderr if done.returncode else made.read_text()

    return built


def test_imports_are_rewritten_and_nothing_else(build: Callable[[str], str]) -> None:
    written = """\
\"\"\"from kernels import api\"\"\"
import os, kernels, bench as harness
import kernels.api as api
from kernels import (
    registry,
)
from bench.text.sizes import size; from scripts import x
def f(kernels):
    from kernels_of_others import y; import benchmark
    é = "ü"; from kernels.api import Case  # kernels.api
    return kernels.api, "import kernels"
"""
    assert (
        build(written)
        == """\
\"\"\"from kernels import api\"\"\"
import os, relu_bench.kernels as kernels, relu_bench.bench as harness
import relu_bench.kernels.api as api
from relu_bench.kernels import (
    registry,
)
from relu_bench.bench.text.sizes import size; from relu_bench.scripts import x
def f(kernels):
    from kernels_of_others import y; import benchmark
    é = "ü"; from relu_bench.kernels.api import Case  # kernels.api
    return kernels.api, "import kernels"
"""
    )


@pytest.mark.parametrize("lines", ["import kernels.api\n", "from \\\n  kernels import api\n"])
def test_an_import_that_cannot_be_rewritten_ends_the_build(build: Callable[[str], str], lines: str) -> None:
    assert re.search(
        r"kernels/a\.py:1: .*(import kernels\.api|from kernels import).*; write|write", build(lines)
    )


def test_in_a_checkout_it_is_another_name_of_the_same_modules() -> None:
    pytest.importorskip("torch", reason="torch_module is one of the modules")
    program = """
import sys
import relu_bench.kernels.registry, relu_bench.torch_module, relu_bench.api, relu_bench.bench.text.sizes
from relu_bench import relu, torch_module
import kernels, kernels.registry, kernels.torch_module, bench.text.sizes
assert relu_bench.torch_module is torch_module is kernels.torch_module
assert relu_bench.kernels is kernels and relu_bench.kernels.registry is kernels.registry
assert relu_bench.api is kernels.api and relu is kernels.relu
assert relu_bench.bench.text.sizes is bench.text.sizes
assert kernels.registry.__spec__.name == kernels.registry.__name__ == "kernels.registry"
names = {}
for name, module in list(sys.modules.items()):
    if name.partition(".")[0] in ("relu_bench", "kernels", "bench"):
        names.setdefault(module.__file__, set()).add(id(module))
assert all(len(modules) == 1 for modules in names.values()), names
"""
    done = of_checkout("-c", program)
    assert done.returncode == 0, done.stderr


def test_in_a_checkout_the_commands_of_a_wheel_work_too(tmp_path: Path) -> None:
    assert of_checkout("-m", "relu_bench.scripts.compare", "--help").stdout.startswith("usage: compare.py")
    said = tmp_path / "relu_bench-0.dist-info"  # as an editable install of this checkout says it
    said.mkdir()
    (said / "METADATA").write_text("Metadata-Version: 2.1\nName: relu-bench\nVersion: 0\n")
    (said / "entry_points.txt").write_text("[pytest11]\nrelu_bench = relu_bench._pytest_options\n")
    chosen = ("--backends", "numpy_ufunc", "--baseline", "numpy_ufunc", "--sizes", "64", "--ops", "relu")
    few = (*chosen, "--collect-only", "-q")
    words = ("-m", "pytest", *WITHOUT, "--pyargs", "relu_bench.bench", *few)
    done = run(sys.executable, *words, folder=ROOT, path=os.pathsep.join([str(tmp_path), str(ROOT)]))
    assert "relu-forward-new-float32-64-numpy_ufunc-twin" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words", [("scripts/compare.py", "--help"), ("scripts/tune.py", "--help"), ("scripts/doctor.py", "--help"),
              ("-P", "-m", "pytest", "-p", "kernels", "bench/"), ("-P", "-c", "from relu_bench import relu")]
)  # fmt: skip
def test_another_kernels_before_ours_is_told_in_one_line(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text(STAND_IN)
    done = run(sys.executable, *words, folder=ROOT, path=os.pathsep.join([str(tmp_path), str(ROOT)]))
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode != 0
    assert str(tmp_path / "kernels" / "__init__.py") in last
    assert f"PYTHONPATH={ROOT}" in last
    assert "-c" in words or len(done.stderr.splitlines()) == 1, done.stderr
