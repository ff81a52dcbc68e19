"""`scripts/compare.py` on pairs of runs whose differences are known: its verdicts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scripts._shared.cli import UsageError
from scripts.compare import main
from tests.comparing import (
    ARMS,
    SIZES,
    Measured,
    changes,
    everywhere,
    measure,
    measure_at,
    table,
    write,
)


@pytest.fixture
def old(tmp_path: Path) -> str:
    return write(tmp_path / "old", measure(1))


class TestVerdict:
    def test_a_run_against_itself_has_no_change(self, old: str, capsys: pytest.CaptureFixture[str]) -> None:
        for extra in ((), ("--relative",)):
            assert main([old, old, *extra]) == 0
            text = capsys.readouterr().out
            assert "No regression." in text
            assert "0 slower, 0 faster" in text
            assert "1.00x [1.00, 1.00]" in text

    def test_another_run_of_the_same_code_has_no_change(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2))
        for extra in ((), ("--relative",), ("--threshold", "0")):
            assert changes(table(capsys, 0, old, new, *extra)) == {}

    @pytest.mark.parametrize("rounds", [True, False], ids=["from rounds", "from intervals"])
    @pytest.mark.parametrize("extra", [(), ("--relative",)], ids=["seconds", "relative"])
    def test_a_planted_slowdown_is_found_and_nothing_else(
        self,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        rounds: bool,
        extra: tuple[str, ...],
    ) -> None:
        first = write(tmp_path / "old", measure(1), rounds=rounds)
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}), rounds=rounds)
        rows = table(capsys, 1, first, new, *extra)
        assert changes(rows) == {f"torch_eager {1 << 20}": "slower"}
        row = rows[f"torch_eager {1 << 20}"]
        assert row["regression"] == "True"
        assert float(row["ratio_lo"]) < 1.2 < float(row["ratio_hi"])
        assert (
            float(row["ratio_hi"]) - float(row["ratio_lo"]) < 0.16
        )  # what is assumed of processes makes most of it

    def test_the_report_names_the_slow_cell(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}))
        assert main([old, new]) == 1
        text = capsys.readouterr().out
        assert "1 regression (1 slower by more than 5.0%)" in text
        line = next(line for line in text.splitlines() if "relu-forward-new-float32-1Mi-torch_eager" in line)
        assert line.rstrip().endswith("slower !")

    def test_the_threshold_decides_what_is_the_same(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.2}))
        name = f"torch_eager {1 << 20}"
        assert table(capsys, 0, old, new, "--threshold", "0.3")[name]["change"] == "same"
        assert table(capsys, 1, old, new, "--threshold", "0.02")[name]["change"] == "slower"
        assert {row["change"] for row in table(capsys, 0, old, old, "--threshold", "0.3").values()} == {
            "same"
        }

    def test_one_run_a_side_suspects_what_may_be_a_jump(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("torch_eager", 1 << 20): 1.1}))
        rows = table(capsys, 0, old, new)
        assert [name for name, row in rows.items() if row["suspected"] == "True"] == [
            f"torch_eager {1 << 20}"
        ]
        assert rows[f"torch_eager {1 << 20}"]["change"] == "unresolved"
        assert main([old, new]) == 0
        text = capsys.readouterr().out
        assert "1 cell suspected: --confirm measures what is suspected again" in text
        suspected = text[text.index("Suspected") :].splitlines()
        assert any("1Mi-torch_eager" in line for line in suspected[:6])

    def test_several_runs_a_side_find_it(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = {("torch_eager", 1 << 20): 1.1}
        more = write(tmp_path / "old2", measure(3))
        new = [write(tmp_path / f"new{seed}", measure(seed, slow)) for seed in (2, 4)]
        rows = table(capsys, 1, old, more, "--new", *new)
        assert changes(rows) == {f"torch_eager {1 << 20}": "slower"}
        assert main([old, more, "--new", *new]) == 1
        text = capsys.readouterr().out
        assert [line.split()[2] for line in text.splitlines() if line[:8] in ("Old: Run", "New: Run")] == [
            "run1",
            "run3",
            "run2",
            "run4",
        ]

    def test_a_run_among_several_that_fails_is_a_regression(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(2)
        bad: dict[str, Any] = {"status": "crashed", "reason": "signal 11", "time_s": None}
        broken = [replace(c, **bad) if (c.backend, c.case.n) == ("jax_jit", 1 << 10) else c for c in cells]
        new = [write(tmp_path / "a", (broken, rounds)), write(tmp_path / "b", measure(3))]
        assert changes(table(capsys, 1, old, "--new", *new)) == {f"jax_jit {1 << 10}": "failed"}

    def test_a_speed_up_is_no_regression(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, {("jax_jit", 1 << 15): 1 / 1.3}))
        assert changes(table(capsys, 0, old, new)) == {f"jax_jit {1 << 15}": "faster"}

    def test_processes_that_differ_hide_a_change(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = {("torch_eager", 1 << 20): 1.2}
        paths = [
            write(tmp_path / str(seed), measure(seed, factors, process_sd=0.04))
            for seed, factors in ((1, {}), (2, slow))
        ]
        assert changes(table(capsys, 0, *paths)) == {}

    def test_rounds_that_are_not_the_cells_own_do_not_hide_a_change(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(1)
        slower = [
            replace(record, time_s=1.2 * record.time_s) if record.backend == "jax_jit" else record
            for record in cells
            if record.time_s is not None
        ]
        new = write(tmp_path / "new", (slower, rounds))
        assert set(changes(table(capsys, 1, old, new)).values()) == {"slower"}

    def test_rounds_that_are_not_the_cells_own_give_no_precision(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(1)
        wide = [
            replace(c, time_s=1.2 * c.time_s, time_lo_s=0.8 * c.time_s, time_hi_s=1.6 * c.time_s)
            for c in cells
            if c.time_s is not None
        ]
        paths = [write(tmp_path / str(i), (some, rounds)) for i, some in enumerate((cells, wide))]
        assert changes(table(capsys, 0, *paths)) == {}

    def test_a_baseline_may_become_a_candidate(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, _ = measure(2)
        swapped = {"numpy_ufunc": "candidate", "torch_eager": "baseline"}
        new = [
            replace(c, role=swapped.get(c.backend, c.role), baseline="torch_eager")
            for c in cells
            if c.role != "twin"
        ]
        path = write(tmp_path / "new", (new, []), rounds=False)
        assert changes(table(capsys, 0, old, path)) == {}
        with pytest.raises(UsageError, match="other baseline"):
            main([old, path, "--relative"])


class TestWholeImplementations:
    def test_a_change_in_all_cells_is_a_regression_though_no_cell_is(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sizes = [1 << power for power in range(10, 24, 2)]
        slow = {("jax_jit", n): 1.13 for n in sizes}
        old, new = (
            write(tmp_path / str(seed), measure_at(sizes, seed, factors))
            for seed, factors in ((1, {}), (2, slow))
        )
        assert changes(table(capsys, 1, old, new)) == {}
        assert main([old, new]) == 1
        said = capsys.readouterr().out
        assert re.search(r"1 regression \(jax_jit as a whole slower, 1\.1[34]x \[1\.\d+, 1\.\d+\]\)", said)
        assert re.search(r"jax_jit +7 .* slower !\n", said)
        assert main([old, old]) == 0


class TestMachine:
    def test_a_slower_machine_is_said_and_cancels_in_relative(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, everywhere(1.3)))
        assert main([old, new]) == 0
        said = capsys.readouterr().out
        assert "So the machine itself changed." in said
        assert "geometric mean of new/old 1.30x" in said
        assert "What all arms of a case share, 1.30x to 1.30x, is the machine's, and is taken off" in said
        assert changes(table(capsys, 0, old, new, "--relative")) == {}

    def test_a_change_of_most_arms_but_not_of_the_copies_is_the_codes(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2, everywhere(1.3, ["numpy_ufunc", "torch_eager", "jax_jit"])))
        found = changes(table(capsys, 1, old, new))
        assert set(found.values()) == {"slower"}
        assert len(found) == 12

    @pytest.mark.parametrize("machine", [1.3, 0.75])
    def test_another_machine_cancels_among_several_runs_too(
        self, machine: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = everywhere(machine) | {("torch_eager", 1 << 20): machine * 1.3}
        olds = [write(tmp_path / f"old{seed}", measure(seed)) for seed in (1, 2)]
        news = [write(tmp_path / f"new{seed}", measure(seed, slow)) for seed in (3, 4)]
        assert changes(table(capsys, 1, *olds, "--new", *news)) == {f"torch_eager {1 << 20}": "slower"}

    def test_a_slow_moment_of_one_experiment_is_not_the_cells(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        moment = {(name, 1 << 20): 1.6 for name in ARMS}
        new = write(tmp_path / "new", measure(2, moment))
        assert changes(table(capsys, 0, old, new)) == {}
        worse = write(tmp_path / "worse", measure(2, moment | {("torch_eager", 1 << 20): 1.6 * 1.3}))
        assert changes(table(capsys, 1, old, worse)) == {f"torch_eager {1 << 20}": "slower"}

    def test_scatter_of_the_controls_widens_every_interval(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        signs = np.random.default_rng(0).choice([-1, 1], (4, 3))
        drift = {
            (name, n): float(np.exp(0.2 * signs[i, j]))
            for i, n in enumerate(SIZES)
            for j, name in enumerate(("twin", "copy_plain", "copy_streaming"))
        }
        slow = {("torch_eager", 1 << 20): 1.2}
        quiet = table(capsys, 1, old, write(tmp_path / "quiet", measure(2, slow)))
        drifting = table(capsys, 0, old, write(tmp_path / "drifting", measure(2, slow | drift)))
        name = f"torch_eager {1 << 20}"
        assert float(drifting[name]["ratio_hi"]) > 1.5 * float(quiet[name]["ratio_hi"])

    def test_runs_without_controls_say_what_is_not_known(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain: Measured = ([c for c in measure(1)[0] if c.role in ("baseline", "candidate")], [])
        path = write(tmp_path / "old", plain, rounds=False)
        assert main([path, path]) == 0
        assert "how far the machine itself drifted is not known" in capsys.readouterr().out
