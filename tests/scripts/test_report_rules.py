"""The rules that stand twice, in Python and on the page of `scripts/report.py`; Node.js runs the page's."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from bench.plan.experiments import arm_label
from bench.records.schema import values_of
from bench.stats.fastest import COMPETING, STANDINGS, standings
from bench.stats.trust import HOPELESS_FLOOR, LARGEST_FLOOR, MOST_DISTURBED, is_clear
from bench.text.units import calls_text, number_text, percent_text, ratio_text, seconds_text
from tests.factories import experiment
from tests.page_code import answer
from tests.rankings import near_cases

NO_GAINS = {"gains": {"now": [], "row": []}, "verdicts": []}


def test_the_page_ranks_as_python_does() -> None:
    cases = [[values_of(record) for record in cells] for cells in near_cases(1000)]
    labelled = [
        [
            row | {"label": arm_label(row["backend"], row["variant"]), "competes": row["role"] in COMPETING}
            for row in rows
        ]
        for rows in cases
    ]
    code = """return value.cases.map((rows) => {
      const known = rows.map((row) => {
        for (const key in row) row[key] = row[key] ?? NaN;
        return { ...row, timed: row.status !== "failed" };
      });
      const found = standings(known), places = (some) => some.map((row) => row.backend);
      return [found.leader, found.same, found.unresolved, found.slower].map(places);
    });"""
    expected = []
    for rows in cases:
        found = standings(rows)
        leader = [found.leader] if found.leader else []
        parts = (leader, found.same, found.unresolved, found.slower)
        expected.append([[row["backend"] for row in part] for part in parts])
    asked = {"data": NO_GAINS, "cases": labelled}
    assert answer(["gains.js", "rank.js"], code, asked) == expected
    for place in range(len(STANDINGS)):
        assert sum(bool(parts[place]) for parts in expected) > 50


def test_beside_a_leader_that_leads_only_here_the_pairs_verdict_counts() -> None:
    """The reader has switched off `gone`: what stands in the rows is about it."""
    words = ["same", "slower", "unresolved", "faster"]
    cell = {
        "leader": "gone",
        "leader_verdict": "slower",
        "competes": True,
        "timed": True,
        "role": "candidate",
    }
    rows = [
        {**cell, "id": place, "label": f"a{place}", "arm": f"a{place}", "time_s": 1 + place}
        for place in range(5)
    ]
    data = {
        "verdicts": words,
        "gains": {"now": [0, 0, 0, 4], "row": [1, 2, 3, 0], "word": [0, 1, 2, 3]}
        | {name: [1.0] * 4 for name in ("value", "lo", "hi", "floor")},
    }
    code = """const found = standings(value.rows), names = (some) => some.map((row) => row.arm);
      return [names(found.leader), names(found.same), names(found.unresolved), names(found.slower)];"""
    found = answer(["gains.js", "rank.js"], code, {"data": data, "rows": rows})
    assert found == [["a0"], ["a1"], ["a3"], ["a2", "a4"]]


def test_a_coarse_run_tells_the_same_gains_on_the_page_as_in_advice() -> None:
    draw = random.Random(8)
    some: list[dict[str, Any]] = [
        {"word": draw.choice(("faster", "slower", "same")), "lo": lo, "hi": lo * draw.uniform(1, 3)}
        | {"floor": draw.uniform(0, 0.7)}
        for lo in (10 ** draw.uniform(-1, 1) for _ in range(400))
    ]
    data = NO_GAINS | {"limits": {"hopeless": HOPELESS_FLOOR}}
    found = answer(["gains.js"], "return value.some.map(isClear);", {"data": data, "some": some})
    assert found == [is_clear(**each) for each in some]
    assert 50 < sum(found) < 350


@pytest.mark.parametrize(
    ("word", "lo", "floor", "blind"),
    [
        ("faster", 1.9, 0.05, False),  # what others would have needed is of no account
        ("faster", 1.1, 0.4, True),
        ("faster", 2.9, 0.4, False),  # coarse, and clear all the same
        ("unresolved", 0.8, 0.1, False),
    ],
)
def test_whether_the_page_answers_hangs_on_the_leader_beside_what_you_use_now(
    word: str, lo: float, floor: float, blind: bool
) -> None:
    """As recommend.py's answer does, and in the same words."""
    rows = [{"arm": name, "timed": True, "leader_noise_floor": 2.0} for name in ("first", "other")]
    gain: dict[str, Any] = {"word": word, "lo": lo, "hi": lo + 1, "floor": floor}
    limits = {"visible": LARGEST_FLOOR, "hopeless": HOPELESS_FLOOR, "disturbed": MOST_DISTURBED}
    data = NO_GAINS | {"limits": limits}
    code = """
      const [first, other] = value.rows;
      Object.assign(globalThis, { at: () => value.rows, sum: () => 0,
        standings: () => ({ leader: [first], same: [], unresolved: [other], slower: [] }) });
      over = () => value.gain;
      const { blind, visible } = known(64);
      return [blind, visible];"""
    found = answer(["gains.js", "answer.js"], code, {"data": data, "rows": rows, "gain": gain})
    assert found == [blind, floor]
    assert blind is (floor > LARGEST_FLOOR and not is_clear(**gain))


def test_the_page_writes_numbers_as_python_does() -> None:
    draw = random.Random(3)
    values = [0.0, 1.0, 9.995, 999.6, 1e-4, 9.9996e-7, 1e7, 0.0995, 12345.678]
    values += [10 ** draw.uniform(-10, 9) for _ in range(400)]
    code = """const rows = value.map((v) =>
        [number(v), seconds(v), percent(v), ratio(v), ratio(v, 0.9 * v, 1.1 * v), calls(Math.ceil(v))]);
      const odd = [number(NaN), seconds(NaN), percent(NaN), ratio(NaN), ratio(1, NaN, Infinity), calls(Infinity)];
      return [...rows, odd];"""
    found = answer(["format.js"], code, values)
    for value, texts in zip([*values, math.nan], found, strict=True):
        plain = [text.replace("\u00a0", " ").replace("µ", "u") for text in texts]
        if math.isnan(value):
            assert plain == ["-", "-", "-", "-", "1.00x", "never"]
            continue
        wanted = [number_text(value), seconds_text(value), percent_text(value), ratio_text(value)]
        assert plain[:4] == [text.replace("e+0", "e+").replace("e-0", "e-") for text in wanted]
        assert plain[4].split()[0] == ratio_text(value).replace("e+0", "e+").replace("e-0", "e-")
        assert plain[5] == calls_text(float(math.ceil(value)))


def test_squares_tell_the_same_and_the_unresolved_apart() -> None:
    times = {"numpy_ufunc": 4e-3, "torch_eager": 1e-3, "numba_jit": 1.01e-3, "jax_jit": 1.025e-3}
    times |= {"even": 3.99e-3, "near": 3.9e-3}
    rows = [values_of(record) | {"timed": True} for record in experiment(times)]
    code = """const found = { leader: [value[1]], same: [value[2]], unresolved: [value[3]] };
      const over = (row) => ({ value: row.speedup, lo: row.speedup_lo, hi: row.speedup_hi, word: row.verdict });
      return value.map((row) => [speedupSquare(row, over(row)), fastestSquare(row, found)]);"""
    assert answer(["format.js"], code, rows) == [
        *(
            ["1.0x", "4.0x"],
            ["4.0x", "★"],
            ["4.0x", "≈"],
            ["3.9x", "?"],
            ["≈1.0x", "4.0x"],
            ["?1.0x", "3.9x"],
        ),
    ]
