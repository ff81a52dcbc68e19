"""Builds the wheel: everything under the one name `relu_bench`.  All else stands in pyproject.toml.

In a checkout the packages are called `kernels`, `bench` and `scripts`, which are also other people's names.  A wheel
has them as `relu_bench.kernels` and so on, with their imports rewritten to say so.  An editable install serves the
checkout as it is.
"""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = "relu_bench"
MOVED = ("kernels", "bench", "scripts")
FOUND = find_packages(include=[pattern for name in (ROOT, *MOVED) for pattern in (name, f"{name}.*")])
_FROM = re.compile(rb"from[ \t]+")


def rewritten(source: bytes, file: str) -> bytes:
    """`source`, every import of a package of `MOVED` now from within `ROOT`.

    Only import statements are touched: a module's name in a string must be derived from ``__name__``.
    Raises SystemExit for a statement that has no equivalent.
    """
    lines = source.splitlines(keepends=True)
    for line, column, old, new in sorted(_changes(ast.parse(source), lines, file), reverse=True):
        text = lines[line - 1]
        assert text[column:].startswith(old), (file, line)
        lines[line - 1] = text[:column] + new + text[column + len(old) :]
    return b"".join(lines)


def _changes(tree: ast.Module, lines: list[bytes], file: str) -> Iterator[tuple[int, int, bytes, bytes]]:
    """(line, column, old text, new text) of every name that changes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and _moves(node.module or ""):
            keyword = _FROM.match(lines[node.lineno - 1], node.col_offset)
            old = (node.module or "").encode()
            if keyword is None or not lines[node.lineno - 1].startswith(old, keyword.end()):
                raise SystemExit(f"{file}:{node.lineno}: write `from {node.module} import` on one line")
            yield node.lineno, keyword.end(), old, f"{ROOT}.{node.module}".encode()
        for name in node.names if isinstance(node, ast.Import) else ():
            if not _moves(name.name):
                continue
            if "." in name.name and name.asname is None:
                raise SystemExit(
                    f"{file}:{name.lineno}: `import {name.name}` binds {name.name.partition('.')[0]!r}, "
                    f"which a wheel lacks; write `from … import …`"
                )
            bound = "" if name.asname else f" as {name.name}"
            yield name.lineno, name.col_offset, name.name.encode(), f"{ROOT}.{name.name}{bound}".encode()


def _moves(module: str) -> bool:
    return module.partition(".")[0] in MOVED


class Moved(build_py):
    """Copies the packages to their place in the wheel."""

    def run(self) -> None:
        """As always, but into an empty folder: what an earlier build left there would be in the wheel too."""
        shutil.rmtree(Path(self.build_lib, ROOT), ignore_errors=True)
        super().run()

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Without `relu_bench._checkout`, which is of no use there."""
        found: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        return [each for each in found if each[:2] != (ROOT, "_checkout")]

    def build_module(self, module: str, module_file: str, package: str) -> object:
        """Copy one file, its imports rewritten."""
        copied = super().build_module(module, module_file, package)
        made = Path(copied[0])
        made.write_bytes(rewritten(Path(module_file).read_bytes(), module_file))
        return copied


if "editable_wheel" in sys.argv:
    setup(packages=FOUND)
else:
    setup(
        packages=[name if name.partition(".")[0] == ROOT else f"{ROOT}.{name}" for name in FOUND],
        package_dir={f"{ROOT}.{name}": name for name in MOVED},
        cmdclass={"build_py": Moved},
    )
