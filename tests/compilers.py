"""Backends with a compiler that keeps what it makes in a folder, named by ``TEST_COMPILED``, or keeps nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.honest import Array, HonestNumpy

__all__ = [
    "Compiler",
    "CompilerWithoutCache",
    "DiesOnceCompiled",
    "DiesWhenReleased",
    "StartsOnce",
    "compiled_by",
]

_FOLDER = "TEST_COMPILED"
_COMPILING_S = 0.2


def compiled_by(folder: Path) -> dict[str, int]:
    """The process that compiled each kernel."""
    return {path.name: int(path.read_text()) for path in folder.iterdir()}


class Compiler(HonestNumpy):
    """Compiles an operation once on a machine: the first process to come does, any other finds it."""

    name = "compiler"

    def __init__(self) -> None:
        self._hit = False

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        if self.is_new(case.op):
            self._hit = False
            time.sleep(_COMPILING_S)  # what a compiler takes
        else:
            self._hit = compiled_by(Path(os.environ[_FOLDER]))[case.op] != os.getpid()
        return super().compile(case, x, dy, out)

    def is_new(self, op: str) -> bool:
        """Whether nobody has compiled it; from now on somebody has."""
        path = Path(os.environ[_FOLDER]) / op
        if path.exists():
            return False
        own = path.parent.parent / f"{os.getpid()}-{op}"
        own.write_text(str(os.getpid()))
        try:
            path.hardlink_to(own)  # whole or not at all, and one process alone
        except FileExistsError:
            return False
        return True

    def compile_report(self) -> dict[str, Any]:
        return {"cache_hit": self._hit}


class CompilerWithoutCache(Compiler):
    """Compiles in each process."""

    name = "compiler_without_cache"

    def is_new(self, op: str) -> bool:
        return True


class DiesOnceCompiled(Compiler):
    """Finds code in the cache that it cannot bear."""

    name = "dies_once_compiled"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        if compiled_by(Path(os.environ[_FOLDER])).get(case.op, os.getpid()) != os.getpid():
            os._exit(3)
        return super().compile(case, x, dy, out)


class StartsOnce(Compiler):
    """Cannot start where something has been compiled."""

    name = "starts_once"

    def __init__(self) -> None:
        super().__init__()
        if compiled_by(Path(os.environ[_FOLDER])):
            os._exit(3)


class DiesWhenReleased(Compiler):
    """Takes its process with it when what was compiled there is let go."""

    name = "dies_when_released"

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        call = super().compile(case, x, dy, out)
        return call if self._hit else _Last(call)


class _Last:
    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __call__(self) -> Any:
        return self._call()

    def __del__(self) -> None:
        os._exit(3)
