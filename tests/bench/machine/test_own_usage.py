"""What a process uses up is added up without a loss: a sum that goes backwards would be a negative cost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.machine.own_usage import Cost

SECONDS = st.floats(0.0, 1e4)


@given(SECONDS, SECONDS, SECONDS)
def test_a_sum_never_falls(total: float, reading: float, spent: float) -> None:
    so_far = Cost(total, total, 3)
    later = so_far.plus(Cost(reading, reading, 5), Cost(reading + spent, reading + spent, 9))
    assert later.page_faults == 7
    assert min(later.cpu_s, later.system_s) >= total
    assert so_far.plus(Cost(reading, reading, 5), Cost(reading, reading, 5)) == so_far
