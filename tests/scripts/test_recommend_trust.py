"""When `scripts/recommend.py` has no answer, and the reason that it gives for one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.factories import experiment, write_run
from tests.recommending import ENVIRONMENT, asked, one, said, settings_of

_SPENT: dict[str, Any] = {"cpu_s": 8e-3, "rounds": 20, "iterations": 100, "kind": "serial"}
"""Of an arm that works in one thread, long enough for the kernel's account to tell something."""


class TestNoAnswer:
    @pytest.mark.parametrize(
        ("changes", "opens"),
        [
            (
                {"rounds": 8, "contended_rounds": 8},
                "No answer: the machine was busy: 24 of 24 batches ran beside others' work. torch_eager[thp] came out ",
            ),
            (
                {"noise_floor": 0.58, "leader_noise_floor": 0.58},
                "No answer: the machine was busy, or the run too short; no difference below 58% would have been seen. ",
            ),
        ],
    )
    def test_a_run_that_is_not_to_be_believed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], opens: str
    ) -> None:
        times = {"numpy_ufunc": 4e-3, "torch_eager": 2e-3, "torch_eager[thp]": 1e-3}
        run = write_run(tmp_path / "run1", experiment(times, **changes), environment=ENVIRONMENT)
        found = asked(capsys, "--n", "1Ki", "--placement", "new", run, code=1)["answers"][0]
        assert (found["use"], found["keep"], found["sure"], found["code"]) == (None, None, False, None)
        assert found["no_answer"]["reason"] in opens
        usual = settings_of("pytest bench/").baseline  # without torch another, of a command that names none
        assert settings_of(found["measure"][0]).baseline in ("torch_eager", usual)
        text = said(capsys, "--n", "1Ki", "--placement", "new", run, code=1)
        assert text.startswith(opens)
        assert (
            "2.00 times (1.98 to 2.02) as fast as torch_eager, which says little. It takes a machine" in text
        )
        assert ": sure" not in text
        assert "How sure" not in text
        assert " *" not in text.split("Settings")[0]

    def test_a_busy_machine_is_asked_for_one_thing_only(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The case again, all of it: which arm had the smallest time says little, too."""
        cells = [
            each
            for placement in ("new", "out")
            for each in experiment(
                {"torch_eager": 2e-3, "jax_jit": 1e-3}, placement=placement, rounds=8, contended_rounds=8
            )
        ]
        run = write_run(tmp_path / "run1", cells, environment=ENVIRONMENT)
        text = said(capsys, "--n", "1Ki", run, code=1)
        (command,) = (line for line in text.splitlines() if line.startswith("pytest "))
        grid, *others = settings_of(command).grids
        assert all(each == grid for each in others)
        assert (grid["placement"], grid["n"]) == (("new", "out"), (1024,))
        assert settings_of(command).backends == settings_of("pytest bench/").backends

    def test_what_could_not_be_seen_is_said_as_a_factor(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for floor, words in (
            (4.0, "below a factor of 5.0 would"),
            (1e12, "below a factor of a thousand would"),
        ):
            cells = experiment(
                {"torch_eager": 2e-3, "jax_jit": 1e-3}, noise_floor=floor, leader_noise_floor=floor
            )
            run = write_run(tmp_path / "run1", cells)
            assert words in said(capsys, "--n", "1Ki", "--placement", "new", run, code=1)

    def test_a_few_disturbed_batches_are_a_warning_like_what_the_run_noted(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cells = experiment({"torch_eager": 2e-3, "jax_jit": 1e-3}, rounds=8, contended_rounds=4)
        noted = {**ENVIRONMENT, "warnings": ["thread settings: OMP_NUM_THREADS=1; that is measured"]}
        run = write_run(tmp_path / "run1", cells, environment=noted)
        found = asked(capsys, "--n", "1Ki", "--placement", "new", run)
        assert found["answers"][0]["sure"]
        assert found["warnings"][-2:] == [
            "thread settings: OMP_NUM_THREADS=1; that is measured",
            "placement new: 8 of 16 batches ran beside others' work",
        ]
        text = said(capsys, "--n", "1Ki", "--placement", "new", run)
        assert "Mind: thread settings: OMP_NUM_THREADS=1; that is measured." in text
        assert "Mind: placement new: 8 of 16 batches ran beside others' work." in text


class TestWhy:
    def test_fresh_memory_is_the_reason_where_the_columns_show_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow, fast = experiment({"torch_eager": 8e-3, "numba_tuned": 1e-3}, n=1 << 22)
        slow = dataclasses.replace(slow, page_faults=4096.0, system_s=6e-3, **_SPENT)
        fast = dataclasses.replace(fast, page_faults=0.0, system_s=0.0, cpu_s=1e-3)
        run = write_run(tmp_path / "run1", [slow, fast], environment=ENVIRONMENT)
        assert one(capsys, "--n", "4Mi", run)["because"] == (
            "most of torch_eager's 8.00 ms are 4,096 page faults: every call gets fresh memory from the system"
            " (75% of its CPU time is in the kernel)"
        )

    def test_faults_that_take_no_time_are_no_reason(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow, fast = experiment({"torch_eager": 8e-3, "numba_tuned": 1e-3}, n=1 << 22)
        slow = dataclasses.replace(slow, page_faults=4096.0, system_s=1e-4, **_SPENT)
        fast = dataclasses.replace(fast, page_faults=0.0, system_s=0.0, cpu_s=1e-3)
        run = write_run(tmp_path / "run1", [slow, fast], environment=ENVIRONMENT)
        assert "torch_eager moves" in one(capsys, "--n", "4Mi", run)["because"]

    def test_one_thread_beside_several(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        slow, fast = experiment({"torch_eager": 8e-3, "numba_tuned": 1e-3})
        slow = dataclasses.replace(slow, threads_effective=1, kind="serial")
        run = write_run(tmp_path / "run1", [slow, dataclasses.replace(fast, kind="parallel")])
        assert (
            one(capsys, "--n", "1Ki", run)["because"]
            == "torch_eager works in one thread, and numba_tuned in 2"
        )
