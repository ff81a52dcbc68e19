"""The training step: what its arms keep, that they compute the same, and that wrong input is one line."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from bench.machine import memory
from kernels import torch_module
from scripts import training_step
from scripts._shared.cli import UsageError
from scripts._training_step.arm import ACTIVATIONS, BASELINE, NETWORKS, NOTHING, Trainer
from scripts._training_step.figures import rows_of
from scripts._training_step.messages import Kept, Peak, Spec

pytestmark = pytest.mark.slow

_SPEC = Spec("mlp", "relu", BASELINE, batch=64, width=32, depth=3, slope=0.1, threads=0)
_ONE = 64 * 32 * 4
_BITS = _ONE // 32


@pytest.fixture(autouse=True)
def _ours_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_module, "SMALL", 0)


@pytest.mark.parametrize(("network", "op"), list(zip(NETWORKS, ACTIVATIONS, strict=True)))
def test_the_arms_learn_the_same(network: str, op: str) -> None:
    spec = dataclasses.replace(_SPEC, network=network, op=op)
    losses = {arm: Trainer(dataclasses.replace(spec, arm=arm)).warm_up() for arm in ACTIVATIONS[op]}
    training_step._check(losses)
    with pytest.raises(training_step.StepError, match="'tuned' is wrong"):
        training_step._check({**losses, "tuned": losses["tuned"] + 1})


@pytest.mark.parametrize(
    ("network", "op", "arm", "by_activations", "only"),
    [
        ("mlp", "relu", BASELINE, 3 * _ONE, 0),  # the next Linear keeps the same tensor
        ("mlp", "relu", "tuned", 3 * _BITS, 3 * _BITS),
        ("mlp", "leaky_relu", BASELINE, 3 * _ONE, 3 * _ONE),
        ("mlp", "leaky_relu", "tuned", 3 * _BITS, 3 * _BITS),
        ("elementwise", "relu", BASELINE, 3 * _ONE, 3 * _ONE),
        ("elementwise", "relu", "tuned, inplace", 3 * _BITS, 3 * _BITS),
        ("elementwise", "relu", NOTHING, 0, 0),
    ],
)
def test_what_is_kept_is_counted(network: str, op: str, arm: str, by_activations: int, only: int) -> None:
    kept = Trainer(dataclasses.replace(_SPEC, network=network, op=op, arm=arm)).kept()
    assert (kept.by_activations, kept.by_activations_only) == (by_activations, only)
    assert kept.in_all >= by_activations


def _times(
    seconds: dict[str, float], process_sd: float = 0.0, slow_sd: float = 0.0
) -> dict[str, dict[tuple[int, int], float]]:
    """Forty rounds in two processes, within 1 %; processes differ besides, and so do whole rounds."""
    rng = np.random.default_rng(0)
    places = [(process, number) for process in (1, 2) for number in range(20)]
    drift = np.exp(rng.normal(0, slow_sd, 40))
    found = {}
    for name, each in seconds.items():
        offsets = np.repeat(rng.normal(0, process_sd, 2), 20)
        values = each * drift * np.exp(offsets + rng.normal(0, 0.01, 40))
        found[name] = dict(zip(places, values.tolist(), strict=True))
    return found


def test_the_table_has_ratios_paired_by_round() -> None:
    times = _times({BASELINE: 1.0, "tuned": 0.5, NOTHING: 0.25}, slow_sd=0.5)
    peaks, kept = (
        dict.fromkeys(times, Peak(3 << 20, "VmHWM")),
        dict.fromkeys(times, Kept(2 << 20, 1 << 20, 0)),
    )
    rows = {row.arm: row for row in rows_of(_SPEC, times, peaks, kept)}
    assert rows["tuned"].ratio.lo < 0.505
    assert rows["tuned"].ratio.hi > 0.495
    assert rows["tuned"].verdict == "faster"
    assert rows[BASELINE].verdict == rows[NOTHING].verdict == ""
    assert rows["tuned"].share.value == pytest.approx(0.5, abs=0.02)
    text = training_step._table(list(rows.values()))
    assert f"{rows['tuned'].ratio.value:.3g}" in text
    assert "3.0" in text


def test_what_processes_differ_by_is_no_difference() -> None:
    """Arms that are alike are the same, unless their processes differ by more: then not even 3 % are known."""
    for process_sd, tuned, word in ((0.0, 1.0, "same"), (0.03, 0.97, "unresolved")):
        times = _times({BASELINE: 1.0, "tuned": tuned, NOTHING: 0.25, "nn, inplace": 1.0}, process_sd)
        peaks, kept = dict.fromkeys(times, Peak(1, "VmHWM")), dict.fromkeys(times, Kept(1, 1, 0))
        rows = {row.arm: row for row in rows_of(_SPEC, times, peaks, kept)}
        assert rows["tuned"].verdict == word
        assert rows["tuned"].step_s.half_width > process_sd


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--networks", "mpl"], "'mpl' is not known; allowed: mlp, elementwise"),
        (["--ops", "gelu"], "allowed: relu, leaky_relu"),
        (["--batch", "-1"], "a whole number"),
        (["--negative-slope", "-0.1"], "0 or more"),
        (["--negative-slope", "nan"], "0 or more"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        training_step.main(arguments)
    text = capsys.readouterr().err
    assert ended.value.code == 2
    assert message in text
    assert text.count("\n") == 1


def test_what_does_not_fit_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 30)
    with pytest.raises(UsageError, match="smaller --batch or --width"):
        training_step.main([])
