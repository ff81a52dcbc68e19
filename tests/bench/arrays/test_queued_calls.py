"""Calls on a device that are waited for one by one, and calls of which many are launched before one waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bench.arm.server import ArmServer
from bench.run.pool import SEED
from kernels.api import Case
from tests import standin
from tests.standin import Array

pytestmark = pytest.mark.slow

CASE = Case("leaky_relu", "forward", "out", n=64, device="cuda")


class Replayed(standin.QueueRelu):
    """As a graph: a call can be launched alone, or with 63 others; it counts what is launched and waited for."""

    name = "replayed"

    def __init__(self) -> None:
        super().__init__()
        self.log = list[str]()

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:
        launch = super().compile(case, x, dy, out)

        def noted(word: str) -> Any:
            self.log.append(word)
            return launch()

        one, many = partial(noted, "one"), partial(noted, "many")  # which take attributes
        vars(many)["calls"], vars(one)["queued"] = 64, many
        return one

    def card(self, device: str) -> standin.QueueCard:
        return Noting(self._stream, self.log)


class Noting(standin.QueueCard):
    """Notes each wait."""

    def __init__(self, stream: standin.Stream, log: list[str]) -> None:
        super().__init__(stream)
        self._log = log

    def waiter(self) -> Callable[[object], None]:
        wait = super().waiter()

        def noted(result: object) -> None:
            self._log.append("wait")
            wait(result)

        return noted


def served(*, plugin: bool) -> ArmServer:
    made = ArmServer(Replayed, SEED, 1 << 16, plugin=plugin)
    made.load()
    made.prepare(CASE)
    return made


def test_what_can_launch_many_calls_at_once_is_ranked_by_calls_that_are_waited_for() -> None:
    """A time with a 64th of a wait in it would lead those with a wait for each call, whatever the kernels are."""
    arm = served(plugin=False)
    log = arm.backend.log  # type: ignore[attr-defined]  # as above
    log.clear()
    sample = arm.batch(40, 0)
    assert sample.iterations == 40
    assert "many" not in log
    assert log.count("wait") == log.count("one") >= 40
    log.clear()
    queued_s = arm.device_time().queued_s
    assert queued_s is not None
    assert "many" in log
    assert log[log.index("many") + 1] == "wait", (
        "one launch is as many calls as the others make before they wait"
    )


def test_a_plugin_s_word_for_how_many_calls_it_launches_is_not_taken() -> None:
    arm = served(plugin=True)
    arm.device_time()
    assert "many" not in arm.backend.log  # type: ignore[attr-defined]  # as above
