"""What a process uses up is added up without a loss: a sum that goes backwards would be a negative cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.machine.own_usage import Accounts, Cost

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
