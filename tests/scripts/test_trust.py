"""`scripts/trust.py`: the verdicts that pairs of known truth get, from made rounds and from measured ones."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from bench.plan.options import parse
from bench.records.lines import Key, key_of
from bench.records.schema import Cell
from bench.records.writing import RunFiles
from bench.stats.verdicts import Rounds
from scripts._plugins import slowed
from scripts._shared.fresh import measured
from scripts._trust import arms
from scripts._trust.judging import judged_pairs, troubles
from tests import factories
from tests.running import equal_python

Times = Mapping[str, Callable[[int], float]]
BASELINE = "behind[numba_jit]"


def run_of(times: Times, leader: str) -> tuple[list[Cell], dict[Key, Rounds]]:
    """Cells and rounds of one experiment: seconds of each round by arm; two processes, eight rounds each."""
    cells: list[Cell] = []
    rounds: dict[Key, Rounds] = {}
    for name, seconds in times.items():
        backend, _, variant = name.rstrip("]").partition("[")
        role = "baseline" if name == BASELINE else "candidate"
        spread = {"process_sd": 0.002, "process_df": 12.0}
        cell = factories.cell(backend, 1e-3, variant=variant, role=role, leader=leader, **spread)
        rounds[key_of(cell)] = {(1 + n // 8, n): seconds(n) for n in range(16)}
        cells.append(cell)
    return cells, rounds


def noisy(seconds: float, seed: int) -> Callable[[int], float]:
    noise = np.random.default_rng(seed).normal(1.0, 0.003, 16)
    return lambda n: float(seconds * noise[n])


TIMES = {
    BASELINE: noisy(9e-3, 1),
    "slowed_numba_jit[identical-1]": noisy(1e-3, 2),
    "slowed_numba_jit[identical-2]": noisy(1e-3, 3),
    "slowed_numba_jit[identical-3]": noisy(1e-3, 4),
    "slowed_numba_jit[slower5]": noisy(1.05e-3, 5),
    "slowed_numba_jit[slower10]": noisy(1.1e-3, 6),
}


class TestJudging:
    def test_pairs_get_the_verdicts_of_the_rule(self) -> None:
        judged = judged_pairs(*run_of(TIMES, "slowed_numba_jit[identical-2]"), "quick", "busy")
        found = {(pair.kind, pair.verdict) for pair in judged}
        assert found == {("identical", "same"), ("slower5", "slower"), ("slower10", "slower")}
        assert len(judged) == 9
        assert {pair.second.partition("-")[0] for pair in judged} == {"identical"}
        assert {(pair.profile, pair.hour, pair.base, pair.rounds) for pair in judged} == {
            ("quick", "busy", "numba_jit", 16)
        }
        assert [pair.ratio for pair in judged if pair.kind == "slower10"] == pytest.approx(
            [1.1] * 3, abs=0.01
        )

    def test_a_runs_own_verdicts_are_those_beside_its_leader(self) -> None:
        judged = judged_pairs(*run_of(TIMES, "slowed_numba_jit[identical-2]"), "quick", "calm")
        led = [pair for pair in judged if pair.with_leader]
        assert len(led) == 4
        assert all("identical-2" in (pair.first, pair.second) for pair in led)

    def test_an_experiment_that_the_baseline_leads_tells_nothing(self) -> None:
        cells, rounds = run_of(TIMES, BASELINE)
        assert judged_pairs(cells, rounds, "quick", "calm") == []
        (line,) = troubles(cells)
        assert line.startswith("behind[numba_jit]: the baseline leads (relu-forward-")

    def test_an_arm_that_failed_is_left_out_and_told(self) -> None:
        cells, rounds = run_of(TIMES, "slowed_numba_jit[identical-1]")
        cells[3] = dataclasses.replace(cells[3], status="mistrusted", reason="it remembers")
        assert len(judged_pairs(cells, rounds, "quick", "calm")) == 5
        (line,) = troubles(cells)
        assert line.startswith("slowed_numba_jit[identical-3]: mistrusted: it remembers (relu-")


@pytest.mark.slow
def test_pairs_with_the_leader_get_the_verdicts_that_the_run_reports(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the baseline of NumPy's arms is made of it")
    elsewhere = str(equal_python(tmp_path))
    passes = arms.passes(("numpy_ufunc",), "1Ki", elsewhere)
    chosen = [each for some in passes for each in some if each.label == "relu-forward-out-float32-1Ki"]
    settings = parse({"max_seconds": "0.5"})
    short = dataclasses.replace(settings.profile, batch_s=5e-4, max_rounds=6)
    settings, kept = dataclasses.replace(settings, profile=short, plugins=slowed.PLUGINS), tmp_path / "kept"
    fresh = measured(settings, chosen, keep=kept)
    (run,) = kept.iterdir()
    assert {key: each.rounds for key, each in RunFiles(run).open().items()} == fresh.rounds
    assert troubles(fresh.cells) == []
    assert {arm.variant.name for arm in chosen[0].arms if arm.variant.python == elsewhere} == {
        "installed-1",
        "installed10",
    }
    reported = {cell.variant: (cell.leader_verdict, cell.over_leader) for cell in fresh.cells}
    judged = judged_pairs(fresh.cells, fresh.rounds, "quick", "calm")
    assert len(judged) == 15
    (leader,) = (cell for cell in fresh.cells if cell.over_leader == 1.0)
    led = [pair for pair in judged if pair.second == leader.variant]
    assert {pair.first: (pair.verdict, pair.ratio) for pair in led} == {
        pair.first: reported[pair.first] for pair in led
    }
    kinds = Counter(pair.kind for pair in judged)
    assert (kinds[arms.INSTALLED], kinds["installed10"], kinds["slower10"]) == (3, 3, 3)
    slow = [
        dict(arm.variant.environ) for arm in chosen[0].arms if arm.variant.name in ("installed10", "slower10")
    ]
    assert slow[0] == slow[1]
    floors = {cell.variant: cell.leader_noise_floor for cell in fresh.cells}
    assert [pair.noise_floor for pair in led] == pytest.approx([floors[pair.first] for pair in led])
