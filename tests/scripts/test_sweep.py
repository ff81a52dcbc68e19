"""`scripts/sweep.py` without Dask: what is planned, what goes where, what is kept, what a shard's process tells."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.plan.networks import network_plan
from bench.plan.option_table import OPTIONS
from bench.plan.option_values import option_flag
from bench.plan.options import parse
from bench.records.find_runs import INDEX, find_runs
from bench.run.run import plan
from scripts._shared.cli import UsageError
from scripts._sweep import runner, standin
from scripts._sweep.connecting import connected
from scripts._sweep.index import asked_before, lanes_in, write_index
from scripts._sweep.keeping import Kept, UnreadableError
from scripts._sweep.lanes import ANY, EACH, Done, Lanes
from scripts._sweep.machine import Told, host_of
from scripts._sweep.planning import planned
from scripts._sweep.progress import Pace, left_text, status
from scripts.sweep import main
from tests.running import ROOT, wait_until


def told(host: str, **changes: Any) -> Told:
    described = {"machine": "epyc-2c", "cores": 2, "python": "3.13.1", "packages": {"numpy": "2.4"}}
    return Told(host, 1.0, described | changes, commit="abc", quiet=True)


class TestPlan:
    def test_shards_together_are_the_run(self) -> None:
        settings = parse({"baseline": "numpy_ufunc"})
        found = planned(settings, 7)
        whole = (*plan(settings), *network_plan(settings, alone=False))
        assert (found.count, found.cells) == (7, sum(len(each.arms) for each in whole))
        assert max(found.seconds) < 2.5 * min(found.seconds)

    def test_no_shard_is_empty(self) -> None:
        settings = parse({"baseline": "numpy_ufunc", "sizes": "64", "ops": "relu", "directions": "forward"})
        assert planned(settings, 100).count == len(plan(settings))

    def test_nothing_to_measure_is_said(self) -> None:
        with pytest.raises(UsageError, match="nothing to measure"):
            planned(parse({"directions": "train_step", "ops": "relu", "batches": None}), 3)


class TestLanes:
    def test_each_machine_measures_everything(self) -> None:
        lanes = Lanes("s", EACH, 2)
        assert lanes.place(told("a")) is lanes.place(told("b", cores=4, machine="xeon-4c")) is None
        assert [(lane.run, lane.take({"a", "b"}), lane.take({"a", "b"})) for lane in lanes.all] == [
            ("s-epyc-2c", 1, None),  # one at a time
            ("s-xeon-4c", 1, None),
        ]

    def test_machines_of_one_name_have_a_run_each(self) -> None:
        lanes = Lanes("s", EACH, 1)
        for host in "abc":
            lanes.place(told(host))
        assert [lane.run for lane in lanes.all] == ["s-epyc-2c", "s-epyc-2c-2", "s-epyc-2c-3"]

    def test_any_gives_a_shard_to_each_that_is_there(self) -> None:
        lanes = Lanes("s", ANY, 5)
        for host in "abc":
            assert lanes.place(told(host)) is None
        (lane,) = lanes.all
        assert [lane.take({"a", "c"}) for _ in range(3)] == [1, 2, None]
        lane.end(1, Done("a", 0.0, 1.0), failed=False)
        assert lane.take({"a", "c"}) == 3

    def test_any_refuses_what_is_not_alike(self) -> None:
        lanes = Lanes("s", ANY, 5)
        lanes.place(told("a"))
        assert lanes.place(told("b", packages={"numpy": "2.5"})) == (
            "b differs from a (packages, numpy: 2.4 and 2.5); --on each measures them side by side"
        )
        assert lanes.all[0].hosts == ["a"]

    def test_other_versions_are_shown_and_refused_on_request(self) -> None:
        lanes, other = Lanes("s", EACH, 1), told("b", python="3.12.0")
        lanes.place(told("a"))
        assert lanes.place(other, same_versions=True) == (
            "b has other versions than a (python: 3.13.1 and 3.12.0), and --same-versions"
        )
        assert lanes.place(other) is None
        assert lanes.unlike_versions() == ["b has other versions than a: python: 3.13.1 and 3.12.0"]

    def test_a_machine_that_has_changed_is_refused(self) -> None:
        lanes = Lanes("s", EACH, 1)
        lanes.place(told("a"))
        assert "another machine by now (cores: 2 and 4)" in str(lanes.place(told("a", cores=4)))

    def test_what_is_lost_is_missing_and_tried_again(self) -> None:
        lanes = Lanes("s", EACH, 3)
        lanes.place(told("a"))
        (lane,) = lanes.all
        lane.take({"a"})
        lane.end(1, Done("a", 0.0, 1.0), failed=True)
        lane.take({"a"})
        assert lane.lose("gone") == [2]
        assert lane.missing == {2: "gone", 3: "gone"}
        assert not lanes.busy
        lane.begin()
        assert (list(lane.left), lane.missing) == ([2, 3], {})


def test_the_index_brings_the_lanes_back(tmp_path: Path) -> None:
    lanes = Lanes("s", EACH, 3)
    lanes.place(told("a"))
    lanes.all[0].take({"a"})
    lanes.all[0].end(1, Done("a", 1.0, 2.5), failed=True)
    write_index(tmp_path, lanes, ["--ops=relu"], {"s-epyc-2c": 7}, 21)
    index = asked_before(tmp_path)
    assert index is not None
    assert (index["options"], index["runs"][0]["cells"], index["cells_planned"]) == (["--ops=relu"], 7, 21)
    again = lanes_in(index, "s")
    assert again.all[0].done == {1: Done("a", 1.0, 2.5)}
    assert (again.all[0].failed, list(again.all[0].left), again.all[0].told) == (
        {1},
        [2, 3],
        lanes.all[0].told,
    )


def test_an_index_that_is_damaged_is_said(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("{}")
    with pytest.raises(UsageError, match="is no index of a sweep"):
        asked_before(tmp_path)


class TestProgress:
    def test_time_left_follows_what_shards_took(self) -> None:
        now = [0.0]
        lanes = Lanes("s", ANY, 4)
        lanes.place(told("a"))
        (lane,), pace = lanes.all, Pace([10.0, 10.0, 20.0, 20.0], lambda: now[0])
        assert pace.left(lanes.all, {"a"}) == 60
        lane.take({"a"})
        pace.begin(lane.run, 1)
        now[0] = 15.0
        pace.end(lane.run, 1)
        lane.end(1, Done("a", 0, 15), failed=False)
        assert pace.left(lanes.all, {"a"}) == 75  # half as long again as foreseen
        lane.take({"a"})
        pace.begin(lane.run, 2)
        now[0] = 20.0
        assert pace.left(lanes.all, {"a"}) == 70
        lanes.place(told("b"))
        assert pace.left(lanes.all, {"a", "b"}) == 35

    def test_what_is_said(self) -> None:
        lanes = Lanes("s", ANY, 4)
        lanes.place(told("a"))
        lanes.all[0].take({"a"})
        lanes.all[0].set_aside(1, "broken")
        said = status(lanes, {"a"}, 1200, 150.0)
        assert said == "1 machine, 0 of 4 shards, 1 set aside, 1,200 cells, about 2 min left"

    @pytest.mark.parametrize(
        ("seconds", "text"), [(9, "less than a minute"), (600, "about 10 min"), (9000, "about 2.5 h")]
    )
    def test_time_left_in_words(self, seconds: float, text: str) -> None:
        assert left_text(seconds) == text


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
        assert kept.finish("1/1", lines) == 0
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
        with pytest.raises(UnreadableError, match="schema 2, this one 99"):
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

    def test_one_shard_at_a_time(self, tmp_path: Path) -> None:
        program = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)"
        with self.start(tmp_path, program) as first:
            wait_until((tmp_path / "log").exists, "the first has begun")
            with self.start(tmp_path, "", "other") as second:
                (tmp_path / "go").touch()
                ends = [json.loads(self.answers(each)[-1].removeprefix(b"end ")) for each in (first, second)]
        assert ends[0]["ended_s"] <= ends[1]["began_s"]


class TestCommand:
    """What is refused before anything is begun."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("--scheduler local --shard 1/2", "--shard: the sweep makes the shards itself; see --shards"),
            (
                "--scheduler local --retry-failed",
                "--retry-failed: measure those cells again on their machine",
            ),
            ("--scheduler local --on all", "allowed: each, any"),
            ("--scheduler local --shards 0", "allowed: a whole number from 1 to 100000"),
            ("", "--scheduler"),
        ],
    )
    def test_options(self, words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(words.split())
        assert ended.value.code == 2
        assert said in capsys.readouterr().err

    def test_it_has_every_option_of_the_benchmark(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--help"])
        shown = capsys.readouterr().out.partition("The machines are")[0]
        flags = {spec.name: re.escape(option_flag(spec.name)) for spec in OPTIONS}
        absent = {name for name, flag in flags.items() if not re.search(rf"{flag}(?![\w-])", shown)}
        assert absent == {"shard", "retry_failed"}

    @pytest.mark.parametrize(
        ("scheduler", "said"),
        [
            ("nowhere", "no such file, and no address; allowed: local"),
            ("tls://head:8786", "TLS needs certificates"),
            (__file__, "a file that no scheduler of Dask wrote"),
        ],
    )
    def test_a_scheduler_that_is_none(self, scheduler: str, said: str) -> None:
        pytest.importorskip("distributed", reason="the extra fleet")
        with pytest.raises(UsageError, match=said), connected(scheduler):
            pass

    def test_without_dask_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "distributed" else real(name)
        )
        with pytest.raises(UsageError, match=r"pip install --editable '\.\[fleet\]'"), connected("local"):
            pass

    def test_another_sweep_under_the_same_id_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "s").mkdir()
        write_index(tmp_path / "s", Lanes("s", EACH, 1), ["--ops=relu"], {}, 0)
        words = f"--scheduler local --results {tmp_path} --run-id s --ops leaky_relu --baseline numpy_ufunc"
        with pytest.raises(UsageError, match="was begun with options --ops=relu, not --ops=leaky_relu"):
            main(words.split())


def test_nothing_imports_dask_otherwise() -> None:
    program = "import sys, scripts.sweep, scripts.fleet, bench.conftest; print('distributed' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_hosts_of_addresses() -> None:
    assert host_of("tcp://10.0.0.7:4321") == "10.0.0.7"
    assert host_of("tls://[fe80::1]:4321") == "[fe80::1]"


def test_a_sweep_s_folder_stands_for_its_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = journal(tmp_path, monkeypatch)
    for run in ("s-a", "s-b"):
        Kept(tmp_path / "s" / run).finish("1/1", lines)
    (tmp_path / "s" / INDEX).write_text("{}")
    found = find_runs([str(tmp_path / "s")], tmp_path)
    assert [path.parent.name for path in found] == ["s-a", "s-b"]
