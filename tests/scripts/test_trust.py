"""scripts/trust.py: what it makes of verdicts on pairs of known truth, and the arms that it plants."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.plan.experiments import cases
from bench.plan.options import parse
from bench.plan.profiles import PROFILES
from bench.records.lines import Key, key_of
from bench.records.schema import Cell
from bench.stats.verdicts import Rounds
from scripts._plugins import slowed
from scripts._shared.fresh import measured
from scripts._trust import arms
from scripts._trust.judging import Judged, judged_pairs, troubles
from scripts._trust.rates import ENOUGH, QUESTIONS, Question, rate, rate_of
from scripts._trust.section import broken, section
from scripts.trust import _part
from tests import factories
from tests.running import equal_python

PAIR = Judged(
    profile="quick",
    hour="calm",
    base="numba_jit",
    experiment="relu-forward-out",
    n=1024,
    kind=arms.IDENTICAL,
    first="identical-1",
    second="identical-2",
    with_leader=1,
    verdict="same",
    ratio=1.001,
    noise_floor=0.02,
    rounds=16,
    process_sd=0.004,
    processes_needed=2,
)


def pairs(kind: str, words: Mapping[str, int], **changes: Any) -> list[Judged]:
    """So many pairs with each verdict, in turn on four sizes."""
    verdicts = [word for word, number in words.items() for _ in range(number)]
    return [
        dataclasses.replace(PAIR, kind=kind, verdict=word, n=1024 << place % 4, **changes)
        for place, word in enumerate(verdicts)
    ]


def as_promised() -> list[Judged]:
    return [
        *pairs(arms.IDENTICAL, {"same": 294, "unresolved": 3, "faster": 2, "slower": 1}),
        *pairs("slower10", {"slower": 280, "unresolved": 20}, ratio=1.1),
        *pairs("slower5", {"slower": 200, "unresolved": 98, "same": 2}, ratio=1.05),
    ]


def asked(words: str) -> Question:
    (question,) = (each for each in QUESTIONS if each.text == words)
    return question


class TestRates:
    def test_what_happens_in_whole_clusters_is_known_less_well(self) -> None:
        clusters = [str(place // 40) for place in range(320)]
        gathered = rate([place < 40 for place in range(320)], clusters)
        spread = rate([place % 8 == 0 for place in range(320)], clusters)
        assert gathered is not None
        assert spread is not None
        assert gathered.value == spread.value == 40 / 320
        assert gathered.hi - gathered.lo > 2 * (spread.hi - spread.lo)

    def test_never_is_no_proof_of_never(self) -> None:
        found = rate([False] * 300, ["one"] * 150 + ["other"] * 150)
        assert found is not None
        assert (found.value, found.lo) == (0.0, 0.0)
        assert 0.005 < found.hi < 0.02

    def test_the_interval_holds_the_true_rate_of_clustered_trials_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(5)
        clusters, held = [str(place // 20) for place in range(320)], 0
        for _ in range(200):
            chances = np.repeat(rng.beta(4, 36, 16), 20)
            found = rate(list(rng.random(320) < chances), clusters)
            assert found is not None
            held += found.lo <= 0.1 <= found.hi
        assert held >= 0.88 * 200

    @pytest.mark.parametrize(
        ("words", "hits", "of"),
        [
            ("identical, called different", 3, 300),
            ("slowed by 10 %, found", 280, 300),
            ("slowed by 5 %, called same", 2, 300),
            ("slowed by 5 %, found", 200, 300),
            ("identical, processes within 1%, called same", 294, 300),
            ("slowed, called faster", 0, 600),
        ],
    )
    def test_questions_count_what_they_ask(self, words: str, hits: int, of: int) -> None:
        found = rate_of(asked(words), as_promised())
        assert found is not None
        assert (found.hits, found.of) == (hits, of)

    def test_unsteady_processes_need_not_be_called_same(self) -> None:
        unsteady = pairs(arms.IDENTICAL, {"unresolved": 10}, process_sd=0.02, processes_needed=7)
        question = asked("identical, processes within 1%, called same")
        assert rate_of(question, unsteady) is None
        assert "0% are called same. Those that stay unresolved take 7 processes" in section(unsteady)


class TestInstalls:
    def test_their_verdicts_stand_beside_those_of_identical_arms(self) -> None:
        installed = pairs(arms.INSTALLED, {"same": 80, "unresolved": 15, "faster": 5})
        planted = pairs("installed10", {"slower": 85, "unresolved": 14, "faster": 1})
        told = section([*as_promised(), *installed, *planted])
        (table,) = (part for part in told.split("\n\n") if "| faster" in part.splitlines()[0])
        rows = [[part.strip() for part in line.strip("| ").split("|")] for line in table.splitlines()[2:]]
        assert {row[0]: [part.split()[0] for part in row[1:]] for row in rows} == {
            "identical": ["300", "98.0%", "0.7%", "0.3%", "1.0%"],
            "equal installs": ["100", "80.0%", "5.0%", "0.0%", "15.0%"],
            "slowed by 10 %": ["300", "0.0%", "0.0%", "93.3%", "6.7%"],
            "equal installs, one slowed by 10 %": ["100", "0.0%", "1.0%", "85.0%", "14.0%"],
        }
        assert "equal installs" not in section(as_promised())

    def test_nothing_is_promised_of_them_alone(self) -> None:
        installed = [*pairs(arms.INSTALLED, {"faster": 300}), *pairs("installed10", {"same": 300})]
        assert broken([*as_promised(), *installed]) == broken(as_promised()) == []

    def test_they_are_kept_in_a_folder_of_their_own(self) -> None:
        installed = pairs(arms.INSTALLED, {"same": 1})
        assert _part(as_promised()) == "quick-calm"
        assert _part([*as_promised(), *installed]) == "quick-calm-installs"


class TestPromises:
    def test_kept(self) -> None:
        assert broken(as_promised()) == []
        assert "at most 1%" in section(as_promised())

    @pytest.mark.parametrize(
        ("kind", "words", "told"),
        [
            (arms.IDENTICAL, {"same": 296, "slower": 4}, "identical, called different, at most 1%: no, 1.3%"),
            ("slower10", {"slower": 269, "unresolved": 31}, "slowed by 10 %, found, at least 90%: no, 89.7%"),
            ("slower5", {"slower": 296, "same": 4}, "slowed by 5 %, called same, at most 1%: no, 1.3%"),
            (
                "slower5",
                {"slower": ENOUGH - 1},
                "slowed by 5 %, called same, at most 1%: too few pairs (299 of 300)",
            ),
        ],
    )
    def test_broken(self, kind: str, words: Mapping[str, int], told: str) -> None:
        judged = [pair for pair in as_promised() if pair.kind != kind] + pairs(kind, words)
        assert broken(judged) == [told]
        assert told.rpartition(": ")[2] in section(judged)

    def test_a_busy_hour_excuses_what_is_not_found_and_no_false_word(self) -> None:
        def busy(words: Mapping[str, int]) -> list[Judged]:
            kinds = (arms.IDENTICAL, "slower10", "slower5")
            return [pair for kind in kinds for pair in pairs(kind, words, hour="busy", profile="standard")]

        assert broken(busy({"unresolved": 300})) == []
        assert len(broken(busy({"unresolved": 290, "faster": 5, "same": 5}))) == 2

    def test_a_longer_run_promises_more(self) -> None:
        judged = [dataclasses.replace(pair, profile="standard") for pair in as_promised()]
        assert broken(judged) == ["slowed by 5 %, found, at least 85%: no, 66.7%"]


Times = Mapping[str, Callable[[int], float]]
BASELINE = "behind[numba_jit]"


def run_of(times: Times, leader: str) -> tuple[list[Cell], dict[Key, Rounds]]:
    """Cells and rounds of one experiment: seconds of each round by arm; two processes, eight rounds each."""
    cells: list[Cell] = []
    rounds: dict[Key, Rounds] = {}
    for name, seconds in times.items():
        backend, _, variant = name.rstrip("]").partition("[")
        role = "baseline" if name == BASELINE else "candidate"
        spread = {"process_sd": 0.002, "process_df": 12.0}
        cell = factories.cell(backend, 1e-3, variant=variant, role=role, leader=leader, **spread)
        rounds[key_of(cell)] = {(1 + n // 8, n): seconds(n) for n in range(16)}
        cells.append(cell)
    return cells, rounds


def noisy(seconds: float, seed: int) -> Callable[[int], float]:
    noise = np.random.default_rng(seed).normal(1.0, 0.003, 16)
    return lambda n: float(seconds * noise[n])


TIMES = {
    BASELINE: noisy(9e-3, 1),
    "slowed_numba_jit[identical-1]": noisy(1e-3, 2),
    "slowed_numba_jit[identical-2]": noisy(1e-3, 3),
    "slowed_numba_jit[identical-3]": noisy(1e-3, 4),
    "slowed_numba_jit[slower5]": noisy(1.05e-3, 5),
    "slowed_numba_jit[slower10]": noisy(1.1e-3, 6),
}


class TestJudging:
    def test_pairs_get_the_verdicts_of_the_rule(self) -> None:
        judged = judged_pairs(*run_of(TIMES, "slowed_numba_jit[identical-2]"), "quick", "busy")
        found = {(pair.kind, pair.verdict) for pair in judged}
        assert found == {("identical", "same"), ("slower5", "slower"), ("slower10", "slower")}
        assert len(judged) == 9
        assert {pair.second.partition("-")[0] for pair in judged} == {"identical"}
        assert {(pair.profile, pair.hour, pair.base, pair.rounds) for pair in judged} == {
            ("quick", "busy", "numba_jit", 16)
        }
        assert [pair.ratio for pair in judged if pair.kind == "slower10"] == pytest.approx(
            [1.1] * 3, abs=0.01
        )

    def test_a_runs_own_verdicts_are_those_beside_its_leader(self) -> None:
        judged = judged_pairs(*run_of(TIMES, "slowed_numba_jit[identical-2]"), "quick", "calm")
        led = [pair for pair in judged if pair.with_leader]
        assert len(led) == 4
        assert all("identical-2" in (pair.first, pair.second) for pair in led)

    def test_an_experiment_that_the_baseline_leads_tells_nothing(self) -> None:
        cells, rounds = run_of(TIMES, BASELINE)
        assert judged_pairs(cells, rounds, "quick", "calm") == []
        (line,) = troubles(cells)
        assert line.startswith("behind[numba_jit]: the baseline leads (relu-forward-")

    def test_an_arm_that_failed_is_left_out_and_told(self) -> None:
        cells, rounds = run_of(TIMES, "slowed_numba_jit[identical-1]")
        cells[3] = dataclasses.replace(cells[3], status="mistrusted", reason="it remembers")
        assert len(judged_pairs(cells, rounds, "quick", "calm")) == 5
        (line,) = troubles(cells)
        assert line.startswith("slowed_numba_jit[identical-3]: mistrusted: it remembers (relu-")


@pytest.mark.slow
def test_pairs_with_the_leader_get_the_verdicts_that_the_run_reports(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the baseline of NumPy's arms is made of it")
    elsewhere = str(equal_python(tmp_path))
    passes = arms.passes(("numpy_ufunc",), "1Ki", elsewhere)
    (chosen,) = (some for some in passes if some[0].label == "relu-forward-out-float32-1Ki")
    settings = parse({"max_seconds": "0.5"})
    short = dataclasses.replace(settings.profile, batch_s=5e-4, max_rounds=6)
    fresh = measured(dataclasses.replace(settings, profile=short, plugins=slowed.PLUGINS), chosen)
    assert troubles(fresh.cells) == []
    assert {arm.variant.name for arm in chosen[0].arms if arm.variant.python == elsewhere} == {
        "installed-1",
        "installed10",
    }
    reported = {cell.variant: (cell.leader_verdict, cell.over_leader) for cell in fresh.cells}
    judged = judged_pairs(fresh.cells, fresh.rounds, "quick", "calm")
    assert len(judged) == 15
    (leader,) = (cell for cell in fresh.cells if cell.over_leader == 1.0)
    led = [pair for pair in judged if pair.second == leader.variant]
    assert {pair.first: (pair.verdict, pair.ratio) for pair in led} == {
        pair.first: reported[pair.first] for pair in led
    }
    kinds = Counter(pair.kind for pair in judged)
    assert (kinds[arms.INSTALLED], kinds["installed10"], kinds["slower10"]) == (3, 3, 3)
    slow = [
        dict(arm.variant.environ) for arm in chosen[0].arms if arm.variant.name in ("installed10", "slower10")
    ]
    assert slow[0] == slow[1]
    floors = {cell.variant: cell.leader_noise_floor for cell in fresh.cells}
    assert [pair.noise_floor for pair in led] == pytest.approx([floors[pair.first] for pair in led])


class TestArms:
    def test_each_backend_runs_beside_one_of_the_other_kind(self) -> None:
        parallel = {"torch_eager", "numba_parallel"}
        assert all((base in parallel) != (baseline in parallel) for base, baseline in arms.BASES.items())

    def test_a_pass_is_about_as_large_as_the_quick_profile(self) -> None:
        """What is learnt from it of how processes differ is no more than a run learns."""
        profile, chosen = PROFILES["quick"], arms.passes(tuple(arms.BASES), "1Ki,32Ki,1Mi,16Mi")
        (count,) = {len(some) for some in chosen}
        assert 0.75 * len(cases(profile.grids)) <= count <= len(cases(profile.grids))
        every = [each for some in chosen for each in some]
        assert len({each.case for each in every}) * len(arms.BASES) == len(every)

    def test_no_two_arms_of_a_pass_are_one_process(self) -> None:
        (some, *_) = arms.passes(("numba_jit", "torch_eager"), "1Ki")
        assert len({arm for each in some for arm in each.arms}) == 2 * 6

    def test_pairs_enough_for_the_promises(self) -> None:
        every = [each for some in arms.passes(tuple(arms.BASES), "1Ki,32Ki,1Mi,16Mi") for each in some]
        copies = sum(arms.kind_of(arm.variant.name) == arms.IDENTICAL for arm in every[0].arms)
        assert len(every) * min(copies, copies * (copies - 1) // 2) >= ENOUGH


class Clock:
    """Time that goes on by itself with each reading, and with each call by `call_s`."""

    def __init__(self, call_s: float, reading_s: float) -> None:
        self.now, self.call_s, self.reading_s = 0.0, call_s, reading_s

    def __call__(self) -> float:
        self.now += self.reading_s
        return self.now

    def call(self) -> None:
        self.now += self.call_s


@pytest.mark.parametrize("call_s", [1.2e-5, 1e-3])
@pytest.mark.parametrize("every", [10, 20])
def test_a_long_call_is_slowed_by_what_was_asked(
    call_s: float, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(call_s, reading_s=5e-8)
    monkeypatch.setattr(slowed, "perf_counter", clock)

    def taken(every: int) -> float:
        stretched, start = slowed._stretched(clock.call, lambda _: None, every), clock.now
        for number in range(1000):
            clock.call_s = call_s * (1 + number / 5000)
            stretched()
        return clock.now - start

    assert taken(every) / taken(0) == pytest.approx(1 + 1 / every, abs=0.005)


@pytest.mark.parametrize(("every", "made"), [(0, 1000), (10, 1100), (20, 1050)])
def test_short_calls_are_made_again_now_and_then(every: int, made: int) -> None:
    calls: list[int] = []
    call = slowed._sometimes_twice(lambda: calls.append(1), lambda _: None, every)
    for _ in range(1000):
        call()
    assert len(calls) == made
