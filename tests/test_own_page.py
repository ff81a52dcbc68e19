"""docs/own.md: its files are written, its commands run, and every function gets its rows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.running import INLINE, QUICK, ROOT, WITHOUT

PAGE = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")
_BLOCKS = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"(?:# |/\* )([\w.]+\.(?:py|c))\b")


def run(command: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """A line of the page, in a folder that has its files."""
    words = [*shlex.split(command), *more]
    if words[0] == "pytest":
        words = [sys.executable, "-m", *words, *WITHOUT]
    words = [sys.executable if word == "python" else word for word in words]
    words = [str(ROOT / word) if word.startswith(("bench/", "scripts/")) else word for word in words]
    path = os.pathsep.join([str(folder), str(ROOT)])
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        words,
        cwd=folder,
        env={**environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's files are."""
    made = tmp_path_factory.mktemp("own")
    for language, text in _BLOCKS.findall(PAGE):
        named = _NAMED.match(text)
        if language and named is not None:
            (made / named[1]).write_text(text)
    return made


def _commands(start: str, having: str = "") -> list[str]:
    lines = [line for language, text in _BLOCKS.findall(PAGE) if not language for line in text.splitlines()]
    return [line for line in lines if line.startswith(start) and having in line]


@pytest.mark.slow
def test_its_functions_are_measured(folder: Path) -> None:
    pytest.importorskip("torch", reason="one of them is PyTorch's")
    (compile_,) = _commands("cc ")
    assert run(compile_, folder).returncode == 0
    words = [word for line in _commands("pytest", "--callable") for word in shlex.split(line)[2:]]
    assert words.count("--callable") >= 6
    few = (
        "--backends",
        "numpy_ufunc",
        "--sizes",
        "64",
        "--placements",
        "new",
        "--benchmark-disable",
        "--junitxml=r.xml",
    )
    done = run("pytest bench/test_activations.py", folder, *words, *QUICK, *INLINE, *few)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    items = ElementTree.parse(folder / "r.xml").iter("testcase")
    passed = {item.attrib["name"][len("test_activation[") : -1] for item in items if not len(item)}
    wanted = {
        f"relu-forward-new-float32-64-{name}" for name in ("my_relu", "clamped", "selected", "relu_f32")
    }
    wanted |= {"relu-backward-new-float32-64-my_gradient", "leaky_relu-forward-new-float32-64-my_leaky"}
    ours = {
        name for name in passed if name.rpartition("-")[2] in {each.rpartition("-")[2] for each in wanted}
    }
    assert ours == wanted


@pytest.mark.daily  # test_package.py compares functions of a script, test_compare.py some on an array
@pytest.mark.slow
def test_its_question_is_answered(folder: Path) -> None:
    pytest.importorskip("torch", reason="it asks for PyTorch's relu")
    program = folder / "question.py"
    program.write_text(program.read_text().replace("seconds=20", 'seconds=1, isolation="inline"'))
    done = run("python question.py", folder)
    assert done.returncode == 0, done.stderr
    assert "2 functions on float32 256x1024" in done.stdout
    assert {"mine", "torch"} <= {line.split()[0] for line in done.stdout.splitlines() if line}


@pytest.mark.slow
def test_its_checks_run(folder: Path) -> None:
    few = ("--seconds", "0", "--dtypes", "float32", "--ops", "relu", "--directions", "forward")
    for command in _commands("python scripts/crosscheck.py", "--callable"):
        done = run(command, folder, *few)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "exact" in done.stdout
