"""The rules that stand twice, in Python and on the page of `scripts/report.py`; Node.js runs the page's."""

from __future__ import annotations

import json
import math
import random
import shutil
import subprocess
from importlib import resources
from typing import Any

import pytest

from bench.plan.experiments import arm_label
from bench.records.schema import values_of
from bench.stats.fastest import COMPETING, STANDINGS, standings
from bench.text.units import calls_text, number_text, percent_text, ratio_text, seconds_text
from scripts._recommend.ratios import Ratio, _from_speedups, _judged
from tests.factories import experiment
from tests.rankings import near_cases


def answer(script: str, code: str, value: Any) -> Any:
    """What `code` returns for `value` behind one of the page's scripts; null stands for NaN."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("runs the page's code: install Node.js")
    text = (resources.files("scripts._report") / "assets" / script).read_text(encoding="utf-8")
    program = f"""const value = JSON.parse(require("fs").readFileSync(0, "utf8"));
    {text}
    process.stdout.write(JSON.stringify((() => {{ {code} }})()));"""
    done = subprocess.run(
        [node, "-e", program],
        input=json.dumps(value).replace("Infinity", "1e999"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_page_ranks_as_python_does() -> None:
    cases = [[values_of(record) for record in cells] for cells in near_cases(1000)]
    labelled = [
        [
            row | {"label": arm_label(row["backend"], row["variant"]), "competes": row["role"] in COMPETING}
            for row in rows
        ]
        for rows in cases
    ]
    code = """return value.map((rows) => {
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
    assert answer("rank.js", code, labelled) == expected
    for place in range(len(STANDINGS)):
        assert sum(bool(parts[place]) for parts in expected) > 50


def test_the_page_compares_with_what_is_used_now_as_the_recommendation_does() -> None:
    """Where the run judged two arms, by its word; else by their speed-ups."""
    times = {"numpy_ufunc": 4e-3, "torch_eager": 1e-3, "numba_jit": 2e-3, "jax_jit": 2.05e-3, "near": 1.01e-3}
    known = [values_of(record) | {"timed": True, "label": record.backend} for record in experiment(times)]
    rows = [{name: math.nan if value is None else value for name, value in row.items()} for row in known]
    code = """for (const row of value) for (const key in row) row[key] = row[key] ?? NaN;
      return value.map((now) => value.map((row) => {
        const { value, lo, hi, word } = gain(now, row);
        return [value, lo, hi, word];
      }));"""
    found = answer("gains.js", code, known)
    for now, line in zip(rows, found, strict=True):
        for row, (value, lo, hi, word) in zip(rows, line, strict=True):
            if now is row:
                assert (value, word) == (1, "same")
                continue
            wanted = _judged(now, row) or turned(_judged(row, now)) or _from_speedups(now, row)
            assert [value, lo, hi] == pytest.approx([wanted.value, wanted.lo, wanted.hi])
            assert word == wanted.verdict


def turned(ratio: Ratio | None) -> Ratio | None:
    words = {"faster": "slower", "slower": "faster"}
    if ratio is None:
        return None
    word = words.get(ratio.verdict, ratio.verdict)
    return Ratio(1 / ratio.value, 1 / ratio.hi, 1 / ratio.lo, word, ratio.how)


def test_the_page_writes_numbers_as_python_does() -> None:
    draw = random.Random(3)
    values = [0.0, 1.0, 9.995, 999.6, 1e-4, 9.9996e-7, 1e7, 0.0995, 12345.678]
    values += [10 ** draw.uniform(-10, 9) for _ in range(400)]
    code = """const rows = value.map((v) =>
        [number(v), seconds(v), percent(v), ratio(v), ratio(v, 0.9 * v, 1.1 * v), calls(Math.ceil(v))]);
      const odd = [number(NaN), seconds(NaN), percent(NaN), ratio(NaN), ratio(1, NaN, Infinity), calls(Infinity)];
      return [...rows, odd];"""
    found = answer("format.js", code, values)
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
    assert answer("format.js", code, rows) == [
        *(
            ["1.0x", "4.0x"],
            ["4.0x", "★"],
            ["4.0x", "≈"],
            ["3.9x", "?"],
            ["≈1.0x", "4.0x"],
            ["?1.0x", "3.9x"],
        ),
    ]
