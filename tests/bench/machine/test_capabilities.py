"""What leans on Linux has a plain path elsewhere: each capability is taken away here."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import platform
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.machine import address_layout, cgroups, cpu_speed, environment, own_usage
from bench.machine.finding import WARNING
from bench.machine.foreign_load import Clock
from bench.machine.memory import free_bytes, give_back
from kernels.tuned import caches
from kernels.tuned.caches import Caches, read_caches
from kernels.tuned.memory_pool import Pool
from scripts._doctor import system


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    return tmp_path / "nowhere"


def test_without_affinity_all_cpus_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    assert environment.usable_cpus() == os.cpu_count()
    pace = cpu_speed.Pace()
    assert cpu_speed.EachCpu().look() == ()
    for in_threads in (False, True):
        pace.in_threads = in_threads
        pace.begin(0)
        ((_, seconds),) = pace.taken()[0]
        assert seconds > 0


def test_without_a_teller_of_cpus_there_is_one_unknown_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: object) -> None:
        raise TypeError("as on Windows")

    monkeypatch.setattr(ctypes, "CDLL", none)
    assert cpu_speed._cpu_teller()() == -1


def test_without_proc_nobody_is_known_to_wait(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    monkeypatch.setattr(own_usage, "_THREADS", str(nowhere))
    assert own_usage.waited_s() == 0.0
    assert own_usage.usage().cpu_s > 0
    own_usage.at_rest()


def test_without_control_groups_the_machine_is_the_limit(
    monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    monkeypatch.setattr(cgroups, "_OWN", nowhere)
    assert 0 < free_bytes() <= psutil.virtual_memory().total


def test_without_sysfs_caches_are_those_that_the_system_or_the_defaults_say(
    monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert read_caches(nowhere) == Caches()


def test_where_layouts_cannot_be_fixed_processes_start_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with address_layout.fixed_layout() as fixed:
        assert not fixed
    assert not address_layout.can_be_fixed()


def test_where_pages_cannot_be_given_back_their_arrays_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    array = np.ones(1 << 20, np.uint8)
    give_back(array)
    assert array.all()


def test_without_huge_pages_and_private_mappings_the_pool_lends_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on macOS, and on Windows."""
    monkeypatch.delattr(mmap, "MADV_HUGEPAGE", raising=False)
    monkeypatch.delattr(mmap, "MAP_PRIVATE", raising=False)
    array = Pool(64 << 20).empty((16 << 20,), np.dtype(np.uint8))
    array[::4096] = 1
    assert array[::4096].all()


def test_the_doctor_says_what_is_missing_and_what_that_costs(
    monkeypatch: pytest.MonkeyPatch, nowhere: Path
) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.delattr(os, "sysconf", raising=False)
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    monkeypatch.setattr(own_usage, "_THREADS", str(nowhere))
    monkeypatch.setattr(caches, "_from_sysfs", lambda folder: {})
    found = list(system.findings())
    assert [each.figures["missing"] for each in found] == [each.name for each in system.ASKED]
    assert all(each.status == WARNING and each.effect for each in found)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere something is missing")
def test_the_doctor_takes_none_for_missing_that_is_there() -> None:
    """A thread's accounts, and memory files, are any Linux's; the others depend on the machine."""
    missing = {each.figures.get("missing") for each in system.findings()}
    assert missing.isdisjoint({"CPU affinity", "memory files"})
    assert ("accounts of waiting for a CPU" in missing) != Path("/proc/self/schedstat").exists()


def test_a_machine_that_tells_little_is_described(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    monkeypatch.delattr(os, "getloadavg", raising=False)
    monkeypatch.setattr(environment, "_CPU", nowhere)
    monkeypatch.setattr(environment, "_read", lambda path: None)
    told = environment.describe({})
    assert json.loads(json.dumps(told))["load_average"] is None
    assert environment.machine_name().endswith("c")


def test_without_stolen_and_io_time_others_use_is_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS tells user, nice, system and idle only."""
    few = type("Times", (tuple,), {"idle": property(lambda self: self[3])})
    real = psutil.cpu_times

    def times() -> tuple[float, ...]:
        told = real()
        return few((told.user, told.nice, told.system, told.idle))

    monkeypatch.setattr(psutil, "cpu_times", times)
    assert Clock().window().wall_s > 0
