"""An idle worker and its scheduler, as a sweep has them, for `--beside worker`; they end with standard input."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from scripts._shared.beside import READY
from scripts._shared.cli import UsageError
from scripts._sweep.connecting import connected, why_not
from scripts._sweep.engine import Engine
from scripts._sweep.hosts import Fleet

_START_S = 60.0


def main() -> None:
    """Say that the worker is there, or in a line why it cannot be; then wait for the end of standard input."""
    reason = why_not()
    if reason is not None:
        print(reason)
        return
    try:
        with tempfile.TemporaryDirectory() as name, Fleet(Path(name), 1) as fleet:
            print(_state(fleet), flush=True)
            sys.stdin.read()
    except UsageError as error:
        print(error)


def _state(fleet: Fleet) -> str:
    """`READY` once the scheduler knows of a worker whose settings are those of a sweep; no client stays."""
    with connected(str(fleet.scheduler_file)) as client:
        machines, trouble = Engine(client, "neighbour").wait_for(1, _START_S)
    if not machines:
        return trouble[0] if trouble else f"no worker after {_START_S:g} s"
    (told,) = machines.values()
    return READY if told.quiet else "its Dask can be heard: dask.json was not read"


if __name__ == "__main__":
    main()
