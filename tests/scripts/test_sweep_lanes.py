"""Which shard goes where, what the index of a sweep keeps of it, and what is said of the time left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.records.find_runs import INDEX
from scripts._shared.cli import UsageError
from scripts._sweep.index import asked_before, index_of, lanes_in, write_index
from scripts._sweep.lanes import ANY, EACH, Done, Lanes
from scripts._sweep.machine import Told
from scripts._sweep.progress import Pace, left_text, status


def told(host: str, **changes: Any) -> Told:
    described = {"machine": "epyc-2c", "cores": 2, "python": "3.13.1", "packages": {"numpy": "2.4"}}
    return Told(host, 1.0, described | changes, commit="abc", quiet=True)


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
    write_index(tmp_path, index_of(lanes, ["--ops=relu"], {"s-epyc-2c": 7}, 21))
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
