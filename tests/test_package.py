"""The wheel in an environment of its own, beside another distribution's `kernels`."""

from __future__ import annotations

import ast
import csv
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.plan.experiments import CONTROLS
from tests.elsewhere import STAND_IN, run
from tests.running import INLINE, QUICK, ROOT

pytestmark = pytest.mark.slow

OURS = ("kernels", "bench", "scripts")
PLUGIN = """\
import kernels  # the other distribution's, in the same process

from relu_bench.kernels.backends.numpy_ufunc import NumpyUfunc

assert kernels.get_kernel

class Mine(NumpyUfunc):
    name = "mine"
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel, and a folder to work in that has nothing to do with the checkout."""

    python: Path
    packages: Path
    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return run(self.python, *words, folder=self.folder)


def pip(*words: str, folder: Path) -> None:
    done = run(sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check", folder=folder)
    assert done.returncode == 0, done.stderr


def dependencies(folder: Path) -> Path:
    """All that is installed here but what is ours, or called like it, as links: installing torch takes minutes."""
    folder.mkdir()
    for packages in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(packages).iterdir():
            own = entry.name.startswith(("relu_bench", "__editable__", *OURS))
            if not own and entry.suffix != ".pth":
                (folder / entry.name).symlink_to(entry)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel of this checkout, built from a copy and installed beside a package called `kernels`."""
    base = tmp_path_factory.mktemp("package")
    source = base / "source"
    for name in ("relu_bench", *OURS):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(base), ".", folder=source)
    (wheel,) = base.glob("*.whl")

    venv.create(base / "venv", symlinks=True)
    (packages,) = (base / "venv" / "lib").glob("python*/site-packages")
    (packages / "kernels").mkdir()
    (packages / "kernels" / "__init__.py").write_text(STAND_IN)
    (packages / "dependencies.pth").write_text(f"{dependencies(base / 'links')}\n")
    python = base / "venv" / "bin" / "python"
    with zipfile.ZipFile(wheel) as files:
        files.extractall(packages)  # which is all that pip does with a wheel of Python files and no scripts
    folder = base / "elsewhere"
    folder.mkdir()
    (folder / "mine.py").write_text(PLUGIN)
    return Installed(python, packages, folder)


def test_the_functions_come_from_one_name_and_no_module_has_two(installed: Installed) -> None:
    program = """
import sys
from relu_bench import Case, available, load, relu, torch_module
import relu_bench.torch_module, relu_bench.api
from relu_bench.kernels import api, registry, torch_module as real
assert relu_bench.torch_module is torch_module is real
assert relu_bench.api is api and api.Case is Case
import numpy
assert relu(numpy.array([-1.0, 2.0], "float32"), backend="numpy_ufunc").tolist() == [0.0, 2.0]
assert registry.load is load

import kernels
assert kernels.get_kernel == "of another distribution"
for name in ("bench", "scripts"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise AssertionError(f"{name} can be imported")
names = {}
for name, module in list(sys.modules.items()):
    if name.startswith("relu_bench"):
        names.setdefault(module.__file__, set()).add(id(module))
assert len(names) > 10 and all(len(modules) == 1 for modules in names.values()), names
"""
    done = installed.run("-c", program)
    assert done.returncode == 0, done.stderr


def test_it_shares_no_file_with_another_distribution(installed: Installed) -> None:
    """So the order in which they are installed does not matter, and neither takes the other along when it goes."""
    (record,) = installed.packages.glob("relu_bench-*.dist-info/RECORD")
    with record.open(encoding="utf-8", newline="") as file:
        tops = {row[0].partition("/")[0] for row in csv.reader(file)}
    assert tops == {"relu_bench", record.parent.name}


def test_importing_it_imports_no_framework(installed: Installed) -> None:
    program = "import sys, relu_bench; relu_bench.Case; dir(relu_bench); print('numpy' in sys.modules)"
    assert installed.run("-c", program).stdout == "False\n"


def test_it_measures_a_plugin_from_any_folder_and_its_scripts_read_the_run(installed: Installed) -> None:
    options = ("--backends", "mine", "--baseline", "mine", "--plugin", "mine:Mine")
    few = ("--ops", "relu", "--directions", "forward", "--placements", "new", "--sizes", "64")
    asked = ("--pyargs", "relu_bench.bench", *QUICK, *INLINE, *options, *few, "--run-id", "run")
    done = installed.run("-m", "pytest", "-p", "no:cacheprovider", *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "python -m relu_bench.scripts.summarise results/run" in done.stdout
    with (installed.folder / "results" / "run" / "cells.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["backend"] for row in rows} == {"mine", *CONTROLS}
    assert {row["status"] for row in rows} <= {"ok", "noisy"}
    read = installed.run("-m", "relu_bench.scripts.report", "--output", "page.html")
    assert read.returncode == 0, read.stderr
    assert "<html" in (installed.folder / "page.html").read_text()


def test_it_compares_functions_of_a_script(installed: Installed) -> None:
    program = """
import numpy as np
import relu_bench

def doubled(x):
    return x * 2

def summed(x):
    return x + x

if __name__ == "__main__":
    found = relu_bench.compare({"doubled": doubled, "summed": summed}, np.ones(99, np.float32), seconds=1)
    print(*sorted(row.status for row in found.functions))
"""
    (installed.folder / "asks.py").write_text(program)
    done = installed.run("asks.py")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"ok", "noisy"}


@pytest.mark.daily  # a plugin is, above
def test_it_measures_a_function_of_a_file(installed: Installed) -> None:
    (installed.folder / "own.py").write_text("import numpy as np\n\ndef f(x):\n    return np.maximum(x, 0)\n")
    few = ("--ops", "relu", "--directions", "forward", "--placements", "new", "--sizes", "64")
    asked = ("--backends", "numpy_ufunc", "--callable", "own.py:f", *few, "--benchmark-disable")
    words = ("-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "relu_bench.bench.test_activations")
    done = installed.run(*words, *QUICK, *INLINE, *asked)
    assert done.returncode == 0, done.stdout + done.stderr
    bad = installed.run(*words, "--callable", "own.py:g")
    assert bad.returncode == pytest.ExitCode.USAGE_ERROR
    assert "own.py has no function 'g'" in bad.stderr


def test_pytest_knows_our_options_only_where_the_benchmark_is_named(installed: Installed) -> None:
    assert "--target-ci" not in installed.run("-m", "pytest", "--help").stdout
    networks = ("--pyargs", "relu_bench.bench.test_network", "--layouts", "strided")
    assert "networks have one value of it only" in installed.run("-m", "pytest", *networks).stderr


def test_no_string_in_the_wheel_names_a_module_as_a_checkout_does(installed: Installed) -> None:
    named = re.compile(
        rf"({'|'.join(OURS)})(\.[a-z_]\w*)+(:\w+)?\Z|(?m:.*^(from|import) ({'|'.join(OURS)})\b)", re.S
    )
    found = [
        f"{file.name}:{line}: {text}"
        for file in (installed.packages / "relu_bench").rglob("*.py")
        for line, text in whole_strings(ast.parse(file.read_text()))
        if named.match(text)
    ]
    assert found == []


def whole_strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module but docstrings, each with its line; of an f-string, what it begins with."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr | ast.FormattedValue):
            continue
        parts = node.values[:1] if isinstance(node, ast.JoinedStr) else ast.iter_child_nodes(node)
        for part in parts:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.lineno, part.value
