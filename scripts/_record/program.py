"""A user's program, run as Python would run it, under observation."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.recorder.cases_file import Recording
from kernels.recorder.session import Session

__all__ = ["Ending", "observe"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended: its exit status, and in one line the error that ended it, or an empty one."""

    status: int
    error: str


def observe(
    program: str, arguments: Sequence[str], *, module: bool, swap: bool
) -> tuple[Recording, Ending, int]:
    """Run it to its end; what was recorded, how it ended, and how many modules were swapped by turns."""
    session = Session(" ".join((program, *arguments)), swap=swap)
    before = sys.argv, sys.path[0]
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path.cwd() if module else Path(program).resolve().parent)
    session.begin()
    try:
        ending = _run(program, module=module)
    finally:
        recording = session.end()
        sys.argv, sys.path[0] = before
    return recording, ending, session.swapped


def _run(program: str, *, module: bool) -> Ending:
    try:
        if module:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(program, run_name="__main__")
    except SystemExit as error:
        if isinstance(error.code, int | None):
            return Ending(error.code or 0, "")
        print(error.code, file=sys.stderr)  # as Python does
        return Ending(1, "")
    except KeyboardInterrupt:
        return Ending(130, "")  # how a long training ends; what was seen until then is kept
    except Exception as error:  # noqa: BLE001  # whatever a program raises is its own matter, told in one line
        return Ending(1, _in_a_line(error))
    return Ending(0, "")


def _in_a_line(error: Exception) -> str:
    """``ValueError: negative width (model.py, line 12)``: the innermost place that is not ours."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    file, line = last.filename, last.lineno
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    what = " ".join(traceback.format_exception_only(error)[-1].split())
    return f"{what} ({os.path.basename(file)}, line {line})"  # noqa: PTH119
