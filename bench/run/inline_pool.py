"""All arms in the coordinator's own process: ``--isolation inline``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

from bench.arm.server import ArmServer
from bench.arm.worker import refusal, server_of
from bench.arrays.shared_inputs import SharedInputs
from bench.machine.environment import last_level_cache
from bench.messages import ArmRequest, Loaded, Open, Prepared, Trim
from bench.plan.experiments import Arm
from bench.run.pool import SEED, told_where
from bench.run.process import ArmError
from kernels.api import Case

__all__ = ["InlinePool"]

A = TypeVar("A")


class InlinePool:
    """For debuggers and profilers, not for figures to quote."""

    pauses = False

    def __init__(self, plugins: Mapping[str, str]) -> None:
        self._plugins = dict(plugins)
        self._servers: dict[Arm, ArmServer] = {}
        self._loaded: dict[Arm, Loaded | ArmError] = {}
        self._shared = SharedInputs(SEED)

    def open(self, arms: Sequence[Arm], threads: int) -> dict[Arm, Loaded | ArmError]:
        """Import the backends of the arms that are new."""
        for arm in arms:
            if arm not in self._loaded:
                wanted = Open(arm.backend, arm.role, self._plugins, SEED, last_level_cache())
                server = self._servers[arm] = server_of(wanted)
                self._loaded[arm] = _outcome(server.load)
        return {arm: self._loaded[arm] for arm in arms}

    def call(self, arm: Arm, request: ArmRequest[A]) -> A:
        """Make the call; the debugger of ``--pdb`` sees what it raises through ArmError's cause."""
        return _made(lambda: request.call(self._servers[arm]))

    def pause(self, arm: Arm) -> None:
        """Nothing: it would be this process, too."""

    def call_all(self, arms: Sequence[Arm], request: ArmRequest[A]) -> list[A | ArmError]:
        """One after the other."""
        request = told_where(request, self._shared)
        return [_outcome(partial(request.call, self._servers[arm])) for arm in arms]

    def compile(self, case: Case, arms: Sequence[Arm]) -> dict[Arm, Prepared]:
        """Nothing: there is no other process."""
        return {}

    def renew(self, arms: Sequence[Arm], compiled: Collection[Arm]) -> list[Arm]:
        """None: they stay where they are."""
        return []

    def pid(self, arm: Arm) -> int:
        """This process."""
        return os.getpid()

    def trim(self) -> None:
        """Have all arms let go of what they keep for the next case."""
        self._shared.close()
        self.call_all(list(self._servers), Trim())

    def close(self) -> None:
        """Let go of all buffers."""
        self._shared.close()
        self._servers.clear()
        self._loaded.clear()


def _made(call: Callable[[], A]) -> A:
    """What a server's call returns.  Raises ArmError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # as in a process of its own; pytest may make errors of them
            return call()
    except (Exception, SystemExit) as error:  # whatever a backend raises becomes its own cell's reason
        told = refusal(error)
        raise ArmError(told.status, told.reason) from error


def _outcome(call: Callable[[], A]) -> A | ArmError:
    try:
        return _made(call)
    except ArmError as error:
        return error
