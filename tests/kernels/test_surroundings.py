"""Backends in other people's surroundings: read-only folders, no home, debugging variables that were left set."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import registry
from kernels.plugins import one_line
from tests.running import ROOT, printed_by

pytestmark = pytest.mark.slow

WHY_NOT = """
from kernels import registry
from kernels.api import Case
try:
    print(registry.load({name!r}).why_not(Case("relu")))
except ImportError as error:
    print(error)
"""
RELU = """
import numpy as np
from kernels import registry
from kernels.api import Case
backend, x = registry.load("numba_jit"), np.linspace(-1, 1, 100, dtype=np.float32)
result = backend.compile(Case("relu", n=100), x, None, None)()
assert np.array_equal(result, np.maximum(x, 0))
print(bool(backend.compile_report()["cache_hit"]))
"""


def why_not(name: str, **environ: str) -> str:
    return printed_by(WHY_NOT.format(name=name), **environ).splitlines()[-1]


daily = pytest.mark.daily
"""For what another backend, or another variable of the same framework, shows: each takes a process that imports it."""


@pytest.mark.parametrize(
    ("name", "package", "variable", "value", "said"),
    [
        ("numba_jit", "numba", "NUMBA_DISABLE_JIT", "1", "NUMBA_DISABLE_JIT turns Numba's compiler off: unset it"),
        pytest.param("numba_tuned", "numba", "NUMBA_DISABLE_JIT", "1", "NUMBA_DISABLE_JIT turns Numba's", marks=daily),
        ("numba_jit", "numba", "NUMBA_NUM_THREADS", "0", "mend it: unset NUMBA_NUM_THREADS (set here: NUMBA_NUM_TH"),
        ("jax_jit", "jax", "JAX_DEBUG_NANS", "1", "JAX_DEBUG_NANS looks at every result"),
        pytest.param("jax_jit", "jax", "JAX_DISABLE_JIT", "1", "JAX_DISABLE_JIT turns jax.jit off", marks=daily),
        ("jax_jit", "jax", "JAX_PLATFORMS", "cuda", "JAX_PLATFORMS=cuda leaves the CPU out: unset it, or add cpu"),
        pytest.param("jax_jit", "jax", "JAX_PLATFORMS", "cpu", "None", marks=daily),
        pytest.param("torch_compile", "torch", "CXX", "c++ -O2", "CXX is 'c++ -O2', set it to", marks=daily),
    ],
)  # fmt: skip
def test_a_variable_that_was_left_set_is_named(
    name: str, package: str, variable: str, value: str, said: str
) -> None:
    pytest.importorskip(package)
    assert said in why_not(name, **{variable: value})


def test_a_cache_in_what_is_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "in"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(cache))
    with pytest.raises(OSError, match="Not a directory") as caught:
        cache.mkdir()
    assert registry.mend("torch_compile", caught.value) == (
        f"see that {cache} can be used, or set TORCHINDUCTOR_CACHE_DIR to another place"
    )


@daily  # a process that imports torch's compiler, to find the same
def test_a_cache_that_cannot_be_written_is_named_and_not_the_package(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "file").touch()
    said = why_not("torch_compile", TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "file" / "in"))
    assert f"see that {tmp_path}/file/in can be used, or set TORCHINDUCTOR_CACHE_DIR to another place" in said
    assert "reinstall" not in said


def test_what_was_installed_badly_is_reinstalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "2")
    assert registry.mend("numba_jit", ImportError("libLLVM.so")) == (
        "pip install --force-reinstall --no-cache-dir numba"
    )


@pytest.fixture
def read_only(tmp_path: Path) -> Path:
    """A copy of kernels/ beside whose sources nothing can be written, whoever runs this."""
    shutil.copytree(
        ROOT / "kernels", tmp_path / "copy" / "kernels", ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in {source.parent for source in (tmp_path / "copy").rglob("*.py")}:
        (folder / "__pycache__").touch()
    return tmp_path / "copy"


def in_copy(copy: Path, temporary: Path) -> str:
    """What `RELU` prints there, without a home."""
    nowhere = str(copy / "kernels" / "__pycache__" / "home")
    environ = {**os.environ, "PYTHONPATH": str(copy), "HOME": nowhere, "XDG_CACHE_HOME": nowhere}
    done = subprocess.run(
        [sys.executable, "-c", RELU],
        cwd=copy,
        env={**environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_a_read_only_checkout_without_a_home_has_its_cache_elsewhere(read_only: Path, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    assert [in_copy(read_only, temporary) for _ in range(2)] == ["False", "True"]
    (place,) = temporary.iterdir()
    assert place.stat().st_mode & 0o077 == 0


def test_a_cache_that_another_could_have_filled_is_not_used(read_only: Path, tmp_path: Path) -> None:
    pytest.importorskip("numba")
    temporary, others = tmp_path / "temporary", tmp_path / "others"
    temporary.mkdir()
    others.mkdir()
    (temporary / f"relu-bench-numba-{os.getuid()}").symlink_to(others)
    assert in_copy(read_only, temporary) == "False"
    assert not list(others.iterdir())


def test_of_a_compiler_that_failed_its_own_words_are_told() -> None:
    exc = pytest.importorskip("torch._inductor.exc")
    command = ["g++", *["-I/a/long/path"] * 200]
    error = exc.CppCompileError(
        command, "In file included from a.h:1:\na.h:2:1: fatal error: Python.h: No such file\n"
    )
    assert (
        one_line(error) == "CppCompileError: C++ compile error: a.h:2:1: fatal error: Python.h: No such file"
    )
