"""`scripts/trust.py`: rates of verdicts on pairs of known truth, and the promises about them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from scripts._trust import arms
from scripts._trust.judging import Judged
from scripts._trust.rates import ENOUGH, QUESTIONS, Question, rate, rate_of
from scripts._trust.section import broken, section
from scripts.trust import _part
from tests.trusted import pairs


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
