"""`scripts/merge.py`: shards make one run again, nothing lost or doubled; and what is unsound is found."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.judging.gate import GateReport
from bench.messages import Prepared
from bench.plan.experiments import Arm, Experiment
from bench.plan.networks import network_plan
from bench.plan.options import parse
from bench.plan.shards import part_of, shard
from bench.records.schema import Cell
from bench.run.arm_state import ArmState
from bench.run.rows import cells_of, rounds_of
from bench.run.run import plan
from scripts._shared.cli import UsageError
from scripts.merge import main
from tests.factories import cell, sampled, write_run
from tests.running import INLINE, bench
from tests.states import CASE, STAMP, state

ENVIRONMENT = {
    "machine": "x-2c",
    **dict.fromkeys(("cpu", "kernel", "python", "transparent_hugepage", "commit"), "x"),
    **{"cores": 2, "caches": {"L1": 1}, "packages": {"numpy": "2"}, "sittings": [{"a": 1}]},
}


def run(folder: Path, n: int, environment: dict[str, Any] | None = None, **changes: Any) -> Path:
    seconds = [1e-3, 1.1e-3, 1.2e-3, 1.3e-3, 1.4e-3]
    cells, rounds = sampled(
        {"torch_eager": seconds, "numba_tuned": seconds}, n=n, run_id=folder.name, **changes
    )
    rounds = [replace(each, run_id=folder.name) for each in rounds]
    return write_run(folder, cells, rounds, environment or ENVIRONMENT)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestShards:
    @pytest.mark.parametrize("count", [1, 3, 7, pytest.param(50, marks=pytest.mark.daily)])
    def test_every_experiment_is_in_one_of_them(self, count: int) -> None:
        def planned(chosen: str | None) -> list[str]:
            settings = parse({"shard": chosen, "baseline": "numpy_ufunc"})
            return [each.label for each in (*plan(settings), *network_plan(settings, alone=False))]

        parts = [label for number in range(1, count + 1) for label in planned(f"{number}/{count}")]
        assert Counter(parts) == Counter(planned(None))

    def test_none_has_much_more_than_another(self) -> None:
        planned = plan(parse({"baseline": "numpy_ufunc"}))
        sizes = [len(part_of(planned, shard(f"{number}/4"))) for number in range(1, 5)]
        assert max(sizes) <= 3 * min(sizes)  # by weight: large tensors weigh more


class TestMerging:
    def test_nothing_is_lost_and_nothing_doubled(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one, two = run(tmp_path / "one", 1024), run(tmp_path / "two", 2048)
        assert main([str(one), str(two), str(one), "--output", str(tmp_path / "all")]) == 0
        assert "4 cells of 2 runs" in capsys.readouterr().out
        merged = rows(tmp_path / "all" / "cells.csv")
        assert Counter((row["backend"], row["n"], row["run_id"]) for row in merged) == Counter(
            (backend, n, "all") for backend in ("torch_eager", "numba_tuned") for n in ("1024", "2048")
        )
        assert len(rows(tmp_path / "all" / "rounds.csv")) == 20
        environment = json.loads((tmp_path / "all" / "environment.json").read_text())
        assert [each["run"] for each in environment["merged_from"]] == ["one", "two"]

    def test_a_cell_that_came_twice_is_kept_once(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        one, two = run(tmp_path / "one", 1024), run(tmp_path / "two", 1024)
        assert main([str(one), str(two), "--output", str(tmp_path / "all")]) == 0
        assert "2 cells came twice" in capsys.readouterr().out
        assert len(rows(tmp_path / "all" / "cells.csv")) == 2

    def test_different_figures_for_one_cell_are_refused(self, tmp_path: Path) -> None:
        one, two = run(tmp_path / "one", 1024), run(tmp_path / "two", 1024, iterations=7)
        with pytest.raises(UsageError, match="have different figures for the cell"):
            main([str(one), str(two), "--output", str(tmp_path / "all")])
        assert not (tmp_path / "all").exists()

    def test_other_machines_are_refused(self, tmp_path: Path) -> None:
        one = run(tmp_path / "one", 1024)
        two = run(tmp_path / "two", 2048, {**ENVIRONMENT, "packages": {"numpy": "3"}})
        with pytest.raises(UsageError, match="do not belong together: packages, numpy"):
            main([str(one), str(two), "--output", str(tmp_path / "all")])

    def test_a_place_that_is_taken_is_refused(self, tmp_path: Path) -> None:
        one = run(tmp_path / "one", 1024)
        with pytest.raises(UsageError, match="is there already"):
            main([str(one), "--output", str(one)])

    @pytest.mark.slow
    def test_two_shards_measured_are_the_run(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = (
            "--backends numpy_ufunc --baseline numpy_ufunc --ops relu --directions forward --placements out"
        )
        few = [*f"{options} --sizes 64,1Ki --benchmark-quiet".split(), *INLINE]
        for number in (1, 2):
            done = bench(tmp_path, *few, f"--shard={number}/2", run_id=f"shard-{number}")
            assert done.code == 0, done.text[-2000:]
            assert {row["shard"] for row in done.cells} == {f"{number}/2"}
        assert (
            main(
                [str(tmp_path / f"shard-{number}") for number in (1, 2)] + ["--output", str(tmp_path / "all")]
            )
            == 0
        )
        assert {row["n"] for row in rows(tmp_path / "all" / "cells.csv")} == {"64", "1024"}
        assert main(["--check", str(tmp_path / "all")]) == 0
        capsys.readouterr()


def sound(folder: Path, environment: dict[str, Any] | None = None, **changes: Any) -> Path:
    """One experiment as the suite itself writes it, with noise; `changes` are made to the row of the arm `near`."""
    noise = np.random.default_rng(5)

    def arm(each: Arm, time_s: float) -> ArmState:
        first, second = ((time_s * np.exp(noise.normal(0, 0.01, 8))).tolist() for _ in range(2))
        return state(each, first, second=second, prepared=Prepared(gate=GateReport(None, 0.0, "-0=+0")))

    measured = [
        arm(Arm("base", "baseline"), 1.3e-3),
        arm(Arm("near"), 1.01e-3),
        arm(Arm("fast"), 1e-3),
        arm(Arm("far"), 3e-3),
        arm(Arm("near", "twin"), 1.01e-3),
        arm(Arm("copy_plain", "ceiling"), 0.9e-3),
        arm(Arm("empty_call", "floor"), 1e-7),
    ]
    once = state(
        Arm("copy_streaming", "ceiling"), [8e-4] * 8, second=()
    )  # the other one goes on, whatever luck it had
    measured.append(once)
    experiment, stamp = Experiment(CASE, tuple(each.arm for each in measured)), replace(STAMP, machine="x-2c")
    cells = [
        replace(each, **changes) if (each.backend, each.role) == ("near", "candidate") else each
        for each in cells_of(experiment, measured, stamp)
    ]
    return write_run(folder, cells, rounds_of(experiment, measured, stamp), environment or ENVIRONMENT)


class TestCheck:
    def said(self, folder: Path, capsys: pytest.CaptureFixture[str], code: int) -> str:
        assert main(["--check", str(folder)]) == code
        return capsys.readouterr().out

    def test_a_sound_run(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "8 cells, sound" in self.said(sound(tmp_path / "one"), capsys, 0)

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"time_s": 0.9e-3}, "time_s is 0.0009, its rounds give 0.00100"),
            ({"time_lo_s": 1.009e-3}, "time_lo_s is 0.001009, its rounds give 0.00"),
            ({"median_s": float("nan")}, "median_s is nan"),
            ({"min_s": 0.5e-3}, "min_s is 0.0005, its rounds give 0.0009"),
            ({"max_s": 2e-3}, "max_s is 0.002"),
            ({"rounds": 16, "processes": 1}, "processes is 1, its rounds give 2"),
            ({"contended_rounds": 3}, "contended_rounds is 3, its rounds give 0"),
            ({"gb_per_s": 99.0}, "gb_per_s is 99.0, its rounds give 7.9"),
            ({"speedup": 2.0}, "speedup is 2.0, its rounds give 1.2"),
            ({"speedup_lo": 1.286}, "speedup lies from 1.286 to 1."),
            ({"over_leader": 1.5}, "over_leader is 1.5, its rounds give 1.0"),
            ({"leader": "near"}, "leader is near, its rounds give fast"),
            ({"leader_verdict": "faster"}, "leader_verdict is faster, its rounds give"),
            ({"verdict": "slower"}, "verdict is slower, its rounds give faster"),
            ({"verdict": ""}, "verdict is empty, its rounds give faster"),
            ({"noise_floor": 0.001}, "the noise floor beside base is 0.001, its rounds give about 0."),
            ({"max_ulp": None, "special_values": ""}, "did not pass the gate"),
            ({"ceiling_fraction": 2.0}, "ceiling_fraction is 2.0, its rounds give 0.88"),
            ({"machine": "y-2c"}, "the rows are of x-2c, y-2c, environment.json of x-2c"),
            ({"python": "3.9.0"}, "rows of near ran in Python 3.9.0, environment.json says x"),
            (
                {"versions": "llvm 22; numpy 2.0.1+cpu"},
                "rows of near say numpy 2.0.1+cpu, environment.json 2",
            ),
        ],
    )
    def test_what_does_not_agree_is_found(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], fault: str
    ) -> None:
        assert fault in self.said(sound(tmp_path / "one", **changes), capsys, 1)

    def test_builds_of_one_version_are_that_version(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.said(sound(tmp_path / "one", versions="llvm 22; numpy 2+cpu", python="x"), capsys, 0)

    def test_an_unresolved_verdict_is_not_ok(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(sound(tmp_path / "one", leader_verdict="unresolved", status="ok"), capsys, 1)
        assert "ok, and a verdict is unresolved" in text

    def test_faster_than_a_copy(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """All of its rounds and figures agree; the suite would have called it mistrusted."""
        folder = sound(tmp_path / "one")
        for name in ("cells.csv", "rounds.csv"):
            text = (folder / name).read_text()
            (folder / name).write_text(text.replace("copy_plain,,ceiling", "far2,,candidate"))
        found = rows(folder / "rounds.csv")
        assert {row["role"] for row in found} >= {"candidate", "baseline"}
        assert "it cannot have moved them" not in self.said(folder, capsys, 1)  # no copy is left to tell
        far = (folder / "rounds.csv").read_text().replace("far,,candidate", "copy_plain,,ceiling")
        (folder / "rounds.csv").write_text(far)
        (folder / "cells.csv").write_text(
            (folder / "cells.csv").read_text().replace("far,,candidate", "copy_plain,,ceiling")
        )
        assert "it cannot have moved them" in self.said(folder, capsys, 1)

    def test_a_cell_without_a_reason(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells: list[Cell] = [cell("jax_jit", None, status="failed", machine="x-2c")]
        folder = write_run(tmp_path / "one", cells, [], ENVIRONMENT)
        assert "failed without a reason" in self.said(folder, capsys, 1)

    def test_a_fingerprint_that_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = sound(tmp_path / "one", {name: v for name, v in ENVIRONMENT.items() if name != "kernel"})
        assert "environment.json does not say kernel" in self.said(folder, capsys, 1)

    def test_a_machine_whose_name_is_another(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = self.said(sound(tmp_path / "one", {**ENVIRONMENT, "cores": 64}), capsys, 1)
        assert "environment.json calls x with 64 CPUs x-2c; its name is x-64c" in text

    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (lambda folder: (folder / "environment.json").unlink(), "no environment.json"),
            (lambda folder: (folder / "rounds.csv").unlink(), "does not have the rounds of 8 cells"),
            (lambda folder: (folder / "cells.csv").write_bytes(b"a,b\n1,2\n"), "cells.csv"),
        ],
    )
    def test_what_is_not_whole_is_refused_in_a_line(
        self, tmp_path: Path, damage: Callable[[Path], Any], said: str
    ) -> None:
        folder = sound(tmp_path / "one")
        damage(folder)
        with pytest.raises(UsageError, match=said) as caught:
            main(["--check", str(folder)])
        assert "\n" not in str(caught.value)
