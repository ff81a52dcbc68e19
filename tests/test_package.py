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
from tests.running import INLINE, QUICK, ROOT, WITHOUT

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

    def run(self, *words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
        return run(self.python, *words, folder=self.folder, path=str(path) if path else None)


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
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(base)!r})"  # as pip calls it
    built = run(sys.executable, "-c", build, folder=source)
    assert built.returncode == 0, built.stderr
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
    pytest.importorskip("torch", reason="torch_module is one of the names")
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


THEIRS = {
    "kernels/__init__.py": STAND_IN,
    "their_relu.py": """
from relu_bench.kernels.backends.numpy_ufunc import NumpyUfunc

class Theirs(NumpyUfunc):
    name = "theirs"
""",
    "kernels-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: kernels\nVersion: 1.0\n",
    "kernels-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "kernels-1.0.dist-info/entry_points.txt": "[relu_bench.backends]\ntheirs = their_relu:Theirs\n",
}
"""Another distribution called `kernels`, which brings a backend as an entry point."""
BOTH = """
import kernels, numpy
from relu_bench import relu
assert kernels.get_kernel
print(relu(numpy.array([-1, 2], numpy.float32), backend="theirs").tolist())
"""


def test_an_entry_point_of_another_kernels_is_a_backend(installed: Installed, tmp_path: Path) -> None:
    for name, text in THEIRS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = installed.run("-c", BOTH, path=tmp_path)
    assert done.stdout == "[0.0, 2.0]\n", done.stderr


@pytest.mark.daily  # that they share no file is held above
@pytest.mark.parametrize("first", [0, 1], ids=["ours first", "theirs first"])
def test_pip_installs_it_before_and_after_another_kernels(
    first: int, installed: Installed, tmp_path: Path
) -> None:
    theirs = tmp_path / "kernels-1.0-py3-none-any.whl"
    with zipfile.ZipFile(theirs, "w") as file:
        for name, text in {
            **THEIRS,
            "kernels-1.0.dist-info/RECORD": "".join(f"{n},,\n" for n in THEIRS),
        }.items():
            file.writestr(name, text)
    venv.create(tmp_path / "venv", symlinks=True)
    (packages,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{installed.folder.parent / 'links'}\n")
    python = tmp_path / "venv" / "bin" / "python"
    wheels = [*installed.folder.parent.glob("*.whl"), theirs]
    for wheel in (wheels[first], wheels[not first]):
        pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel), folder=tmp_path)
    done = run(python, "-c", BOTH, folder=tmp_path)
    assert done.stdout == "[0.0, 2.0]\n", done.stderr
    pip("--python", str(python), "uninstall", "--yes", "kernels", folder=tmp_path)
    done = run(
        python,
        "-c",
        "from relu_bench.kernels import registry; print('theirs' in registry.names())",
        folder=tmp_path,
    )
    assert done.stdout == "False\n", done.stderr


def test_importing_it_imports_no_framework(installed: Installed) -> None:
    program = "import sys, relu_bench; relu_bench.Case; dir(relu_bench); print('numpy' in sys.modules)"
    assert installed.run("-c", program).stdout == "False\n"


def test_it_measures_a_plugin_from_any_folder_and_its_scripts_read_the_run(installed: Installed) -> None:
    options = ("--backends", "mine", "--baseline", "mine", "--plugin", "mine:Mine")
    few = ("--ops", "relu", "--directions", "forward", "--placements", "new", "--sizes", "64")
    asked = ("--pyargs", "relu_bench.bench", *QUICK, *INLINE, *options, *few, "--run-id", "run")
    done = installed.run("-m", "pytest", *WITHOUT, *asked)
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
    words = ("-m", "pytest", *WITHOUT, "--pyargs", "relu_bench.bench.test_activations")
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
