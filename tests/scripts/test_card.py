"""`scripts/card.py`: its steps cost nothing but themselves, its time is kept, and it starts anywhere."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts._card import course, packages, running
from scripts._card.asked import Asked, environ
from scripts._card.course import Outcome, carry_out
from scripts._card.steps import STEPS, Step
from scripts._card.timing import chosen, limit_of
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
        assert len({len(names) for names in kept}) == 7, "one more step at a time"

    @pytest.mark.parametrize("minutes", [1, 3, 10, 60])
    def test_steps_that_take_all_they_may_end_in_time(self, minutes: int) -> None:
        left = 60.0 * minutes
        for place, each in enumerate(STEPS):
            limit = limit_of(STEPS[place:], left)
            assert limit == 0 or limit >= each.least_s
            left -= limit
        assert left >= -1e-6

    def test_the_least_time_is_enough_for_a_step(self) -> None:
        from scripts.card import _LEAST_MINUTES, _PACKING_S

        names = [each.name for each in chosen(STEPS, 60 * _LEAST_MINUTES - _PACKING_S)]
        assert {"doctor", "crosscheck"} <= set(names)

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
