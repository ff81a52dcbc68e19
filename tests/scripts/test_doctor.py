"""`scripts/doctor.py`: what it says of a machine with nothing, and of one with broken parts."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from bench.machine import cgroups, spoilers
from bench.machine.finding import OK, PROBLEM, WARNING
from scripts._doctor import backends, clocks, machine, memory
from scripts._doctor.messages import Family, Tried
from tests.running import ROOT

pytestmark = pytest.mark.slow

_HIDE = """
import importlib.machinery as machinery
found = machinery.PathFinder.find_spec
machinery.PathFinder.find_spec = classmethod(
    lambda cls, name, *rest: None if name.partition(".")[0] in {hidden} else found(name, *rest)
)
"""


def hiding(folder: Path, *packages: str) -> dict[str, str]:
    """An environment in which these packages are not installed, for Python and the processes it starts."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_HIDE.format(hidden=set(packages)))
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/doctor.py", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def by_name(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert "Traceback" not in done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["findings"]}


class TestBackends:
    def test_without_the_frameworks_it_says_how_to_get_them(self, tmp_path: Path) -> None:
        done = run(hiding(tmp_path / "h", "torch", "jax", "numba"), "--only", "backends", "--json")
        found = by_name(done)
        assert done.returncode == 0  # NumPy still runs
        assert found["backend numpy_ufunc"]["status"] == OK
        for name, package in (("torch_eager", "torch"), ("jax_jit", "jax"), ("numba_tuned", "numba")):
            line = found[f"backend {name}"]
            assert (line["status"], line["measured"]) == (WARNING, f"{name} is not installed")
            assert line["mend"] == f"pip install '{package}'"

    def test_a_broken_framework_is_a_problem_and_hides_no_other(self, tmp_path: Path) -> None:
        environ = hiding(tmp_path / "h", "torch", "numba")
        (tmp_path / "h" / "jax.py").write_text("raise OSError('libjax.so: wrong ELF class')")
        done = run(environ, "--only", "backends")
        assert done.returncode == 1
        (line,) = (line for line in done.stdout.splitlines() if "jax_jit" in line)
        assert line.startswith("problem")
        assert "wrong ELF class" in line
        assert "Mend: pip install --force-reinstall" in line
        assert any(line.startswith("ok") and "numpy_ufunc" in line for line in done.stdout.splitlines())

    def test_a_framework_that_kills_its_process_is_a_problem(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "jax.py").write_text("import os; os._exit(11)")
        monkeypatch.syspath_prepend(tmp_path)
        (finding,) = backends.findings(backends.try_family(["jax_jit"]))
        assert finding.status == PROBLEM
        assert "its process ended with exit status 11" in finding.measured

    def test_the_doctors_own_packages_are_asked_for_in_one_line(self, tmp_path: Path) -> None:
        done = run(hiding(tmp_path / "h", "psutil"))
        assert done.returncode == 1
        assert done.stderr.startswith("doctor.py: problem: the package 'psutil' is not there")
        assert done.stderr.count("\n") == 1

    def test_no_backend_at_all_is_a_problem(self) -> None:
        from scripts.doctor import _none_runs

        missing = Family({"jax_jit": Tried("missing", "x")})
        assert [each.status for each in _none_runs([missing])] == [PROBLEM]

    def test_what_to_do_names_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Also of a backend that loads and then raises."""
        for name in [name for name in os.environ if name.startswith("JAX_")]:
            monkeypatch.delenv(name)
        (finding,) = backends.findings(Family({"jax_jit": Tried("broken", "ValueError: x")}))
        assert finding.mend == "pip install --force-reinstall --no-cache-dir jax"
        monkeypatch.setenv("JAX_PLATFORMS", "tpu")
        (finding,) = backends.findings(Family({"jax_jit": Tried("broken", "ValueError: x")}))
        assert finding.mend == "unset JAX_PLATFORMS (set here: JAX_PLATFORMS=tpu)"


class TestCompiler:
    def test_options_in_cxx_and_a_space_in_a_path_keep_torch_compile_from_working(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("CXX", "g++ -O2")
        found = backends.compiler()
        assert (found.status, found.mend) == (WARNING, "export CXX=g++")
        monkeypatch.delenv("CXX")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "a b"))
        found = backends.compiler()
        assert (found.status, found.mend) == (WARNING, "set TMPDIR to a path without spaces")

    def test_a_compiler_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CXX", raising=False)
        found = backends.compiler()
        assert (found.status, found.mend) == (WARNING, "apt-get install g++, or set CXX")

    def test_a_compiler_that_fails_says_what_it_said(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        compiler = tmp_path / "c++"
        compiler.write_text(
            "#!/bin/sh\necho 'probe.cpp:1: fatal error: Python.h: No such file' >&2\nexit 1\n"
        )
        compiler.chmod(0o755)
        monkeypatch.setenv("CXX", str(compiler))
        found = backends.compiler()
        assert found.status == WARNING
        assert "Python.h: No such file" in found.measured
        assert found.mend == "apt-get install python3-dev"


class TestMachine:
    def test_each_line_has_a_measurement_and_mends_what_is_wrong(self) -> None:
        found = [
            spoilers.affinity(),
            spoilers.frequency(),
            spoilers.virtual_machine(),
            machine.cgroup_limits(cgroups.throttled()),
            clocks.timer(),
            memory.pages(),
        ]
        for each in found:
            assert each.measured
            assert bool(each.effect) == (each.status != OK), each
        assert found[-1].figures["small_pages_s"] > 0
        assert json.loads(json.dumps([each.figures for each in found]))

    @pytest.mark.parametrize(("slow", "status"), [(1, OK), (10, WARNING)])
    def test_a_cpu_that_is_slow_now_and_then_is_a_warning(
        self, monkeypatch: pytest.MonkeyPatch, slow: int, status: str
    ) -> None:
        """Of 100 readings so many take 1.7 times as long."""
        told = itertools.cycle([2e-6] * (100 - slow) + [3.4e-6] * slow)
        monkeypatch.setattr(clocks, "arithmetic_s", lambda: next(told))
        monkeypatch.setattr(clocks, "_LOAD_S", 0.2)
        found = clocks.neighbours()
        assert found.status == status
        assert bool(found.mend) == (status == WARNING)
        assert found.figures["slow_share"] == pytest.approx(slow / 100, rel=0.3)
        assert found.figures["longest"] == pytest.approx(1.7)

    def test_one_cpu_is_a_warning(self) -> None:
        program = (
            "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            "from bench.machine import spoilers\n"
            "found = spoilers.affinity(); print(found.status, found.figures['usable_cpus'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [WARNING, "1"]

    def test_limits_of_a_container(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Files as cgroup version 2 has them."""
        (tmp_path / "cpu.max").write_text("50000 100000\n")
        (tmp_path / "memory.max").write_text(f"{1 << 30}\n")
        (tmp_path / "cpu.stat").write_text("usage_usec 5\nnr_throttled 9\n")
        monkeypatch.setattr(cgroups, "_folders", lambda controller: [tmp_path])
        found = machine.cgroup_limits(4)
        assert found.status == WARNING
        assert found.figures == {"cpus": 0.5, "memory_bytes": 1 << 30, "throttled": 5}

    def test_a_variable_that_sets_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        found = spoilers.thread_variables()
        assert (found.status, found.mend.startswith("unset ")) == (WARNING, True)
        assert "OMP_NUM_THREADS=1" in found.measured


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from scripts.doctor import main

    with pytest.raises(SystemExit) as caught:
        main(["--only", "machin"])
    assert caught.value.code == 2
    assert "did you mean 'machine'" in capsys.readouterr().err
