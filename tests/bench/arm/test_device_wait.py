"""What follows each timed call on a device: bound once, alike for all, and not left to who is measured."""

from __future__ import annotations

from typing import Any

import pytest

from bench.arm import device_wait
from bench.arm.server import ArmServer
from bench.run.pool import SEED
from kernels.api import Case
from kernels.gpu.driver import Driver, driver_of
from tests.libcuda import StandIn
from tests.standin import QueueCard, QueueRelu, SlowQueueRelu

CASE = Case("relu", "forward", "out", n=64, device="cuda")


class Counted(QueueRelu):
    """Counts how often the backend's own wait was used."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def sync(self, result: Any) -> None:
        self.waits += 1
        super().sync(result)


class AtOnce(SlowQueueRelu):
    """Does not wait."""

    def sync(self, result: Any) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def _soon_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long a card is warmed up matters to no test here."""
    monkeypatch.setattr("bench.arm.device_clock._STEADY_S", 0.01)
    monkeypatch.setattr("bench.arm.device_clock._AGAIN_S", 0.004)


def prepared(make: type[QueueRelu], *, plugin: bool) -> tuple[ArmServer, Any]:
    arm = ArmServer(make, SEED, 1 << 16, plugin=plugin)
    arm.load()
    assert arm.prepare(CASE).gate.problem is None
    return arm, arm.backend


@pytest.mark.parametrize("plugin", [True, False])
def test_the_suite_s_own_backends_are_waited_for_by_what_the_card_offers(*, plugin: bool) -> None:
    arm, backend = prepared(Counted, plugin=plugin)
    slots: Any = arm._slots
    before = backend.waits
    for _ in range(2):
        assert arm.batch(20, 0.0).problem is None
    assert (backend.waits > before) == plugin, "a plugin's own wait is part of its time"
    assert slots.card.waiters == (0 if plugin else 1), "it is bound once"


def test_after_a_plugin_s_wait_the_driver_waits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not wait is timed as if it did, whatever its size."""
    libraries: list[StandIn] = []

    def driver(_: str) -> Driver:
        libraries.append(StandIn(backends[0]._stream.wait))
        return Driver(libraries[-1], 0)

    backends: list[SlowQueueRelu] = []
    monkeypatch.setattr(device_wait, "driver_of", driver)

    class Known(AtOnce):
        def __init__(self) -> None:
            super().__init__()
            backends.append(self)

        def to_numpy(self, result: Any) -> Any:
            self._stream.wait()
            return result.copy()

    arm, _ = prepared(Known, plugin=True)
    assert arm.batch(4, 0.0).seconds >= 0.9 * SlowQueueRelu.busy_s
    calls = libraries[0].calls
    assert calls[:4] == ["cuInit", "cuDeviceGet", "cuDevicePrimaryCtxRetain", "cuCtxSetCurrent"]
    assert calls.count("cuCtxSetCurrent") == 2, "once when it is prepared, and before each batch"


@pytest.mark.parametrize(("make", "early"), [(AtOnce, True), (SlowQueueRelu, False), (QueueRelu, False)])
def test_who_does_not_wait_is_told_however_short_a_call_is(make: type[QueueRelu], *, early: bool) -> None:
    arm, backend = prepared(make, plugin=True)
    backend.busy_s = 0.0
    reason = arm._waiting.why_early()
    assert (reason == "sync returns before the device has begun with the call") == early
    assert reason is None or early
    arm.batch(4, 0.0)
    problem = arm.finish().problem
    assert (problem is not None) == early


def test_a_device_that_is_not_held_for_long_enough_is_held_for_longer() -> None:
    """Where a launch takes longer than the hold nothing is told of it."""

    class Passing(QueueCard):
        def passed(self, mark: Any) -> bool:
            if self.held[-1] < 4:
                mark.wait()
            return super().passed(mark)

    class On(AtOnce):
        def card(self, device: str) -> QueueCard:
            return Passing(self._stream)

    arm, _ = prepared(On, plugin=True)
    slots: Any = arm._slots
    slots.card.held.clear()
    assert arm._waiting.why_early() is not None
    assert slots.card.held == [1, 2, 4]


def test_what_the_driver_refuses_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="cuInit of the CUDA driver failed with error 100"):
        Driver(StandIn(cuInit=100), 0)
    wait = Driver(StandIn(cuCtxSynchronize=719), 0).waiter()
    with pytest.raises(RuntimeError, match="cuCtxSynchronize of the CUDA driver failed with error 719"):
        wait("a result")


def test_a_cpu_has_no_driver() -> None:
    assert driver_of("cpu") is None
