"""`scripts/recommend.py` on runs with known answers: at a size that was measured."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from tests.factories import experiment, sampled, write_run
from tests.recommending import ENVIRONMENT, one, planted, said, settings_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return planted(tmp_path / "run1")


class TestMeasuredSize:
    def test_the_fastest_arm_and_the_speed_up(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = one(capsys, "--n", "16Mi", "--now", "numpy_ufunc", run)
        assert (found["basis"], found["sure"], found["no_answer"]) == ("measured", True, None)
        assert found["use"]["name"] == "torch_eager"  # its variant is as fast, so the plain one will do
        assert found["as_fast"] == ["torch_eager[thp]"]
        assert found["over_now"]["value"] == pytest.approx(4, rel=0.01)
        assert found["over_now"]["verdict"] == "faster"
        assert found["over_now"]["lo"] < found["over_now"]["value"] < found["over_now"]["hi"]

    def test_the_first_line_is_the_answer(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, "--n", "16Mi", "--placement", "new", "--now", "numpy_ufunc", run)
        first = text.splitlines()[0]
        assert first.startswith("Use torch_eager: 4.00 times (3.96 to 4.04) faster than numpy_ufunc, ")
        assert "40.0 GB/s" in first

    def test_all_ratios_are_over_what_is_used_now(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Which is torch_eager unless it is said, also where the run has another baseline."""
        for arguments, now, ratios in (
            ([], "torch_eager", [1, 1, 0.25]),
            (["--now", "numpy_ufunc"], "numpy_ufunc", [4, 4, 1]),
        ):
            found = one(capsys, "--n", "16Mi", *arguments, run)
            assert found["now"]["name"] == now
            assert [arm["over_now"]["value"] for arm in found["arms"]] == pytest.approx(ratios, rel=0.01)
            assert f"over {now}" in said(capsys, "--n", "16Mi", "--placement", "new", *arguments, run)

    def test_what_is_used_now_is_kept_if_nothing_beats_it(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = said(capsys, "--n", "16Mi", "--placement", "new", "--now", "torch_eager[thp]", run)
        assert text.startswith(
            "Keep torch_eager[thp]: nothing is faster. As fast within 3.0%: torch_eager. [float32"
        )

    def test_rounds_give_a_paired_ratio(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Both arms are slowed together from round to round: only pairs show how exactly 2 the ratio is."""
        drift = [1.0, 1.5, 2.0, 2.5, 3.0, 1.2, 1.7, 2.2]
        cells, rounds = sampled(
            {
                "numpy_ufunc": [4e-3 * d for d in drift],
                "numba_jit": [2e-3 * d for d in drift],
                "jax_jit": [1e-3 * d for d in drift],
            },
            processes=2,
            process_sd=0.001,
            process_df=12.0,
        )
        run = write_run(tmp_path / "run1", cells, rounds)
        found = one(capsys, "--n", "1Ki", "--now", "numba_jit", run)["over_now"]
        assert found["how"] == "paired round by round, in 2 processes each"
        assert found["value"] == pytest.approx(2)
        assert (found["lo"], found["hi"]) == pytest.approx((2, 2), rel=0.01)
        assert found["verdict"] == "faster"

    def test_what_is_the_same_is_no_reason_to_change(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = self.beside(tmp_path, 1.005, process_sd=0.002)
        found = one(capsys, "--n", "1Ki", run)
        assert (found["keep"], found["use"]["name"], found["best"]["name"]) == (
            True,
            "numpy_ufunc",
            "jax_jit",
        )
        assert found["over_now"]["verdict"] == "same"
        text = said(capsys, "--n", "1Ki", "--placement", "new", run)
        assert text.startswith("Keep numpy_ufunc: nothing is faster.")
        assert "paired round by round, in 2 processes each: the same." in text

    def test_what_is_not_known_says_so_and_what_would_resolve_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """2.5 % faster, by processes that differ by 2 %: no verdict, but the way to one."""
        run = self.beside(tmp_path, 1.025, process_sd=0.02)
        found = one(capsys, "--n", "1Ki", run)
        ratio = found["over_now"]
        assert (found["keep"], found["use"]["name"], ratio["verdict"]) == (True, "numpy_ufunc", "unresolved")
        assert ratio["noise_floor"] > 0.03
        assert ratio["resolve_s"] is None
        asked_for = settings_of(found["measure"][0])
        assert (asked_for.baseline, asked_for.backends) == ("numpy_ufunc", ("jax_jit",))
        assert "--resolve 0.03 --processes 8" in found["measure"][0]
        text = said(capsys, "--n", "1Ki", "--placement", "new", run)
        assert text.startswith(
            "Keep numpy_ufunc: whether jax_jit is faster is not known. It comes out 1.03 times ("
        )
        assert f"{ratio['resolve_processes']} processes of each would." in " ".join(text.split())
        assert ": sure" not in text

    def test_a_run_that_does_not_say_how_processes_differ_is_believed_less(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Runs of an older version have one process of each arm; 4 % are then not beyond doubt."""
        new = self.beside(tmp_path / "new", 1.04, process_sd=0.002)
        assert one(capsys, "--n", "1Ki", new)["over_now"]["verdict"] == "faster"
        found = one(capsys, "--n", "1Ki", self.beside(tmp_path / "old", 1.04, processes=1, process_df=None))
        assert found["over_now"]["verdict"] == "unresolved"
        assert "that processes differ by 2.0% is assumed" in found["over_now"]["how"]

    def test_the_width_is_the_one_that_the_run_was_asked_for(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = self.beside(tmp_path, 1.005, process_sd=0.002)
        (run / "environment.json").write_text(json.dumps({"options": {"resolve": 0.005}}))
        found = one(capsys, "--n", "1Ki", run)
        assert (found["over_now"]["verdict"], found["resolve"]) == ("unresolved", 0.005)

    def beside(self, folder: Path, gain: float, processes: int = 2, **changes: Any) -> Path:
        """A run in which jax_jit is `gain` times as fast as the baseline, in twelve rounds within 1 %."""
        base = [1e-3 * (1 + 0.01 * (number % 3)) for number in range(12)]
        figures = {"process_df": 12.0, **changes}
        samples = {"numpy_ufunc": base, "jax_jit": [each / gain for each in base]}
        return write_run(folder / "run1", *sampled(samples, processes, **figures))

    def test_calls_until_compiling_pays(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells = [
            dataclasses.replace(cell, first_call_s=first)
            for cell, first in zip(
                experiment({"numpy_ufunc": 1e-3, "torch_compile": 0.5e-3}), (0.25, 1.25), strict=True
            )
        ]
        run = write_run(tmp_path / "run1", cells)
        assert one(capsys, "--n", "1Ki", run)["break_even_calls"] == 2000  # 1 s more, 0.5 ms gained a call
        assert "is paid back after 2,000 calls" in said(capsys, "--n", "1Ki", "--placement", "new", run)

    def test_what_a_setting_is_worth(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells = experiment({"numpy_ufunc": 8e-3, "torch_eager": 6e-3, "torch_eager[thp]": 2e-3})
        cells += experiment({"numpy_ufunc": 4e-3, "torch_eager": 1.5e-3}, placement="out")
        options = {"variants": {"thp": {"THP_MEM_ALLOC_ENABLE": "1"}}}
        run = write_run(tmp_path / "run1", cells, environment={**ENVIRONMENT, "options": options})
        found = one(capsys, "--n", "1Ki", "--now", "torch_eager", run)
        gains = {(each["kind"], each["name"], each["arm"]): each for each in found["settings"]}
        thp = gains["variant", "thp", "torch_eager"]
        assert thp["gain"]["value"] == pytest.approx(3)
        assert thp["environ"] == {"THP_MEM_ALLOC_ENABLE": "1"}
        assert gains["placement", "out", "torch_eager"]["gain"]["value"] == pytest.approx(4)
        text = said(capsys, "--n", "1Ki", "--placement", "new", "--now", "torch_eager", run)
        assert text.startswith("Use torch_eager[thp] with THP_MEM_ALLOC_ENABLE=1: 3.00 times")
        assert (
            "new memory costs torch_eager most of its time: 6.00 ms a call, and 1.50 ms into a given array"
            in text
        )

    def test_settings_that_were_not_measured_come_as_commands(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        commands = one(capsys, "--n", "16Mi", run)["measure"]
        threads = settings_of(commands[-1])
        assert threads.grids[0]["threads"] == (0, 1)
        assert threads.grids[0]["n"] == (1 << 24,)
