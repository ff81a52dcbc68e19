"""`scripts/card.py`: its steps cost nothing but themselves, its time is kept, and its folder says what came of it."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts._card import course, packages, packing, report, running, told
from scripts._card.asked import Asked, environ
from scripts._card.course import Outcome, carry_out
from scripts._card.steps import STEPS, Step
from scripts._card.timing import chosen, limit_of
from scripts._crosscheck.rows import COLUMNS, Row
from scripts._shared import cli
from tests.running import ROOT, ended, wait_until

NAMES = [step.name for step in STEPS]


def asked(folder: Path, **changes: Any) -> Asked:
    made = Asked("cuda", 10.0, sys.executable, folder)
    return dataclasses.replace(made, **changes)


def step(name: str, program: str = "", **changes: Any) -> Step:
    """A step of Python's own; the folder is its argument, ``made`` what it has to leave there."""

    def command(asked: Asked, _: float) -> list[str]:
        return [sys.executable, "-S", "-E", "-c", program, str(asked.folder)]

    usual: dict[str, Any] = {"asks": f"{name}?", "least_s": 20.0, "usual_s": 20.0, "makes": "made"}
    return Step(name, **({"command": command} | usual | changes))


def carried_out(folder: Path, *steps: Step) -> dict[str, Outcome]:
    lines: list[str] = []
    found = carry_out(asked(folder), steps, time.monotonic() + 1000, lines.append)
    assert len(lines) >= len(steps)
    return {outcome.name: outcome for outcome in found}


MAKE = "import pathlib, sys; pathlib.Path(sys.argv[1], 'made').write_text('x'); "


class TestCourse:
    def test_whatever_fails_costs_its_own_step(self, tmp_path: Path) -> None:
        found = carried_out(
            tmp_path,
            step("says nothing", "pass"),
            step("cannot start", command=lambda *_: [str(tmp_path / "no-such-python")]),
            step("breaks", "import sys; sys.exit('it broke')"),
            step("dies", "import os; os.kill(os.getpid(), 9)"),
            step("hangs", "import signal; signal.pause()", least_s=0.3, usual_s=0.3),
            step("cannot be made", why_not=lambda _: "the tool is missing"),
            step("works", MAKE),
            step("finds", MAKE + "sys.exit(1)"),
        )
        assert {name: each.status for name, each in found.items()} == {
            "says nothing": course.FAILED,
            "cannot start": course.FAILED,
            "breaks": course.FAILED,
            "dies": course.FAILED,
            "hangs": course.LATE,
            "cannot be made": course.LEFT_OUT,
            "works": course.DONE,
            "finds": course.FOUND,
        }
        assert "it broke" in found["breaks"].reason
        assert "signal 9" in found["dies"].reason
        assert "no-such-python: No such file" in found["cannot start"].reason
        assert found["cannot be made"].reason == "the tool is missing"

    def test_ctrl_c_ends_the_step_and_leaves_out_the_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(course, "ended", interrupted)
        found = carried_out(tmp_path, step("first"), step("second"), step("third", always=True))
        assert [each.status for each in found.values()] == [course.INTERRUPTED, *[course.LEFT_OUT] * 2]

    def test_a_file_that_is_no_answer_is_told_as_that(self, tmp_path: Path) -> None:
        def told_of(_: Path) -> list[str]:
            raise KeyError("findings")

        found = carried_out(tmp_path, step("odd", MAKE, told=told_of))
        assert found["odd"].status == course.DONE
        assert found["odd"].told == ("- what it left cannot be read: KeyError 'findings'",)

    def test_what_a_late_child_has_started_ends_with_it(self, tmp_path: Path) -> None:
        """The child does not listen, and what it has started is in a session of its own, as arms are."""
        started = tmp_path / "pid"
        program = (
            "import pathlib, signal, subprocess, sys\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "other = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
            "pathlib.Path(sys.argv[1] + '.part').write_text(str(other.pid))\n"
            "pathlib.Path(sys.argv[1] + '.part').rename(sys.argv[1])\n"
            "signal.pause()\n"
        )
        child = subprocess.Popen([sys.executable, "-S", "-E", "-c", program, started], start_new_session=True)
        wait_until(started.exists, "the child has started another")
        other = psutil.Process(int(started.read_text()))
        running._end(child, 0.1)
        assert child.returncode == -9
        wait_until(lambda: ended(other), "the other has ended", 10)


