"""What the command lines of all scripts share: errors of one line, comma lists, broken pipes."""

from __future__ import annotations

import argparse
import io
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

from bench.plan import option_values
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
    "devices",
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
devices = option_type(partial(option_values.list_of, option_values.device))
"""An argparse type: ``cpu``, ``cuda``, ``cuda:1``, a comma list."""


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
    """Exit with the status of `main`; 2 and one line for `errors`, 130 for Ctrl-C; quietly when the reader has left."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a plain ASCII log must not end a table in a traceback
    try:
        status = main()
        sys.stdout.flush()
    except errors as error:
        print(f"{os.path.basename(sys.argv[0])}: error: {as_typed(plain(str(error)))}", file=sys.stderr)  # noqa: PTH119
        status = 2
    except KeyboardInterrupt:
        print(f"{os.path.basename(sys.argv[0])}: interrupted", file=sys.stderr)  # noqa: PTH119
        status = 130  # as a shell has it
    except BrokenPipeError:
        # `| head` has seen enough; what is left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
