"""A standard output that is closed, or takes nothing: pytest cannot do without one and ends in a traceback."""

from __future__ import annotations

import contextlib
import os
import stat
import sys

import pytest

__all__ = ["usable_output"]


def usable_output(config: pytest.Config) -> None:
    """Begin anew with /dev/null where standard output is closed (``>&-``); refuse a device that takes nothing.

    Raises pytest.UsageError.
    """
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        if sys.__stdout__ is None:  # the next file that is opened would be taken for it, and written to
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
        try:
            if stat.S_ISCHR(os.fstat(1).st_mode) and not os.isatty(1):
                os.write(1, b"\n")
        except OSError as error:
            raise pytest.UsageError(
                f"standard output cannot be written to ({error.strerror}); send it elsewhere, as in >/dev/null"
            ) from None
