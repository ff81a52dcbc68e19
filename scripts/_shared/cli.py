"""What the command lines of all scripts share: errors of one line, comma lists, broken pipes."""

from __future__ import annotations

import argparse
import io
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from bench.records.columns import nearest
from bench.text.commands import as_typed

__all__ = ["Parser", "UsageError", "comma_list", "count", "one_of", "positive", "run", "writable"]


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
        """Print `message` as one line to stderr and exit with 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())} (see --help)\n")


def comma_list(allowed: Sequence[str] | None = None) -> Callable[[str], tuple[str, ...]]:
    """An argparse type: ``a,b`` as a tuple without repeats, each of `allowed` (None: anything)."""

    def parse(text: str) -> tuple[str, ...]:
        values = tuple(dict.fromkeys(value.strip() for value in text.split(",")))
        for value in values:
            if not value or (allowed is not None and value not in allowed):
                choices = f"; allowed: {', '.join(allowed)}{nearest(value, allowed)}" if allowed else ""
                raise argparse.ArgumentTypeError(f"{value!r} in {text!r} is not known{choices}")
        return values

    return parse


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """An argparse type: one of `allowed`."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not known; allowed: {', '.join(allowed)}{nearest(text, allowed)}"
            )
        return text

    return parse


def count(text: str) -> int:
    """An argparse type: a whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not known; allowed: a whole number, 0 or more")
    return int(text)


def positive(text: str) -> float:
    """An argparse type: a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not known; allowed: a number above 0")
    return number


def writable(text: str) -> Path:
    """An argparse type: a file that can be written, found out before what takes long to write it."""
    path = Path(text)
    if path.is_dir() or not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no file name; name a file")
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
        print(f"{os.path.basename(sys.argv[0])}: error: {as_typed(str(error))}", file=sys.stderr)  # noqa: PTH119
        status = 2
    except KeyboardInterrupt:
        print(f"{os.path.basename(sys.argv[0])}: interrupted", file=sys.stderr)  # noqa: PTH119
        status = 130  # as a shell has it
    except BrokenPipeError:
        # `| head` has seen enough; what is left in the buffer must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status)
