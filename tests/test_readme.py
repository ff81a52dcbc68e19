"""The README and docs/: what is to be pasted works, links lead somewhere, and no figure is typed by hand."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kernels
from bench.plan.profiles import PROFILES
from bench.plan.settings import FORCE
from tests.running import INLINE, QUICK, ROOT, WITHOUT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    *("README.md", "CONTRIBUTING.md", "results/README.md"),
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
]
_MARKED = re.compile(r"^<!-- (\w+):begin -->$.*?^<!-- \1:end -->$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```$|`[^`]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)]*)\)")
_VERSION = re.compile(r"\bPython \d+(\.\d+)*( to \d+(\.\d+)*)?")
_OURS = re.compile(r"`((?:kernels|bench|scripts|tests|results|docs|examples)/[^`<>*\s]*)`")
_ABSENT = re.compile(r"NAME|MACHINE|\bOP\b|^results/validation/$")
"""Placeholders, and what is not there before somebody has measured it."""


def _text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def _block(containing: str) -> str:
    blocks: list[str] = re.findall(r"```python\n(.*?)```", "\n".join(map(_text, PAGES)), flags=re.DOTALL)
    return next(block for block in blocks if containing in block)


def _prose(text: str) -> str:
    """`text` without what scripts wrote, code, where links lead, and versions of Python."""
    for left_out in (_MARKED, _CODE, _LINK, _VERSION):
        text = left_out.sub("", text)
    return text


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_before_anything_is_downloaded_it_is_said_how_much_and_what_takes_less() -> None:
    first, _, _ = README.partition("\n## ")
    assert "downloads gigabytes" in first
    assert "`make bench TORCH=cpu`" in first
    assert "INDEX_cpu" in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "page", ["README.md", "docs/validation.md", "docs/numba_tuned.md", "docs/pytorch.md"]
)
def test_no_figure_is_typed_by_hand(page: str) -> None:
    """No digit in the prose of pages that speak of results: their figures stand between markers."""
    assert not re.findall(r".*\d.*", _prose(_text(page)))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for target in _LINK.findall(_text(page)):
        path, _, heading = target.partition("#")
        if "://" in path:
            continue
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert heading in [re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    for name in _OURS.findall(_text(page)):
        assert (ROOT / name).exists() or _ABSENT.search(name), name


@pytest.mark.slow
def test_the_plugin_is_short_and_gets_a_row(tmp_path: Path) -> None:
    program = _block("class MyRelu")
    assert len(program.splitlines()) <= 20
    (tmp_path / "my_relu.py").write_text(program)
    options = "--plugin my_relu:MyRelu --backends my_relu --ops relu --sizes 1Ki --run-id r"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "bench/",
            *options.split(),
            *QUICK,
            *INLINE,
            *WITHOUT,
            f"--results={tmp_path}",
        ],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), FORCE: "1"},
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
    pytest.importorskip("torch", reason="one of the calls asks for it")
    names: dict[str, object] = {}
    exec(_block("kernels.leaky_relu("), names)  # the README's own text
    x = np.array([-2, -1, 0, 1, 2], dtype=np.float32)
    np.testing.assert_array_equal(kernels.relu(x), [0, 0, 0, 1, 2])
    np.testing.assert_allclose(kernels.leaky_relu(x, 0.01, backend="torch_eager"), [-0.02, -0.01, 0, 1, 2])


def test_the_method_says_in_how_many_processes_a_profile_measures() -> None:
    words = {"once": 1, "twice": 2, "three times": 3, "four times": 4, "five times": 5}
    said = re.findall(rf"({'|'.join(words)})\s+in\s+((?:`\w+`(?:\s+and\s+)?)+)", _text("docs/method.md"))
    found = {name: words[count] for count, names in said for name in re.findall(r"`(\w+)`", names)}
    assert found == {name: each.processes for name, each in PROFILES.items() if name != "card"}
