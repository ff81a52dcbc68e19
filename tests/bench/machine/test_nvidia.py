"""What is made of the words of NVIDIA's management library; by one that stands in for it."""

from __future__ import annotations

import pytest

from bench.machine import nvidia
from bench.plugin.refusals import refuse_exclusive
from bench.records.errors import RunFilesError
from bench.run.identity import check_same
from tests.nvml import StandIn

HEAT = StandIn.nvmlClocksThrottleReasonSwThermalSlowdown
HEAT_COUNTER = StandIn.NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return installed(monkeypatch, StandIn())


def installed(monkeypatch: pytest.MonkeyPatch, library: StandIn) -> StandIn:
    monkeypatch.setattr(nvidia, "_library", lambda: library)
    monkeypatch.setattr(nvidia, "_at_rest", {})
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return library


def test_a_card_that_was_slowed_down_and_is_idle_now_is_told_by_its_counter(library: StandIn) -> None:
    library.counters[HEAT_COUNTER] = 7
    watch = nvidia.watch_of("cuda")
    assert watch.throttled() == "", "that was before"
    library.counters[HEAT_COUNTER] = 8
    assert library.bits == 0
    assert watch.throttled() == "heat, by software"
    assert watch.throttled() == ""


def test_without_counters_the_bits_of_now_count(library: StandIn) -> None:
    watch = nvidia.watch_of("cuda")
    assert watch.throttled() == ""
    library.bits = HEAT
    assert watch.throttled() == "heat, by software"


def test_a_bit_that_is_set_at_rest_tells_nothing(library: StandIn) -> None:
    """Else every round would wait for seconds, and count as disturbed."""
    library.bits = StandIn.nvmlClocksThrottleReasonHwPowerBrakeSlowdown
    nvidia.describe(["cuda:0"])  # as at the start of a run
    library.bits |= HEAT
    watch = nvidia.watch_of("cuda")
    assert watch.throttled() == "heat, by software"
    library.bits &= ~HEAT
    assert watch.throttled() == ""
    watch.cool(60.0)  # returns at once


def test_the_clock_after_a_batch_is_the_card_s(library: StandIn) -> None:
    assert nvidia.watch_of("cuda").sm_mhz() == 1500
    library.tells = False
    assert nvidia.watch_of("cuda").sm_mhz() is None
    assert nvidia.watch_of("cpu").sm_mhz() is None


def test_a_machine_that_tells_nothing_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, StandIn(tells=False))
    cards = nvidia.describe(["cuda:1"])
    assert cards is not None
    assert cards[0]["device"] == "cuda:1"
    assert cards[0]["memory_bytes"] is None
    assert nvidia.models(cards) == {}
    assert nvidia.watch_of("cuda:1").throttled() == ""
    assert nvidia.exclusive_mode("cuda:1") == ""


def test_another_card_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    about = []
    for name in ("H100", "H100", "H200"):
        installed(monkeypatch, StandIn(name=name))
        about.append({"card_models": nvidia.models(nvidia.describe(["cuda"]) or [])})
    first, same, other = about
    assert first["card_models"] == {"cuda:0": "H100, driver 580.1, 80.0 GiB"}
    check_same("mine", first, same)
    check_same("mine", first, {})  # goes on with the CPU alone
    with pytest.raises(RunFilesError, match=r"made on another cuda:0 \(H100, .* then, H200, .* now\)"):
        check_same("mine", first, other)


@pytest.mark.parametrize(("mode", "word"), [(0, ""), (2, "prohibited"), (3, "exclusive process")])
def test_a_card_for_one_process_is_refused(monkeypatch: pytest.MonkeyPatch, mode: int, word: str) -> None:
    installed(monkeypatch, StandIn(mode=mode))
    refuse_exclusive(["cpu"])
    if not word:
        refuse_exclusive(["cpu", "cuda"])
        return
    with pytest.raises(pytest.UsageError, match=f"cuda is in compute mode '{word}'.*nvidia-smi -c 0"):
        refuse_exclusive(["cpu", "cuda"])