class TestTiming:
    def test_ten_minutes_are_enough_for_all_steps_and_three_too(self) -> None:
        for minutes in (3, 10, 60):
            assert [each.name for each in chosen(STEPS, 60 * minutes)] == NAMES

    def test_too_little_time_cuts_from_the_end_but_what_reads_the_files(self) -> None:
        kept = [[each.name for each in chosen(STEPS, seconds)] for seconds in range(20, 200)]
        for names in kept:
            measuring = [name for name in names if name not in ("tables", "page")]
            assert measuring == NAMES[: len(measuring)]
            assert names[len(measuring) :] == ["tables", "page"]
        assert len({len(names) for names in kept}) == 6, "one more step at a time"

    @pytest.mark.parametrize("minutes", [1, 3, 10, 60])
    def test_steps_that_take_all_they_may_end_in_time(self, minutes: int) -> None:
        left = 60.0 * minutes
        for place, each in enumerate(STEPS):
            limit = limit_of(STEPS[place:], left)
            assert limit == 0 or limit >= each.least_s
            left -= limit
        assert left >= -1e-6

    def test_time_that_is_not_used_is_for_the_steps_that_follow(self) -> None:
        assert limit_of(STEPS[2:], 500) > limit_of(STEPS[2:], 300)


def test_every_command_is_understood_by_its_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But that of pytest, which another test asks."""
    (tmp_path / "cells.csv").write_text("x")
    plugin = ("tests.standin:QueueRelu",)
    given = asked(tmp_path, baseline="numpy_ufunc", backends="numpy_ufunc", plugins=plugin)
    parsed: list[str] = []

    class Understood(Exception):  # noqa: N818
        pass

    real = cli.Parser.parse_args

    def parse(self: cli.Parser, argv: Sequence[str]) -> None:
        real(self, argv)
        parsed.append(self.prog)
        raise Understood

    monkeypatch.setattr(cli.Parser, "parse_args", parse)
    for each in STEPS:
        python, _, module, *words = each.command(given, each.usual_s)
        assert python == sys.executable
        if module != "pytest":
            with pytest.raises(Understood):
                importlib.import_module(module).main(words)
    assert len(parsed) == len(STEPS) - 1


@pytest.mark.slow
def test_the_largest_arrays_need_more_than_eight_minutes(tmp_path: Path) -> None:
    bench = next(each for each in STEPS if each.name == "bench")
    few = {"device": "cpu", "backends": "numpy_ufunc", "baseline": "numpy_ufunc"}
    short = bench.command(asked(tmp_path / "run", minutes=8.0, **few), 60.0)
    assert "-k" not in bench.command(asked(tmp_path / "run", minutes=8.1, **few), 60.0)
    done = subprocess.run(
        [*short, "--collect-only", "-q"], env=environ(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "relu-forward-out-float32-16Mi-numpy_ufunc" in done.stdout
    assert "256Mi" not in done.stdout


class TestTold:
    def test_crosscheck_is_told_by_backend_and_device(self, tmp_path: Path) -> None:
        row = Row(
            "torch_eager",
            "relu",
            "forward",
            "new",
            "float16",
            "cuda",
            "ok",
            signed_zero="+0",
            nan_payload="kept",
        )
        rows = [
            row,
            dataclasses.replace(row, dtype="float32", nan_payload="quieted"),
            dataclasses.replace(row, device="cpu", signed_zero="-0"),
            dataclasses.replace(row, backend="jax_jit", status="incorrect", reason="drops NaN | at 3"),
            dataclasses.replace(
                row, backend="jax_jit", dtype="float64", status="incorrect", reason="drops NaN | at 3"
            ),
            dataclasses.replace(row, backend="numba_cuda", status="skipped", reason="no libNVVM"),
        ]
        with (tmp_path / "crosscheck.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *(each.as_text() for each in rows)])
            file.write("torch_eager,relu")  # it was ended here
        lines = told.crosscheck(tmp_path)
        assert lines[0] == "6 combinations: 3 ok, 2 incorrect, 1 skipped."
        assert (
            r"- jax_jit on cuda, relu forward new float16 and 1 more: incorrect: drops NaN \| at 3" in lines
        )
        assert "| relu | torch_eager | cuda | +0 | kept (float16); quieted (float32) |" in lines
        assert "| relu | torch_eager | cpu | -0 | kept |" in lines
        assert "- skipped, numba_cuda, 1 x: no libNVVM" in lines

    def test_what_runs_on_the_device_is_what_the_doctor_saw(self, tmp_path: Path) -> None:
        states = {"torch_eager": "broken", "jax_jit": "runs", "triton_jit": "runs"}
        findings = [
            {
                "name": "x",
                "status": "ok",
                "measured": "",
                "figures": {"backend": name, "device": "cuda", "state": state},
            }
            for name, state in states.items()
        ]
        (tmp_path / "doctor.json").write_text(json.dumps({"findings": findings}))
        assert told.runs_on(tmp_path, "cuda") == "triton_jit"
        assert told.runs_on(tmp_path, "cuda:1") == ""
        assert told.runs_on(tmp_path / "nowhere", "cuda") == ""

    def test_where_the_doctor_had_no_time_crosscheck_knows(self, tmp_path: Path) -> None:
        row = Row("jax_jit", "relu", "forward", "new", "float32", "cuda", "ok")
        rows = [row, dataclasses.replace(row, backend="torch_eager", status="failed")]
        with (tmp_path / "crosscheck.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *(each.as_text() for each in rows)])
        assert told.runs_on(tmp_path, "cuda") == "jax_jit"
        assert told.runs_on(tmp_path, "cpu") == ""

    def test_files_that_are_not_there_say_nothing(self, tmp_path: Path) -> None:
        assert (told.doctor(tmp_path), told.integrity(tmp_path), told.same(tmp_path)) == ([], [], [])
        assert told.bench(tmp_path) == ["No cell."]
        assert not told.is_measured(tmp_path)


class TestFolder:
    def made(self, folder: Path) -> None:
        (folder / "logs").mkdir(parents=True)
        for name in ("journal.jsonl", "cells.csv", "report.html", "rounds.csv"):
            (folder / name).write_text("x" * 1000)
        (folder / "logs" / "doctor.txt").write_text(f"in {Path.home() / 'some' / 'place.py'}\n")

    def test_it_is_few_files_without_names(self, tmp_path: Path) -> None:
        self.made(tmp_path / "card")
        assert packing.pack(tmp_path / "card") == []
        assert set(packing.sizes(tmp_path / "card")) == {"cells.csv", "logs.txt", "report.html", "rounds.csv"}
        text = (tmp_path / "card" / "logs.txt").read_text()
        assert "place.py" in text
        assert str(Path.home()) not in text

    def test_what_is_too_large_is_left_out_and_told(self, tmp_path: Path) -> None:
        self.made(tmp_path / "card")
        lines = packing.pack(tmp_path / "card", most_bytes=2500)
        assert [line.partition(" ")[0] for line in lines] == ["logs.txt", "report.html"]
        assert set(packing.sizes(tmp_path / "card")) == {"cells.csv", "rounds.csv"}

    def test_a_folder_that_is_there_is_left_alone(self, tmp_path: Path) -> None:
        names = []
        for _ in range(3):
            names.append(packing.free_folder(tmp_path, "card").name)
            (tmp_path / names[-1]).mkdir()
        assert names == ["card", "card-2", "card-3"]

    @pytest.mark.parametrize("device", ["cuda", "cpu"])
    def test_the_report_says_what_failed_what_is_missing_and_whether_it_counts(
        self, tmp_path: Path, device: str
    ) -> None:
        from datetime import UTC, datetime

        given = asked(tmp_path, device=device, lacking={"altair": "altair>=6"})
        outcomes = [
            Outcome(
                "bench", "How fast?", course.FAILED, "exit status 3 | boom", 12.0, 60.0, told=("- a line",)
            )
        ]
        report.write(given, outcomes, ["rounds.csv was left out"], datetime.now(UTC))
        page = (tmp_path / "report.md").read_text()
        assert r"| bench | failed: exit status 3 \| boom | 12 s | 60 s |" in page
        assert "python -m pip install 'altair>=6'" in page
        assert "- a line" in page
        assert "rounds.csv was left out" in page
        assert ("rehearsal" in page) == (device == "cpu")
        assert ("results/reference" in report.handed_on(given)) == (device == "cuda")
        found = json.loads((tmp_path / "report.json").read_text())
        assert found["steps"][0]["status"] == "failed"

    def test_without_a_card_nothing_is_to_be_kept(self, tmp_path: Path) -> None:
        finding = {"name": "card", "status": "problem", "measured": "nvidia-smi shows no cuda", "figures": {}}
        (tmp_path / "doctor.json").write_text(json.dumps({"findings": [finding]}))
        line = report.handed_on(asked(tmp_path))
        assert line.startswith("There is no cuda: ")
        assert "results/reference" not in line


class TestPackages:
    def test_what_is_missing_or_too_old_is_named_as_pip_takes_it(self) -> None:
        there = {"numpy": "2.5.2", "pandas": "3.0.1", "numba-cuda": "0.30.4"}
        asked_for = ["numpy>=2.1", "pandas>=3.1", "numba-cuda[cu13]>=0.30", "vl-convert-python>=1.9"]
        assert packages.lacking(asked_for, there.get) == {
            "pandas": "pandas>=3.1",
            "vl-convert-python": "vl-convert-python>=1.9",
        }

    def test_a_card_needs_more(self) -> None:
        names = [
            [line.partition(">")[0] for line in packages.requirements(device)] for device in ("cpu", "cuda")
        ]
        assert {"nvidia-ml-py", "triton"} & set(names[0]) == set()
        assert {"nvidia-ml-py", "triton", "torch"} <= set(names[1])

    def test_an_installed_package_asks_for_the_same(self) -> None:
        lines = ["numpy>=2.1", 'triton>=3.6; extra == "cuda"', 'ruff>=0.9; extra == "dev"']
        assert list(packages._installed(lines, "cuda")) == ["numpy>=2.1", "triton>=3.6"]


def test_it_starts_anywhere_and_without_any_package(tmp_path: Path) -> None:
    """Python without its packages, in a folder from which the checkout cannot be seen."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(ROOT / "scripts" / "card.py"), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: card.py")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--python", "/no/such/python"),
            "--python /no/such/python: No such file or directory; name a Python",
        ),
        (
            ("--python", "/bin/false"),
            "--python /bin/false: cannot run this suite, it said: nothing; name a Python",
        ),
        (("--output", "/dev/null/x"), "--output /dev/null/x: Not a directory; name a folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(words: Sequence[str], says: str) -> None:
    from scripts.card import main

    with pytest.raises(cli.UsageError, match=f"^{says}"):
        main(["--devices", "cpu", *words])


def test_steps_have_names_of_their_own_and_a_word_for_each_limit() -> None:
    assert len(set(NAMES)) == len(NAMES)
    for first, second in itertools.pairwise(STEPS):
        assert not (first.always and not second.always), "what reads the files comes last"
    assert sum(each.usual_s for each in STEPS) <= 590
