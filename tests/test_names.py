"""Comments and docstrings of all sources: the files and names that they speak of exist. And who imports a test file."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.running import ROOT

_FLOORS = ("bench", "kernels", "scripts", "tests")
_SOURCES = sorted(path for floor in _FLOORS for path in (ROOT / floor).rglob("*.py"))
_FILES = {
    path.relative_to(ROOT).as_posix()
    for folder in ("bench", "kernels", "scripts", "tests", "examples", "relu_bench")
    for path in (ROOT / folder).rglob("*.py")
} | {"setup.py"}
_FILE = re.compile(r"[\w./-]*\w\.py\b")
_PLACEHOLDER = re.compile(r"[A-Z]+\.py")
_QUOTED = re.compile(r"`+([^`]+)`+")
_FROM_A_TEST = re.compile(r"^(?:from|import) tests\.(?:\w+\.)*(test_\w+)", re.MULTILINE)
_DOTTED = re.compile(r"\b(?:bench|kernels|scripts)(?:\.\w+)+")


def _prose(source: str) -> Iterator[str]:
    """Every comment, and every string that is a statement of its own: a docstring, or what stands below a constant."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


@cache
def _is_there(file: str) -> bool:
    """Whether a file of ours has that name, or its path ends so."""
    return bool(_PLACEHOLDER.fullmatch(Path(file).name)) or any(
        f"/{known}".endswith(f"/{file}") for known in _FILES
    )


def _defined(body: list[ast.stmt]) -> dict[str, list[ast.stmt]]:
    """What the statements of a module, or of a class, bind; with the body of each class."""
    found: dict[str, list[ast.stmt]] = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = node.body
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = []
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name: [] for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {
                name.id: [] for each in targets for name in ast.walk(each) if isinstance(name, ast.Name)
            }
    return found


@cache
def _body_of(module: str) -> list[ast.stmt] | None:
    path = ROOT.joinpath(*module.split("."))
    files = [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()]
    return ast.parse(files[0].read_text(encoding="utf-8")).body if files else None


@cache
def _resolves(dotted: str) -> bool:
    """Whether it is a module, or what a module binds, or what a class there binds."""
    parts = dotted.split(".")
    modules = [count for count in range(1, len(parts) + 1) if _body_of(".".join(parts[:count])) is not None]
    body = _body_of(".".join(parts[: modules[-1]])) if modules else None
    for name in parts[modules[-1] :] if modules else ():
        names = _defined(body or [])
        if name not in names:
            return False
        body = names[name]
    return body is not None


def _wrong(text: str) -> list[str]:
    """Of the files and quoted dotted names in a text, those that do not exist."""
    dotted = [name for span in _QUOTED.findall(text) for name in _DOTTED.findall(span)]
    missing = [name for name in _FILE.findall(text) if not _is_there(name)]
    return missing + [name for name in dotted if not _resolves(name)]


def _stale(source: str) -> list[str]:
    """The files and dotted names that the words of a source speak of, and that do not exist."""
    return [name for text in _prose(source) for name in _wrong(text)]


def _speaks_of_what_is_gone(source: str) -> bool:
    """Whether it may: its code counts as well, so that what are words has to be found out for few sources."""
    files, dotted = _FILE.findall(source), set(_DOTTED.findall(source))
    return not all(map(_is_there, files)) or not all(map(_resolves, dotted))


@pytest.mark.parametrize("floor", _FLOORS)
def test_what_comments_and_docstrings_name_exists(floor: str) -> None:
    sources = {
        path: path.read_text(encoding="utf-8") for path in _SOURCES if path.is_relative_to(ROOT / floor)
    }
    suspects = {path: source for path, source in sources.items() if _speaks_of_what_is_gone(source)}
    assert {path: stale for path, source in suspects.items() if (stale := _stale(source))} == {}


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ('"""See pace.py."""', ["pace.py"]),
        ('"""See bench/run/memory.py."""', ["bench/run/memory.py"]),
        ("x = 1  # see bench/machine/memory.py, memory.py and scripts/NAME.py", []),
        ('LIMIT = 3\n"""As `bench.pace` says."""', ["bench.pace"]),
        ('"""See `bench.machine.surroundings.Surroundings.clock` and `kernels.ops`."""', []),
        (
            '"""See `bench.machine.surroundings.Surroundings.wait` and ``kernels.api.Kase``."""',
            ["bench.machine.surroundings.Surroundings.wait", "kernels.api.Kase"],
        ),
        ('"""Started by ``python -m bench.arm.station FD``."""', ["bench.arm.station"]),
        ('print("pace.py")', []),
    ],
)
def test_a_name_that_is_gone_is_found(source: str, wrong: list[str]) -> None:
    assert _stale(source) == wrong


def test_no_test_file_imports_another() -> None:
    """As CONTRIBUTING.md has it: who changes a test need not look who else leans on it."""
    for path in _SOURCES:
        if path.name.startswith("test_"):
            named = set(_FROM_A_TEST.findall(path.read_text(encoding="utf-8")))
            assert named <= {path.stem}, path  # one may tell a process of its own to import it
