"""`scripts/recommend.py` on runs with known answers."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.machine.environment import machine_name
from bench.plan.options import parse
from bench.plan.settings import Settings
from bench.records.reading import ReadError
from bench.records.schema import Cell
from scripts._shared.cli import UsageError
from scripts.recommend import main
from tests.factories import experiment, sampled, write_run
from tests.summaries import lines

ENVIRONMENT = {"caches": {"L1": 1 << 15, "L2": 1 << 20, "L3": 1 << 25}, "machine": "test-2c"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Baseline 1 us and 10 GB/s, torch_eager 4 us and 40 GB/s, at three sizes; its variant is no faster."""
    options = {"variants": {"thp": {"THP_MEM_ALLOC_ENABLE": "1"}}}
    return write_run(tmp_path / "run1", lines(), environment={**ENVIRONMENT, "options": options})


def asked(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    assert main([*map(str, arguments), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def one(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    (found,) = asked(capsys, "--placement", "new", *arguments)["answers"]
    return dict(found)


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


def settings_of(command: str) -> Settings:
    """What `pytest bench/` makes of a command line, parsed by its own parser."""
    words = shlex.split(command)
    assert words[:2] == ["pytest", "bench/"]
    given: dict[str, Any] = {}
    for option, value in zip(words[2::2], words[3::2], strict=True):
        name = option.removeprefix("--").replace("-", "_")
        if name == "variant":
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    return parse(given)


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


class TestBetweenSizes:
    def test_the_time_is_told_within_the_stated_miss(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sizes = [1 << power for power in range(10, 25, 2)]
        bend = 0.03  # every second size is slower than any line has it

        def seconds(n: int, latency_s: float, rate: float) -> float:
            return (latency_s + 8 * n / rate) * (1 + bend * ((n.bit_length() // 2) % 2))

        cells = [
            cell
            for n in sizes
            for cell in experiment(
                {"numpy_ufunc": seconds(n, 1e-6, 10e9), "torch_eager": seconds(n, 4e-6, 40e9)}, n=n
            )
        ]
        run = write_run(tmp_path / "run1", cells, environment=ENVIRONMENT)
        found = one(capsys, "--n", "3Mi", "--now", "numpy_ufunc", run)
        truth = 4e-6 + 8 * (3 << 20) / 40e9
        worst = found["fits"]["torch_eager"]["worst_miss"]
        assert found["basis"] == "fitted"
        assert bend / 2 < worst < 3 * bend
        assert abs(found["time_s"] / truth - 1) <= worst
        assert found["over_now"]["lo"] < 4 < found["over_now"]["hi"]

    def test_the_crossover_is_where_it_was_planted(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = one(capsys, "--n", "64Ki", run)["crossovers"]  # 1 us + 0.8 ns n = 4 us + 0.2 ns n
        assert (first["name"], second["name"]) == ("numpy_ufunc", "torch_eager")
        assert second["first"] == pytest.approx(5000, rel=0.05)

    @pytest.mark.parametrize(("size", "leader"), [("2Ki", "numpy_ufunc"), ("64Ki", "torch_eager")])
    def test_each_side_of_it_has_its_leader(
        self, run: Path, capsys: pytest.CaptureFixture[str], size: str, leader: str
    ) -> None:
        assert one(capsys, "--n", size, run)["use"]["name"] == leader

    def test_beyond_the_sizes_nothing_is_sure(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = one(capsys, "--n", "256Mi", "--now", "numpy_ufunc", run)
        assert (found["basis"], found["sure"]) == ("extrapolated", False)
        assert found["over_now"]["lo"] is found["over_now"]["hi"] is None
        assert settings_of(found["measure"][0]).grids[0]["n"] == (1 << 28,)
        text = said(capsys, "--n", "256Mi", "--placement", "new", "--now", "numpy_ufunc", run)
        assert text.startswith(
            "Probably torch_eager; measure to know: it comes out 4.00 times (interval unknown)"
        )
        assert "told from extrapolated curves; measured: 4.00 times at 16Mi" in text

    def test_between_sizes_the_answer_agrees_with_the_table(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Curves that miss by more than what they tell: no verdict, and still no "keep" above a table that says 2x."""
        bends = {10: 1.0, 14: 1.4, 18: 0.6, 22: 1.5, 26: 0.9}
        cells = [
            each
            for power, bend in bends.items()
            for each in experiment(
                {"torch_eager": 4e-9 * 2**power * bend, "jax_jit": 2e-9 * 2**power}, n=1 << power
            )
        ]
        run = write_run(tmp_path / "run1", cells, environment=ENVIRONMENT)
        found = one(capsys, "--n", "1Mi", run)
        assert (found["basis"], found["sure"], found["keep"], found["use"]["name"]) == (
            "fitted",
            False,
            False,
            "jax_jit",
        )
        assert found["over_now"]["verdict"] == "unresolved"
        assert [each["n"] for each in found["neighbours"]] == [1 << 18, 1 << 22]
        assert [each["over_now"] for each in found["neighbours"]] == pytest.approx([1.2, 3.0])
        text = said(capsys, "--n", "1Mi", "--placement", "new", run)
        assert text.startswith("Probably jax_jit; measure to know: it comes out ")
        assert "measured: 1.20 times at 256Ki and 3.00 times at 4Mi" in text.splitlines()[0]
        assert settings_of(text.splitlines()[-2]).grids[0]["n"] == (1 << 20,)
        assert ": sure" not in text

    def test_one_size_is_no_curve(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = write_run(tmp_path / "run1", experiment({"numpy_ufunc": 1e-3, "jax_jit": 2e-3}))
        found = asked(capsys, "--n", "4Ki", "--placement", "new", run, code=1)
        assert "only measured at 1Ki elements" in found["missing"][0]["reason"]


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
        assert settings_of(found["measure"][0]).baseline == "torch_eager"
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
        (grid,) = settings_of(command).grids
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


_SPENT: dict[str, Any] = {"cpu_s": 8e-3, "rounds": 20, "iterations": 100, "kind": "serial"}
"""Of an arm that works in one thread, long enough for the kernel's account to tell something."""


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


class TestWhatIsMissing:
    def test_a_dtype_that_was_not_measured(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = asked(capsys, "--n", "4Mi", "--dtype", "bfloat16", "--direction", "backward", run, code=1)
        assert found["answers"] == []
        assert {gap["placement"] for gap in found["missing"]} == {"new", "out"}
        (grid,) = settings_of(found["missing"][0]["measure"]).grids
        wanted = {
            "dtype": ("bfloat16",),
            "n": (1 << 22,),
            "placement": ("new", "out"),
            "direction": ("backward",),
        }
        assert {axis: grid[axis] for axis in wanted} == wanted

    def test_it_says_what_there_is(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, "--n", "4Mi", "--dtype", "bfloat16", run, code=1)
        assert "nothing was timed with dtype bfloat16; there is dtype float32. Measure it, see below." in text
        assert text.splitlines()[-1].startswith("pytest bench/ ")

    def test_one_placement_answers_for_itself_alone(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = said(capsys, "--n", "16Mi", "--now", "numpy_ufunc", run)
        assert text.startswith("Use torch_eager")
        assert (
            "No answer for placement out: nothing was timed with placement out; there is placement new."
            in text
        )

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--n", "16Mi", "--now", "torch_eagre"], "did you mean 'torch_eager'"),
            (["--n", "16Mi", "nowhere"], "no such directory, file or run"),
        ],
    )
    def test_mistakes_are_one_line(self, run: Path, arguments: Sequence[str], message: str) -> None:
        where = [] if "nowhere" in arguments else [str(run)]
        with pytest.raises((UsageError, ReadError), match=message) as caught:
            main([*arguments, *where])
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        "arguments", [[], ["--n", "4M"], ["--n", "1Ki,2Ki"], ["--n", "0"], ["--n", "1", "--op", "rleu"]]
    )
    def test_bad_options_end_with_2(
        self, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


class TestWhichRun:
    def here(self, cells: Sequence[Cell], run_id: str) -> list[Cell]:
        return [dataclasses.replace(cell, machine=machine_name(), run_id=run_id) for cell in cells]

    def test_the_newest_run_of_this_machine_that_has_such_cells(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        environment = {**ENVIRONMENT, "machine": machine_name()}
        half = experiment({"numpy_ufunc": 1e-3, "jax_jit": 2e-4}, dtype="bfloat16")
        for age, (name, cells) in enumerate({"newer": half, "older": lines(), "foreign": lines()}.items()):
            folder = write_run(tmp_path / name, self.here(cells, name), environment=environment)
            os.utime(folder / "cells.csv", ns=(10**18 - age, 10**18 - age))
        write_run(tmp_path / "foreign", lines(), environment={"machine": "another-64c"})
        assert asked(capsys, "--n", "16Mi", "--results", tmp_path)["runs"][0]["run_id"] == "older"
        found = asked(capsys, "--n", "1Ki", "--dtype", "bfloat16", "--results", tmp_path)
        assert (found["runs"][0]["run_id"], found["warnings"]) == ("newer", [])

    def test_another_machines_reference_comes_with_a_warning(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_run(tmp_path / "reference" / "test-2c", lines(), environment=ENVIRONMENT)
        assert "Mind: measured on test-2c, not on this machine" in said(
            capsys, "--n", "16Mi", "--results", tmp_path
        )
        assert asked(capsys, "--n", "16Mi", "--results", tmp_path)["this_machine"] is False

    def test_no_run_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="run `pytest bench/` first"):
            main(["--n", "1Ki", "--results", str(tmp_path)])

    def test_a_file_without_rounds_environment_or_first_calls(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As others write it: what is not known is said to be so, and guessed nowhere."""
        bare: dict[str, Any] = {
            "noise_floor": None,
            "time_lo_s": None,
            "time_hi_s": None,
            "speedup_lo": None,
            "speedup_hi": None,
            "verdict": "",
            "leader": "",
            "leader_verdict": "",
            "over_leader": None,
            "leader_noise_floor": None,
        }
        cells = [
            dataclasses.replace(cell, **bare)
            for n in (0, 1, 1024, 1 << 20)
            for cell in experiment({"numpy_ufunc": 1e-6 + n * 1e-9, "theirs": 2e-6 + n * 1e-10}, n=n)
        ]
        run = write_run(tmp_path / "run1", cells)
        text = said(capsys, "--n", "1Mi", "--placement", "new", run / "cells.csv")
        assert text.startswith(
            "Keep numpy_ufunc: whether theirs is faster is not known. It comes out 9.82 times (int"
        )
        assert asked(capsys, "--n", "1Mi", run)["answers"][0]["break_even_calls"] is None
        assert one(capsys, "--n", "100", run)["basis"] == "fitted"

    def test_runs_of_two_machines_are_not_mixed(self, run: Path, tmp_path: Path) -> None:
        other = write_run(tmp_path / "run2", self.here(lines(), "run2"))
        with pytest.raises(UsageError, match="the runs are of 2 machines"):
            main(["--n", "1Ki", str(run), str(other)])
