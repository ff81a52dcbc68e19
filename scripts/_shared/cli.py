"""What the command lines of all scripts share: errors of one line, comma lists, broken pipes."""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from bench.plan import option_values
from bench.records.errors import RunFilesError
from bench.records.schema import RUN_FILES
from bench.text.commands import as_typed
from bench.text.foreign import plain
from bench.text.hints import did_you_mean
from bench.text.sizes import parse_size

__all__ = [
    "Parser",
    "UsageError",
    "comma_list",
    "count",
    "device",
    "devices",
    "needing",
    "number",
    "one_of",
    "option_type",
    "positive",
    "run",
    "size",
    "sizes",
    "writable",
]

T = TypeVar("T")


class UsageError(ValueError):
    """What the user asked for cannot be done; one line that says why and what to do."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line; exit status 2.  Its help keeps line breaks."""

    def __init__(self, *, description: str, epilog: str) -> None:
        super().__init__(
            description=as_typed(description),
            epilog=as_typed(epilog),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line to stderr and exit with 2; of an unknown option with the nearest there is."""
        unknown = re.match(r"unrecognized arguments: (--[\w-]+)", message)
        hint = did_you_mean(unknown[1], self._option_string_actions) if unknown else ""
        self.exit(2, f"{self.prog}: error: {plain(message)}{hint} (see --help)\n")

    def given(self, options: argparse.Namespace) -> list[str]:
        """What is not as it is by default: options as they are typed, and other arguments as the help names them."""
        return [
            (action.option_strings or [str(action.metavar or action.dest)])[0]
            for action in self._actions
            if getattr(options, action.dest, None) not in (None, [], action.default)
        ]


def option_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """An argparse type from a parser of `bench.plan.option_values`: what that says is the option's error."""

    def typed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return typed


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """An argparse type: one of `allowed`."""
    return option_type(partial(option_values.one_of, allowed))


def comma_list(allowed: Sequence[str] | None = None) -> Callable[[str], tuple[str, ...]]:
    """An argparse type: ``a,b`` as a tuple without repeats, each of `allowed` (None: anything)."""
    if allowed is None:
        return option_type(option_values.items)
    return option_type(partial(option_values.list_of, partial(option_values.one_of, allowed)))


def number(low: float, high: float = math.inf) -> Callable[[str], float]:
    """An argparse type: a finite number from `low` to `high`."""
    return option_type(partial(option_values.number, low=low, high=high))


count = option_type(option_values.whole)
"""An argparse type: a whole number, 0 or more."""
positive = option_type(partial(option_values.number, low=0, above=True))
"""An argparse type: a number above 0."""
size = option_type(parse_size)
"""An argparse type: one element count, such as 64Mi."""
sizes = option_type(option_values.sizes)
"""An argparse type: element counts and ranges of them, a comma list."""
device = option_type(option_values.device)
"""An argparse type: one of ``cpu``, ``cuda``, ``cuda:1``."""
devices = option_type(partial(option_values.list_of, option_values.device))
"""An argparse type: ``cpu``, ``cuda``, ``cuda:1``, a comma list."""


_SOLD_AS = {"vl_convert": "vl-convert-python"}
"""What pip calls a package whose import has another name."""


@contextlib.contextmanager
def needing(what: str) -> Iterator[None]:
    """Around imports that only `what` needs: a missing package is a UsageError with the command that brings it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        raise UsageError(
            f"{what} needs the package {name!r}, which is not there for {sys.executable}: "
            f"python -m pip install {_SOLD_AS.get(name, name)}"
        ) from missing


def writable(text: str) -> Path:
    """An argparse type: a file that can be written, found out before what takes long to write it."""
    path = Path(text)
    if path.is_dir() or not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no file name; name a file")
    if path.name in RUN_FILES and path.exists():
        raise argparse.ArgumentTypeError(f"{text!r} is a file of a run; name another, to keep it")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: there is no folder {str(path.parent)!r}; make it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written; choose another place")
    return path


def run(main: Callable[[], int], errors: tuple[type[Exception], ...]) -> NoReturn:
    """Exit with the status of `main`.

    It is 2 for `errors`, for a run that cannot be made or gone on with, and for files that cannot be read or written,
    in one line, and 130 for Ctrl-C.  Quietly when the reader has left, and where standard output is closed.
    """
    _open_streams()
    _have_home()
    try:
        status = main()
        sys.stdout.flush()
    except RunFilesError as error:
        status = _failed(f"error: {as_typed(plain(str(error)))}", 2)
    except errors as error:
        status = _failed(f"error: {as_typed(plain(str(error)))}", 2)
    except KeyboardInterrupt:
        status = _failed("interrupted", 130)  # as a shell has it
    except BrokenPipeError:
        status = 0  # `| head` has seen enough
        _let_go_of_output()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""  # what is printed has no name
        status = _failed(f"error: {plain(where)}{error.strerror or error}", 2)
        _let_go_of_output()
    sys.exit(status)


def _open_streams() -> None:
    """Give closed ones (``>&-``) nowhere to write to, before a file that is opened gets their number."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a plain ASCII log must not end a table in a traceback
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # for as long as the process lives
    sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere


def _have_home() -> None:
    """Give a user without a name and a home (a container's ``--user 1234``) one: altair asks as it is imported."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()


def _failed(line: str, status: int) -> int:
    with contextlib.suppress(OSError):  # a disk that is full has no room for this line either
        print(f"{Path(sys.argv[0]).name}: {line}", file=sys.stderr, flush=True)
    return status


def _let_go_of_output() -> None:
    """What is left in the buffer must not raise again at exit."""
    with contextlib.suppress(OSError, io.UnsupportedOperation):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
