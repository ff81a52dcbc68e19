#!/usr/bin/env python3
"""Run the whole test suite in another environment, and print the row that says so.

    .ci/matrix.py 3.13 newest --without torch
    .ci/matrix.py 3.11 lowest --with torch==2.13.0 --update
    .ci/matrix.py 3.13 newest --without torch --update --again tests/test_names.py

It clones what is committed, makes an environment of that Python and those packages with uv (pip install uv), runs
`make test` in it, and removes both.  UV_TORCH_BACKEND=cpu or UV_FIND_LINKS say where torch comes from.  Tests that
failed, were mended and run --again have a row of their own.  Exit status: 0 where all tests pass, 2 where some do
not or the environment cannot be made.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts._shared.cli import Parser, UsageError, run  # noqa: E402  # it is no package
from scripts._shared.markers import MarkerError, update  # noqa: E402

PAGE = ROOT / "CONTRIBUTING.md"
MARKER = "matrix"
HEAD = (
    "Python",
    "packages",
    "torch",
    "tests",
    "of the packages",
    "passed",
    "skipped",
    "failed",
    "commit",
    "run on",
)
PACKAGES = {
    "pinned": ("--constraints", "constraints.txt"),
    "lowest": ("--resolution", "lowest-direct"),
    "newest": ("--upgrade",),
}
SHOWN = ("numpy", "numba", "jax", "pandas", "scipy", "pytest", "pytest-benchmark", "rich")
EXTRAS = ("dev", "heavy-tests")
WHOLE = "all"
AGAIN = "those that had failed"
FAST = "fast"
"""Which tests a row is about."""


def parser() -> Parser:
    """The command line."""
    made = Parser(description=__doc__.partition("\n")[0], epilog=__doc__.partition("\n\n")[2])
    made.add_argument("python", help="a version that uv finds, or a path: 3.13")
    made.add_argument("packages", choices=PACKAGES, help="which of those that pyproject.toml admits")
    made.add_argument("--with", dest="pins", metavar="NAME==VERSION", action="append", default=[])
    made.add_argument("--without", metavar="NAME", action="append", default=[], help="leave a package out")
    which = made.add_mutually_exclusive_group()
    which.add_argument("--fast", action="store_true", help="make test-fast: none of the slow tests")
    which.add_argument("--again", nargs="+", metavar="TEST", help="those that had failed, and nothing else")
    made.add_argument("--update", action="store_true", help="put the row into CONTRIBUTING.md's table")
    return made


def call(*words: str, folder: Path) -> None:
    """Run a command to its end; what it prints goes where ours goes."""
    try:
        subprocess.run(words, cwd=folder, check=True)
    except FileNotFoundError as error:
        raise UsageError(f"{words[0]} is not here; install it (uv: pip install uv)") from error
    except subprocess.CalledProcessError as error:
        raise UsageError(f"{' '.join(words[:4])} … ended with {error.returncode}; see above") from error


def make_environment(folder: Path, asked: argparse.Namespace) -> Path:
    """A virtual environment with what was asked for, in which make has nothing left to install."""
    overrides = folder / "overrides.txt"
    never = (f"{name}; sys_platform == 'none'" for name in asked.without)
    overrides.write_text("\n".join([*never, *asked.pins]))
    venv = folder / ".venv"
    call("uv", "venv", "--quiet", "--seed", "--python", asked.python, str(venv), folder=folder)
    call(
        *("uv", "pip", "install", "--quiet", "--python", str(venv), "--overrides", str(overrides)),
        *(*PACKAGES[asked.packages], "--editable", f".[{','.join(EXTRAS)}]"),
        folder=folder,
    )
    (venv / ".ready").touch()
    return venv


def tested(asked: argparse.Namespace, venv: Path, report: Path) -> tuple[str, list[str]]:
    """Which tests those are, for the table, and the command that runs them."""
    if asked.again:
        python = [str(venv / "bin" / "python"), "-m", "pytest", "-p", "no:benchmark"]
        return AGAIN, [*python, "--quiet", f"--junitxml={report}", *asked.again]
    target = "test-fast" if asked.fast else "test"
    return FAST if asked.fast else WHOLE, [
        *("make", target, f"VENV={venv}"),
        f"ARGS=--quiet --junitxml={report}",
    ]


def commit(folder: Path) -> str:
    """The short name of what is checked out there."""
    words = ("git", "rev-parse", "--short=10", "HEAD")
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def versions(venv: Path) -> dict[str, str]:
    """All that is installed, by name."""
    listed = subprocess.run(
        ["uv", "pip", "list", "--quiet", "--format", "json", "--python", str(venv)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {each["name"]: each["version"] for each in json.loads(listed.stdout)}


def counts(report: Path) -> dict[str, int]:
    """How many tests passed, were skipped and failed, as pytest's report has it.  Raises UsageError where none ran."""
    (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    tests, failures, errors, skipped = (
        int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")
    )
    if not tests:
        raise UsageError("no test was run, so there is no row; see above")
    failed = failures + errors
    return {"passed": tests - failed - skipped, "skipped": skipped, "failed": failed}


def line(cells: Sequence[str]) -> str:
    """One of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def with_row(page: str, row: Sequence[str]) -> str:
    """The table between the page's markers, with this row in place of older ones that it makes obsolete."""
    rows = page.partition(f"<!-- {MARKER}:begin -->")[2].partition(f"<!-- {MARKER}:end -->")[0].split("\n")
    older = [tuple(each.strip("| ").split(" | ")) for each in rows if each.startswith("| ")][2:]
    replaced = (WHOLE, AGAIN, FAST) if row[3] == WHOLE else (row[3],)
    kept = [each for each in older if each[:3] != tuple(row[:3]) or each[3] not in replaced]
    return "\n".join(map(line, [HEAD, ["---"] * len(HEAD), *sorted([*kept, tuple(row)])]))


def main() -> int:
    """Make, test, print, and update if asked."""
    asked = parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="relu-bench-matrix-") as name:
        folder = Path(name) / "clone"
        call("git", "clone", "--quiet", "--shared", str(ROOT), str(folder), folder=ROOT)
        venv = make_environment(folder, asked)
        report = Path(name) / "report.xml"
        which, words = tested(asked, venv, report)
        status = subprocess.run(words, cwd=folder, check=False).returncode
        if not report.exists():
            raise UsageError("the tests came to no end; see above")
        found, count, of = versions(venv), counts(report), commit(folder)
    shown = ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found)
    today = datetime.date.today().isoformat()
    torch = found.get("torch", "none")
    row = [asked.python, asked.packages, torch, which, shown, *map(str, count.values()), of, today]
    print(line(HEAD), line(row), sep="\n")
    if asked.update:
        update(PAGE, with_row(PAGE.read_text(encoding="utf-8"), row), MARKER, check=False)
    return 2 if status else 0


if __name__ == "__main__":
    run(main, (UsageError, MarkerError))
