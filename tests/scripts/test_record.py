"""`scripts/record.py`, and what `pytest bench/ --cases` and `recommend.py --cases` make of its file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.plan.options import OptionError, parse
from bench.run.run import plan
from kernels.recorder.cases_file import Recording, Steps, Used, read_recording, write_recording
from scripts import recommend
from scripts._shared.cli import UsageError
from tests.factories import experiment, write_run

MODEL = """
import sys
import torch
from torch import nn

assert sys.argv[1:] == ["--steps", "9"], sys.argv
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2), nn.LeakyReLU(0.3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(int(sys.argv[2])):
    optimizer.zero_grad()
    model(torch.ones(16, 4)).sum().backward()
    optimizer.step()
print("trained")
"""


def used(
    op: str, direction: str, n: int, where: str, calls: float = 1.0, *, seconds: float | None = None
) -> Used:
    slope = 0.01 if op == "leaky_relu" else 0.0
    return Used(
        op, direction, "new", "float32", (n,), "contiguous", "cpu", 0, slope, "", calls, seconds, (where,)
    )


def kept(folder: Path, *calls: Used, seconds: Sequence[float] = (), ours: Sequence[float] = ()) -> Path:
    steps = Steps("optimizer.step", 3, tuple(seconds), tuple(ours))
    path = folder / "cases.json"
    write_recording(path, Recording("train.py", "2.13.0", False, steps, calls, ()))
    return path


class TestProgram:
    @pytest.fixture(autouse=True)
    def _torch(self) -> None:
        pytest.importorskip("torch", reason="needs PyTorch")

    def recorded(self, folder: Path, text: str, *options: str) -> int:
        from scripts.record import main

        (folder / "train.py").write_text(text)
        return main(["--output", str(folder / "cases.json"), str(folder / "train.py"), *options])

    def test_a_program_runs_as_it_would_and_its_calls_are_kept(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = list(sys.argv)
        assert self.recorded(tmp_path, MODEL, "--steps", "9") == 0
        assert sys.argv == before
        said = capsys.readouterr().out
        assert "trained" in said
        assert "pytest bench/ --cases" in said
        found = read_recording(tmp_path / "cases.json")
        assert [(each.op, each.direction, each.where) for each in found.used] == [
            ("relu", "forward", ("1",)),
            ("leaky_relu", "forward", ("3",)),
            ("leaky_relu", "backward", ("3",)),
            ("relu", "backward", ("1",)),
        ]

    def test_its_exit_status_is_kept(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.recorded(tmp_path, "import torch; torch.relu(torch.ones(3)); raise SystemExit(7)") == 7
        capsys.readouterr()

    def test_an_error_in_it_is_one_line_and_loses_nothing(self, tmp_path: Path) -> None:
        text = "import torch\ntorch.relu(torch.ones(3))\nraise ValueError('bad\\nluck')"
        with pytest.raises(UsageError) as caught:
            self.recorded(tmp_path, text)
        assert "ValueError: bad luck (train.py, line 3)" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(read_recording(tmp_path / "cases.json").used) == 1

    def test_a_text_as_its_exit_status_is_printed_and_counts_as_1(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert (
            self.recorded(tmp_path, "import torch; torch.relu(torch.ones(3)); raise SystemExit('no luck')")
            == 1
        )
        assert "no luck" in capsys.readouterr().err

    def test_ctrl_c_keeps_what_was_seen(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            self.recorded(tmp_path, "import torch; torch.relu(torch.ones(3)); raise KeyboardInterrupt") == 130
        )
        assert len(read_recording(tmp_path / "cases.json").used) == 1
        capsys.readouterr()

    def test_one_without_any_activation_writes_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="ran no activation"):
            self.recorded(tmp_path, "import torch; torch.ones(3) + 1")
        assert not (tmp_path / "cases.json").exists()

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ((), "no program was named"),
            (("no_such.py",), "'no_such.py' is no file"),
            (("--swpa", "x.py"), "did you mean '--swap'?"),
            (("-m", "no.such"), "-m no.such: there is no module of that name"),
            (("--output", "/no/where.json", "x.py"), "there is no folder"),
        ],
    )
    def test_bad_options_are_one_line(
        self, arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from scripts.record import main

        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


class TestBench:
    def test_exactly_those_cases_are_planned(self, tmp_path: Path) -> None:
        path = kept(tmp_path, used("relu", "forward", 12, "a"), used("leaky_relu", "backward", 34, "b"))
        found = plan(parse({"cases": str(path), "baseline": "numpy_ufunc"}))
        assert [(each.case.op, each.case.direction, each.case.placement, each.case.n) for each in found] == [
            ("relu", "forward", "new", 12),
            ("leaky_relu", "backward", "new", 34),
        ]

    def test_calls_of_one_case_in_two_shapes_are_one_experiment(self, tmp_path: Path) -> None:
        path = kept(tmp_path, used("relu", "forward", 12, "a"), used("relu", "forward", 12, "b"))
        assert len(plan(parse({"cases": str(path), "baseline": "numpy_ufunc"}))) == 1

    @pytest.mark.parametrize("content", ["", "{}", '{"schema": 1, "used": ['])
    def test_what_is_no_recording_is_refused_in_a_line(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "cut.json"
        path.write_text(content)
        with pytest.raises(OptionError) as caught:
            parse({"cases": str(path)})
        assert str(caught.value).startswith(f"--cases: {path}")
        assert "\n" not in str(caught.value)

    def test_one_without_measurable_calls_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="ran no activation that this suite measures"):
            parse({"cases": str(kept(tmp_path))})


class TestRecommend:
    """A step of 1 s with 60 ms of relu at `big`, where ours is 4 times as fast, and 1 ms at `small`."""

    BIG, SMALL = 1 << 20, 1 << 10

    def asked(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
        assert recommend.main([*map(str, arguments), "--json"]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        cells = [
            *experiment({"torch_eager": 0.03, "numba_tuned": 0.0075, "jax_jit": 0.001}, n=self.BIG),
            *experiment({"torch_eager": 0.0005, "numba_tuned": 0.00025}, n=self.SMALL),
        ]
        return write_run(tmp_path / "run1", cells)

    def test_what_it_saves_is_calls_times_gain_over_the_step(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        calls = (
            used("relu", "forward", self.BIG, "big", 2.0),
            used("relu", "forward", self.SMALL, "small", 2.0),
        )
        path = kept(tmp_path, *calls, seconds=[1.0] * 8)
        found = self.asked(capsys, "--cases", path, run)
        assert found["spent_s"] == pytest.approx(0.061)
        assert (
            found["use"] == "numba_tuned"
        )  # jax_jit is faster, and cannot be used without converting tensors
        assert found["saved"]["value"] == pytest.approx(2 * 0.0225 + 2 * 0.00025)
        assert found["saved"]["lo"] < found["saved"]["value"] < found["saved"]["hi"]
        assert found["layers"] == ["big"]
        assert recommend.main(["--cases", str(path), str(run)]) == 0
        said = capsys.readouterr().out
        assert "Activations take 6.1% of a step of 1.00 s." in said
        assert "numba_tuned instead of torch_eager saves 4.5% (" in said
        assert "replace_activations(model)" in said

    @pytest.mark.parametrize(("counted", "told"), [(0.05, "10%"), (0.02, "4.0%")])
    def test_what_the_program_itself_took_widens_it_by_the_difference(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], counted: float, told: str
    ) -> None:
        """Of which ours have all, or nothing: so much more may be saved, or so much less."""
        step = [1.0] * 8
        plain = kept(tmp_path, used("relu", "forward", self.BIG, "big", 2.0), seconds=step)
        alone = self.asked(capsys, "--cases", plain, run)["saved"]
        path = kept(tmp_path, used("relu", "forward", self.BIG, "big", 2.0, seconds=counted), seconds=step)
        found = self.asked(capsys, "--cases", path, run)
        assert found["counted_s"] == pytest.approx(2 * counted)
        assert found["saved"]["value"] == pytest.approx(alone["value"])
        wider = {"lo": min(0.0, 2 * (counted - 0.03)), "hi": max(0.0, 2 * (counted - 0.03))}
        assert {end: found["saved"][end] - alone[end] for end in wider} == pytest.approx(wider, abs=1e-3)
        assert recommend.main(["--cases", str(path), str(run)]) == 0
        assert f"Counted in the program they took {told}:" in capsys.readouterr().out

    def test_backward_may_save_what_bits_save(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        times = {"torch_eager": 0.03, "numba_tuned": 0.024}
        run = write_run(tmp_path / "run1", experiment(times, n=self.BIG, direction="backward"))
        path = kept(tmp_path, used("relu", "backward", self.BIG, "big"), seconds=[1.0] * 8)
        found = self.asked(capsys, "--cases", path, run)["saved"]
        assert found["value"] == pytest.approx(0.006)
        assert found["hi"] == pytest.approx(0.006 + 0.024 * (1 - (2 + 1 / 32) / 3), abs=1e-3)
        assert found["lo"] > 0.005

    def test_what_is_hardly_anything_is_not_worth_it(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = kept(tmp_path, used("relu", "forward", self.SMALL, "small"), seconds=[1.0] * 8)
        assert recommend.main(["--cases", str(path), str(run)]) == 0
        assert "It is not worth it" in capsys.readouterr().out

    def test_small_tensors_in_training_stay_torchs(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("torch", reason="needs PyTorch")
        calls = (used("relu", "forward", self.SMALL, "small"), used("relu", "backward", self.SMALL, "small"))
        found = self.asked(capsys, "--cases", kept(tmp_path, *calls, seconds=[1.0] * 8), run)
        assert found["saved"]["value"] == 0.0

    def test_what_replacing_modules_does_not_reach_is_not_counted(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run = write_run(
            tmp_path / "run1",
            experiment({"torch_eager": 0.03, "numba_tuned": 0.01}, n=self.BIG, op="relu6"),
        )
        path = kept(tmp_path, used("relu6", "forward", self.BIG, "a"), seconds=[1.0] * 8)
        assert self.asked(capsys, "--cases", path, run)["saved"]["value"] == 0.0

    def test_what_swapping_really_saved_stands_beside_it(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        theirs = [1.0, 1.01, 0.99, 1.0, 1.0, 1.01, 0.99, 1.0]
        ours = [0.95 * each for each in theirs]
        path = kept(tmp_path, used("relu", "forward", self.BIG, "big"), seconds=theirs, ours=ours)
        found = self.asked(capsys, "--cases", path, run)
        assert found["swapped"]["value"] == pytest.approx(0.05)

    def test_calls_that_were_not_measured_are_told(
        self, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        calls = (used("relu", "forward", self.BIG, "a"), used("relu", "forward", 77, "b"))
        assert recommend.main(["--cases", str(kept(tmp_path, *calls)), str(run)]) == 0
        assert "Not measured: 1 kind of calls" in capsys.readouterr().out

    def test_a_busy_run_is_no_answer(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        cells = experiment(
            {"torch_eager": 0.03, "numba_tuned": 0.01}, n=self.BIG, rounds=10, contended_rounds=9
        )
        run = write_run(tmp_path / "run1", cells)
        path = kept(tmp_path, used("relu", "forward", self.BIG, "big"), seconds=[1.0] * 8)
        assert recommend.main(["--cases", str(path), str(run)]) == 1
        assert "No answer: the machine was busy" in capsys.readouterr().out

    def test_half_a_file_is_one_line(self, run: Path, tmp_path: Path) -> None:
        path = kept(tmp_path, used("relu", "forward", self.BIG, "big"))
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(UsageError, match=r"^--cases .*cases\.json: line \d+ is no JSON"):
            recommend.main(["--cases", str(path), str(run)])
