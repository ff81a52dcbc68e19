"""What machines send, kept once; and the process beside a worker that sends it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from bench.records.find_runs import INDEX, find_runs
from bench.records.schema import SCHEMA
from scripts._sweep import runner, standin
from scripts._sweep.keeping import Kept, UnreadableError
from tests.running import ROOT, wait_until


def journal(folder: Path, monkeypatch: pytest.MonkeyPatch, shard: str = "1/1") -> list[bytes]:
    """What a shard of two experiments writes."""
    words = f"x --seconds 0 --experiments 2 --shard {shard} --results {folder} --run-id shard"
    monkeypatch.setattr(sys, "argv", words.split())
    standin.main()
    return (folder / "shard" / "journal.jsonl").read_bytes().splitlines(keepends=True)


class TestKept:
    def rows(self, folder: Path) -> Counter[str]:
        with (folder / "cells.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["run_id"] for row in rows} == {folder.name}
        return Counter(f"{row['n']} {row['backend']}" for row in rows)

    def test_lines_that_come_twice_late_or_not_at_all(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = journal(tmp_path, monkeypatch)
        kept = Kept(tmp_path / "run")
        news = [kept.grow("1/1", "a", number, lines[number - 1]) for number in (1, 2, 2, 4, 3, 3)]
        assert news == [0, 0, 0, 0, 2, 0]  # 4 came before 3, and waits for the end
        assert kept.finish("1/1", lines) == 2
        once = self.rows(tmp_path / "run")
        assert set(once.values()) == {1}
        assert len(once) == 4
        size = (tmp_path / "run" / "journal.jsonl").stat().st_size
        assert kept.finish("1/1", lines) == 0
        assert (tmp_path / "run" / "journal.jsonl").stat().st_size == size  # it is not even stored again
        assert Kept(tmp_path / "run").finish("1/1", lines) == 0  # after a restart
        assert self.rows(tmp_path / "run") == once
        with (tmp_path / "run" / "rounds.csv").open(newline="") as file:
            assert len(list(csv.DictReader(file))) == 4 * standin.ROUNDS

    def test_where_shards_ran_is_written_down_once_each(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = Kept(tmp_path / "run")
        for shard in ("1/2", "2/2", "1/2"):
            kept.finish(shard, journal(tmp_path / shard[0], monkeypatch, shard))
        environment = json.loads((tmp_path / "run" / "environment.json").read_text())
        assert [each["run"] for each in environment["merged_from"]] == ["shard 1/2", "shard 2/2"]

    @pytest.mark.parametrize(
        ("line", "said"),
        [(b'["00000000",{}]\n', "is damaged"), (b"", "is damaged")],
    )
    def test_what_is_damaged_is_not_kept(self, tmp_path: Path, line: bytes, said: str) -> None:
        with pytest.raises(UnreadableError, match=said):
            Kept(tmp_path / "run").finish("1/1", [line])

    def test_another_schema_is_said(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        lines = journal(tmp_path, monkeypatch)
        monkeypatch.setattr("scripts._sweep.keeping.SCHEMA", 99)
        with pytest.raises(UnreadableError, match=f"schema {SCHEMA}, this one 99"):
            Kept(tmp_path / "run").finish("1/1", lines)


class TestRunner:
    """The process that a shard's command runs in."""

    def start(self, folder: Path, program: str, name: str = "log") -> subprocess.Popen[bytes]:
        order = {
            "command": [sys.executable, "-c", program, str(folder)],
            "cwd": str(folder),
            "environ": {},
            "journal": str(folder / "journal"),
            "log": str(folder / name),
            "lock": str(folder / "lock"),
        }
        bare = [sys.executable, "-I", "-S", str(runner.__file__)]
        process = subprocess.Popen(bare, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        return process

    def answers(self, process: subprocess.Popen[bytes]) -> list[bytes]:
        assert process.stdout is not None
        return process.stdout.read().splitlines()

    def test_tells_each_whole_line_and_how_it_ended(self, tmp_path: Path) -> None:
        program = (
            "import sys\nwith open('journal', 'wb') as f: f.write(b'one\\ntwo\\nthr')\nsys.exit('wrong')"
        )
        with self.start(tmp_path, program) as process:
            *lines, end = self.answers(process)
        assert lines == [b"1 one", b"2 two"]
        told = json.loads(end.removeprefix(b"end "))
        assert (told["code"], told["said"]) == (1, "wrong\n")
        assert told["began_s"] <= told["ended_s"]

    def test_ends_the_command_when_the_worker_is_gone(self, tmp_path: Path) -> None:
        program = (
            "import pathlib, signal, sys, time\n"
            "def stopped(*_): pathlib.Path('stopped').touch(); sys.exit(2)\n"
            "signal.signal(signal.SIGTERM, stopped); pathlib.Path('ready').touch(); time.sleep(600)"
        )
        with self.start(tmp_path, program) as process:
            wait_until((tmp_path / "ready").exists, "the command has begun")
            assert process.stdin is not None
            process.stdin.close()
            (end,) = self.answers(process)
        assert b'"code": 2' in end
        assert (tmp_path / "stopped").exists()

    def test_it_ends_without_a_word_when_no_order_comes(self) -> None:
        bare = [sys.executable, "-I", "-S", str(runner.__file__)]
        done = subprocess.run(
            bare, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, check=True
        )
        assert done.stdout == b""

    def test_one_shard_at_a_time(self, tmp_path: Path) -> None:
        """The first looks for a second beside it, for so long that one that does not wait would be there."""
        program = (
            "import pathlib, sys, time\n"
            "pathlib.Path('first').touch(); end = time.monotonic() + 1\n"
            "while time.monotonic() < end and not pathlib.Path('second').exists(): time.sleep(0.01)\n"
            "sys.exit(pathlib.Path('second').exists())"
        )
        with self.start(tmp_path, program) as first:
            wait_until((tmp_path / "first").exists, "the first has begun")
            with self.start(tmp_path, "import pathlib; pathlib.Path('second').touch()", "other") as second:
                codes = [
                    json.loads(self.answers(each)[-1].removeprefix(b"end "))["code"]
                    for each in (first, second)
                ]
        assert codes == [0, 0]
        assert (tmp_path / "second").exists()


USES_THREE = """
import json, sys, time
import psutil
from scripts._sweep.runners import Runners
runners, me = Runners(), psutil.Process()
order = json.loads(sys.argv[1])
def used():
    with runners.answers("s", order) as answers:
        (end,) = answers
    (waiting,) = me.children()
    return int(json.loads(end.removeprefix(b"end "))["said"]), waiting
first, waiting = used()
second, dies = used()
dies.kill()
while dies.status() != psutil.STATUS_ZOMBIE:
    time.sleep(0.01)
third, last = used()
print(json.dumps([waiting.pid, second, dies.pid, third, last.pid]))
"""


def test_the_next_shard_finds_a_runner_that_waits_and_a_new_one_if_that_is_dead(tmp_path: Path) -> None:
    says_its_parent = [sys.executable, "-c", "import os; print(os.getppid())"]
    order = {name: str(tmp_path / name) for name in ("journal", "log", "lock")}
    order |= {"command": says_its_parent, "cwd": str(tmp_path), "environ": {}}  # type: ignore[dict-item]
    words = [sys.executable, "-c", USES_THREE, json.dumps(order)]
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=60)
    waiting, second, dead, third, last = json.loads(done.stdout)
    assert waiting == second
    assert third not in (second, dead, last)
    wait_until(lambda: not psutil.pid_exists(last), "what waits has ended with its worker")


def test_a_sweep_s_folder_stands_for_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = journal(tmp_path, monkeypatch)
    for run in ("s-a", "s-b"):
        Kept(tmp_path / "s" / run).finish("1/1", lines)
    (tmp_path / "s" / INDEX).write_text("{}")
    found = find_runs([str(tmp_path / "s")], tmp_path)
    assert [path.parent.name for path in found] == ["s-a", "s-b"]
