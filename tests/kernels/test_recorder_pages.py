"""Page faults of a program's activations: counted by call and by step, and what one takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn

import kernels
from kernels.recorder.cases_file import Recording, read_recording
from kernels.recorder.pages import FEWEST, Price

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the system tells no page faults")

FRESH = 9 << 20
"""Elements of a float32 result that glibc always maps anew: more than 32 MiB."""


def recorded(folder: Path, n: int, steps: int, *, swap: bool = False) -> Recording:
    model, x = nn.Sequential(nn.ReLU()), torch.ones(n)
    with kernels.recording(folder / "cases.json", swap=swap), torch.no_grad():
        for _ in range(steps):
            model(x)
    return read_recording(folder / "cases.json")


def test_a_large_result_is_fresh_memory_in_each_call_and_step(tmp_path: Path) -> None:
    recording = recorded(tmp_path, FRESH, 4 + 4)
    (used,), steps = recording.used, recording.steps
    assert used.page_faults is not None
    assert used.page_faults >= FRESH * 4 / (2 << 20)  # in huge pages, at the least
    assert steps.page_faults == pytest.approx(used.page_faults, rel=0.1, abs=8)
    assert (steps.fault_s is not None) == (used.page_faults >= FEWEST)


def test_a_small_one_is_not_and_nothing_is_written_to_learn_a_price(tmp_path: Path) -> None:
    recording = recorded(tmp_path, 1 << 10, 4 + 8)
    (used,) = recording.used
    assert used.page_faults is not None
    assert used.page_faults < FEWEST
    assert recording.steps.fault_s is None


def test_the_price_is_looked_at_once_in_four_steps() -> None:
    price = Price()
    price.nbytes = 1 << 20
    for _ in range(3):
        price.step_ended()
    assert price.fault_s is None
    price.step_ended()
    assert price.fault_s is not None


@pytest.mark.slow
def test_with_ours_a_step_has_no_more_faults_than_its_neighbours(tmp_path: Path) -> None:
    """All that is saved is what torch's call had: the counts that the prediction rests on."""
    recording = recorded(tmp_path, FRESH, 4 + 3 * 8, swap=True)
    (used,), steps = recording.used, recording.steps
    assert None not in (used.page_faults, steps.page_faults, steps.ours_page_faults)
    assert (steps.page_faults or 0) >= 0.9 * (used.page_faults or 0) > 0
    assert (steps.ours_page_faults or 0) <= 0.1 * (used.page_faults or 0)
