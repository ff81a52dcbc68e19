"""A fleet on this machine alone: a scheduler, and workers that each have a loopback address of their own as their host.

For `scripts.fleet` and the tests, with shards that only wait: what is measured beside others is worth nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from scripts._shared.cli import UsageError
from scripts._sweep.connecting import SETTINGS
from scripts._sweep.machine import RESOURCE
from scripts._sweep.shard import KEPT_IN

__all__ = ["Fleet"]

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_S, _LOOK_S = 60.0, 0.02


class Fleet:
    """Use as a context manager.  Of 127.0.0.0/8 Linux has every address; other systems have one."""

    def __init__(
        self, folder: Path, machines: int, *, protocol: str = "tcp", scheduler: str = "127.0.0.1"
    ) -> None:
        """`machines` are started at once, `start` starts others; `scheduler` is the address that it listens at."""
        self._protocol, self._at = ("--protocol", protocol), scheduler
        self.scheduler_file = folder / "scheduler.json"
        self.hosts = [f"127.0.0.{number}" for number in range(2, 2 + machines)]
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._folder = folder

    def __enter__(self) -> Fleet:
        here = (
            "--host",
            self._at,
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(self.scheduler_file),
        )
        self._scheduler = self._start("scheduler", *here, *self._protocol)
        for host in self.hosts:
            self.start(host)
        self._wait_for_scheduler()
        return self

    def _wait_for_scheduler(self) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not self._told():
            if time.monotonic() > end or self._scheduler.poll() is not None:
                self.__exit__(None, None, None)
                said = (self._folder / "scheduler.log").read_text(encoding="utf-8").strip().splitlines()
                raise UsageError(
                    f"no scheduler of Dask could be started: {said[-1] if said else 'it said nothing'}"
                )
            time.sleep(_LOOK_S)

    def _told(self) -> bool:
        """Whether the scheduler's file is whole: Dask opens it first, and writes it then."""
        try:
            return bool(json.loads(self.scheduler_file.read_bytes()))
        except (FileNotFoundError, ValueError, RecursionError):
            return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self.workers.values(), self._scheduler):
            process.kill()  # asked to end, each would wait for the others
            process.wait()

    def start(self, host: str, *before: str) -> None:
        """A worker on that host, without a nanny: it dies, and the machine is gone.  `before` begins its command."""
        alone = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard")
        where = ("--scheduler-file", str(self.scheduler_file), "--host", host, "--resources", f"{RESOURCE}=1")
        self.workers[host] = self._start("worker", *where, *alone, *self._protocol, before=before)

    def kill(self, host: str) -> None:
        """The worker there is gone at once."""
        self.workers[host].kill()
        self.workers[host].wait()

    def _start(self, role: str, *options: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        with (self._folder / f"{role}.log").open("ab") as log:
            return subprocess.Popen(
                [*before, sys.executable, "-m", f"distributed.cli.dask_{role}", *options],
                cwd=_ROOT,
                env={
                    **os.environ,
                    "DASK_CONFIG": str(SETTINGS),
                    "PYTHONPATH": str(_ROOT),
                    KEPT_IN: str(self._folder / "kept"),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
