"""Which cells `scripts/compare.py` compares, and in which environments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.machine.environment import DIFFERS, describe
from scripts._shared.cli import UsageError
from scripts.compare import main
from tests.comparing import (
    ENVIRONMENT,
    SIZES,
    changes,
    measure,
    table,
    write,
)
from tests.factories import cell


@pytest.fixture
def old(tmp_path: Path) -> str:
    return write(tmp_path / "old", measure(1))


class TestCells:
    def test_what_stands_in_one_run_only_is_listed(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(2)
        kept = [c for c in cells if (c.backend, c.case.n) != ("jax_jit", 1 << 24)]
        added = cell("numba_jit", 1e-3, n=1 << 10, run_id="run2")
        new = write(tmp_path / "new", ([*kept, added], rounds))
        assert changes(table(capsys, 0, old, new)) == {
            f"jax_jit {1 << 24}": "only old",
            f"numba_jit {1 << 10}": "only new",
        }
        assert main([old, new]) == 0
        text = capsys.readouterr().out
        assert "16Mi-jax_jit" in text
        assert "NEW has no such cell" in text

    @pytest.mark.parametrize(
        ("status", "extra"),
        [
            ("failed", ()),
            ("mistrusted", ("--relative",)),
            *(pytest.param(each, (), marks=pytest.mark.daily) for each in ("skipped", "mistrusted")),
            *(pytest.param(each, ("--relative",), marks=pytest.mark.daily) for each in ("failed", "skipped")),
        ],
        ids=lambda value: value if isinstance(value, str) else "relative" if value else "seconds",
    )
    def test_a_worse_status_is_a_regression(
        self,
        old: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        status: str,
        extra: tuple[str, ...],
    ) -> None:
        cells, rounds = measure(2)
        bad: dict[str, Any] = {
            "status": status,
            "reason": "it broke",
            "time_s": None,
            "time_lo_s": None,
            "time_hi_s": None,
        }
        broken = [replace(c, **bad) if (c.backend, c.case.n) == ("jax_jit", 1 << 10) else c for c in cells]
        new = write(tmp_path / "new", (broken, rounds))
        assert changes(table(capsys, 1, old, new, *extra)) == {f"jax_jit {1 << 10}": "failed"}
        assert changes(table(capsys, 0, new, old, *extra)) == {f"jax_jit {1 << 10}": "recovered"}
        assert main([old, new]) == 1
        text = capsys.readouterr().out
        assert "1 regression (1 with a worse status)" in text
        assert "it broke" in text

    def test_a_baseline_that_fails_is_a_regression_of_its_own_in_relative_too(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, rounds = measure(2)
        bad: dict[str, Any] = {"status": "crashed", "reason": "signal 11", "time_s": None, "speedup": None}
        new = write(
            tmp_path / "new", ([replace(c, **bad) if c.role == "baseline" else c for c in cells], rounds)
        )
        found = changes(table(capsys, 1, old, new, "--relative"))
        assert {name for name, change in found.items() if change == "failed"} == {
            f"numpy_ufunc {n}" for n in SIZES
        }

    def test_noisy_is_measured(self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells, rounds = measure(2, {("torch_eager", 1 << 20): 1.2})
        noisy = [replace(c, status="noisy", reason="±3 %") for c in cells]
        new = write(tmp_path / "new", (noisy, rounds))
        assert changes(table(capsys, 1, old, new)) == {f"torch_eager {1 << 20}": "slower"}

    def test_of_a_repeated_cell_the_last_row_counts(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells, _ = measure(2)
        retried = [replace(c, time_s=3 * c.time_s) for c in cells if c.backend == "jax_jit" and c.time_s]
        rows = table(capsys, 0, old, write(tmp_path / "new", ([*retried, *cells], []), rounds=False))
        assert changes(rows) == {}
        assert len(rows) == 12

    def test_variants_are_cells_of_their_own(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        plain, thp = cell("torch_eager", 1e-3), cell("torch_eager", 2e-3, variant="thp")
        first = write(tmp_path / "old", ([plain, thp], []), rounds=False)
        slow = replace(thp, time_s=3e-3, time_lo_s=2.97e-3, time_hi_s=3.03e-3)
        new = write(tmp_path / "new", ([plain, slow], []), rounds=False)
        assert changes(table(capsys, 1, first, new)) == {"torch_eagerthp 1024": "slower"}


class TestEnvironment:
    def test_different_environments_are_refused_with_every_difference(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = ENVIRONMENT | {
            "kernel": "y",
            "packages": {"numpy": "2.5.0", "torch": "2.13.0", "jax": "0.10"},
        }
        new = write(tmp_path / "new", measure(2), other)
        with pytest.raises(UsageError) as caught:
            main([old, new])
        lines = str(caught.value).splitlines()
        assert "--allow-different-environment" in lines[0]
        assert [line.strip() for line in lines[1:]] == [
            "kernel: x in OLD, y in NEW",
            "packages, jax: nothing in OLD, 0.10 in NEW",
            "packages, numpy: 2.4.6 in OLD, 2.5.0 in NEW",
        ]
        assert main([old, new, "--allow-different-environment"]) == 0
        assert "Environments differ: kernel: x in OLD, y in NEW." in capsys.readouterr().out

    @pytest.mark.parametrize("name", DIFFERS)
    def test_every_entry_that_makes_runs_incomparable_is_looked_at(
        self, old: str, tmp_path: Path, name: str
    ) -> None:
        new = write(tmp_path / "new", measure(2), ENVIRONMENT | {name: "another"})
        with pytest.raises(UsageError, match=f"\n  {name}: "):
            main([old, new])

    def test_what_describe_writes_is_comparable_with_itself(self, tmp_path: Path) -> None:
        paths = [write(tmp_path / str(seed), measure(seed), describe({})) for seed in (1, 2)]
        assert main([*paths, "--output", str(tmp_path / "out")]) == 0

    def test_an_environment_on_one_side_only_is_refused(self, old: str, tmp_path: Path) -> None:
        new = write(tmp_path / "new", measure(2), None)
        with pytest.raises(UsageError, match=r"environment\.json: NEW has none"):
            main([old, new])
        with pytest.raises(UsageError, match=r"environment\.json: OLD has none"):
            main([new, old])

    def test_without_any_the_names_of_the_machines_count(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        paths = [write(tmp_path / str(seed), measure(seed), None) for seed in (1, 2)]
        assert main(paths) == 0
        assert "Neither run has an environment.json" in capsys.readouterr().out
        other = write(tmp_path / "other", measure(2, machine="other-8c"), None)
        with pytest.raises(UsageError, match="OLD is of test-2c, NEW of other-8c"):
            main([paths[0], other])
        with pytest.raises(UsageError, match="machine: test-2c in OLD, other-8c in NEW"):
            main([paths[0], other, "--relative"])

    def test_other_settings_are_mentioned(
        self, old: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        new = write(tmp_path / "new", measure(2), ENVIRONMENT | {"environ": {"OMP_NUM_THREADS": "1"}})
        assert main([old, new]) == 0
        assert 'environ: nothing in OLD, {"OMP_NUM_THREADS": "1"} in NEW' in capsys.readouterr().out
