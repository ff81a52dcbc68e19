"""What a process uses up is added up without a loss: a sum that goes backwards would be a negative cost."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.machine import own_usage
from bench.machine.own_usage import Accounts, Cost, waited_s

SECONDS = st.floats(0.0, 1e4)


def _read(user_s: float, system_s: float, faults: int) -> Accounts:
    return Accounts((user_s, system_s, 0, 0, 0, 0, faults, *[0] * 9))


@given(SECONDS, SECONDS, SECONDS)
def test_a_sum_never_falls(first: float, reading: float, spent: float) -> None:
    one = _read(0.0, 0.0, 1), _read(0.0, first, 4)
    other = _read(0.0, reading, 5), _read(0.0, reading + spent, 9)
    nothing = _read(spent, reading, 5), _read(spent, reading, 5)
    cost = Cost.of([one, other])
    assert cost.page_faults == 7
    assert min(cost.cpu_s, cost.system_s) >= first
    assert Cost.of([one, nothing]) == Cost.of([one]) == Cost(first, first, 3)


def _thread(folder: Path, number: int, waited_ns: int) -> None:
    (folder / str(number)).mkdir()
    (folder / str(number) / "schedstat").write_text(f"12345 {waited_ns} 67\n", encoding="ascii")


@pytest.mark.parametrize("most_open", [256, 0])
def test_waits_of_all_threads_are_added_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_open: int
) -> None:
    monkeypatch.setattr(own_usage, "_THREADS", str(tmp_path))
    monkeypatch.setattr(own_usage, "_MOST_OPEN", most_open)
    assert waited_s() == 0.0
    for number, so_far in enumerate((2.0, 4.0, 6.0)):
        _thread(tmp_path, number, 2 * 10**9)
        assert waited_s() == so_far
    (tmp_path / "0" / "schedstat").write_text("12345 3000000000 67\n", encoding="ascii")
    assert waited_s() == 7.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_threads_that_have_ended_are_let_go() -> None:
    """The number of threads stays the same meanwhile."""
    stop = [threading.Event() for _ in range(2)]
    threads = [threading.Thread(target=each.wait) for each in stop]
    threads[0].start()
    waited_s()
    had = set(own_usage._waits._files)
    stop[0].set()
    threads[0].join()
    while Path(f"/proc/self/task/{threads[0].native_id}").exists():
        pass  # joined, it may still be about to end
    threads[1].start()
    for _ in range(2):
        waited_s()
    now = {Path(f"/proc/self/fd/{each}").readlink().parent.name for each in own_usage._waits._files}
    stop[1].set()
    threads[1].join()
    assert str(threads[1].native_id) in now
    assert str(threads[0].native_id) not in now
    assert len(now) == len(had) == len(own_usage._waits._files)
