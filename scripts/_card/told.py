"""What the files of the steps say, as lines of markdown."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.text.foreign import in_markdown, plain
from bench.text.sizes import format_size
from bench.text.units import count_text, seconds_text
from scripts._card.files import read_json, read_rows
from scripts._card.goals import goals
from scripts._card.outcomes import ALARMS, CAUGHT, HARMLESS, OPEN

__all__ = [
    "bench",
    "card_of",
    "commit_of",
    "crosscheck",
    "doctor",
    "integrity",
    "is_measured",
    "is_missing",
    "runs_on",
    "same",
    "sweep",
]

_MOST = 30
"""Lines about what went wrong in one step; the files have them all."""
_FIRST = ("torch_eager", "numba_cuda", "triton_jit", "numpy_ufunc", "jax_jit")
"""What others are compared with, and what tricks and A/A are made of: the first of these that runs."""
_MATRIX, _CELLS = "crosscheck.csv", "cells.csv"
_PATTERNS = ("signed_zero", "nan_payload")
"""What differs between devices, of the columns of crosscheck's file."""


def runs_on(folder: Path, device: str) -> str:
    """The first backend that the doctor, or else crosscheck, saw running on `device`; empty if neither saw one."""
    figures = [finding["figures"] for finding in _findings(folder)]
    seen = {
        each["backend"] for each in figures if (each.get("device"), each.get("state")) == (device, "runs")
    }
    if not seen:
        rows = read_rows(folder / _MATRIX)
        seen = {row["backend"] for row in rows if (row["device"], row["status"]) == (device, "ok")}
    return next((name for name in _FIRST if name in seen), "")


def is_measured(folder: Path) -> bool:
    """Whether a cell of the run is there."""
    return bool(read_rows(folder / _CELLS))


def card_of(folder: Path) -> str:
    """What the doctor said the device is; empty if he did not."""
    return next((each["measured"] for each in _findings(folder) if each["name"] == "card"), "")


def is_missing(folder: Path) -> bool:
    """Whether the doctor looked for the card, and found none."""
    return any((each["name"], each["status"]) == ("card", "problem") for each in _findings(folder))


def commit_of(folder: Path) -> str:
    """The commit that the run was made with; empty where it is not known."""
    return str(read_json(folder / "environment.json").get("commit", ""))


def doctor(folder: Path) -> list[str]:
    """What is well in a line each, then what is not, with what mends it."""
    findings = _findings(folder)
    well = [f"{each['name']}: {each['measured']}" for each in findings if each["status"] == "ok"]
    ill = [
        f"**{each['status']}** {_safe(': '.join((each['name'], each['measured'])))}. "
        f"{_safe(each['effect'][:1].upper() + each['effect'][1:])}. Mend: {_safe(each['mend'] or 'nothing known')}"
        for each in findings
        if each["status"] != "ok"
    ]
    return [*_list(ill, escaped=True), *_list(well, most=len(well))]


def _findings(folder: Path) -> list[dict[str, Any]]:
    found = read_json(folder / "doctor.json")
    return list(found.get("findings", ()))


def crosscheck(folder: Path) -> list[str]:
    """How many combinations came to what, what is wrong, and what differs by backend and device."""
    rows = read_rows(folder / _MATRIX)
    wrong = _wrong(rows, ("ok", "skipped"), ("op", "direction", "placement", "dtype"))
    return [_counted(rows, "combination"), *_list(wrong), *_patterns(rows), *_skipped(rows)]


def _patterns(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """The sign of op(-0) and the payload of NaN, a line for each op, backend and device."""
    kinds: dict[tuple[str, ...], list[Mapping[str, str]]] = defaultdict(list)
    for row in rows:
        if row["status"] == "ok" and row["direction"] == "forward":
            kinds[row["op"], row["backend"], row["device"]].append(row)
    if not kinds:
        return []
    head = ["", "| op | backend | device | op(-0) | NaN payload |", "| --- | --- | --- | --- | --- |"]
    lines = (
        [*kind, *(_by_dtype(mine, column) for column in _PATTERNS)] for kind, mine in sorted(kinds.items())
    )
    return [*head, *(f"| {' | '.join(map(_safe, line))} |" for line in lines), ""]


def _by_dtype(rows: Sequence[Mapping[str, str]], column: str) -> str:
    """One answer where all dtypes have it; else each with the dtypes that give it."""
    answers: dict[str, dict[str, None]] = defaultdict(dict)
    for row in rows:
        answers[row[column].replace("|", " or ") or "not seen"][row["dtype"]] = None
    if len(answers) == 1:
        return next(iter(answers))
    return "; ".join(f"{answer} ({', '.join(dtypes)})" for answer, dtypes in answers.items())


def bench(folder: Path) -> list[str]:
    """How many cells came to what, which goals were reached, what is wrong, and what was skipped."""
    rows = read_rows(folder / _CELLS)
    wrong = _wrong(rows, ("ok", "noisy", "skipped"), ("op", "direction", "placement", "dtype", "n", "cache"))
    return [_counted(rows, "cell"), *(goals(folder) if rows else ()), *_list(wrong), *_skipped(rows)]


def integrity(folder: Path) -> list[str]:
    """Each trick: whether it was noticed, and how; and what was said of the honest arm."""
    found = read_json(folder / "integrity.json").get("arms", [])
    if not found:
        return []
    counts = Counter(each["outcome"] for each in found)
    tried = counts[CAUGHT] + counts[HARMLESS] + counts[OPEN]
    lines = [
        f"{each['arm']}, placement {each['placement']}, {each['n']:,} elements: **{each['outcome']}**: "
        f"{_safe(each['reason'] or each['status'])}"
        for each in found
    ]
    harmless = f" {counts[HARMLESS]} gained nothing." if counts[HARMLESS] else ""
    said = f"{counts[CAUGHT]} of {count_text(tried, 'trick')} noticed.{harmless}"
    return [said, *_list(lines, escaped=True)]


def same(folder: Path) -> list[str]:
    """How often identical programs were called different."""
    found = read_json(folder / "same.json")
    if not found:
        return []
    lo, hi = (f"{100 * found[name]:.1f} %" for name in ("lo", "hi"))
    pairs, experiments = count_text(found["pairs"], "pair"), count_text(found["experiments"], "experiment")
    said = (
        f"{found['alarms']} of {pairs} of identical programs ({found['base']}) were called different, in "
        f"{found['alarmed']} of {experiments} (95 % interval of that share: {lo} to {hi})."
    )
    alarms = [each for each in found["judged"] if each["verdict"] in ALARMS]
    lines = [f"{each['experiment']}: {each['verdict']}, {each['speedup']:.3f}x" for each in alarms]
    return [said, *_list([*lines, *found["untimed"]])]


def sweep(folder: Path) -> list[str]:
    """Of each case the usual way and the fastest one, as shares of the driver's copy of as many bytes."""
    found = read_json(folder / "sweep.json")
    lines = [_swept(each) for each in found.get("cases", ())]
    lines += [_launched(each) for each in found.get("launches", ())]
    lines += [_transferred(each) for each in found.get("transfers", ())]
    return _list([*lines, *(f"not tried: {why}" for why in found.get("skipped", ()))])


def _swept(case: Mapping[str, Any]) -> str:
    ways = {each["name"]: each for each in case["plans"] if each["name"] not in case["wrong"]}
    usual, best = ways.get(case["usual"]), min(ways.values(), key=lambda way: way["seconds"])
    label = " ".join(str(case[name]) for name in ("backend", "op", "direction", "dtype", "n"))
    wrong = f"; wrong: {'; '.join(case['wrong'])}" if case["wrong"] else ""
    if usual is None:
        return f"{label}: the usual way is wrong{wrong}"
    said = f"{label}: usual ({usual['name']}) {usual['share']:.3f} of the copy"
    if best is usual:
        return f"{said}, none is faster{wrong}"
    gain = usual["seconds"] / best["seconds"]
    return f"{said}, fastest ({best['name']}) {best['share']:.3f}, {gain:.3f}x{wrong}"


def _launched(found: Mapping[str, Any]) -> str:
    label = f"{found['backend']}, a call of {found['n']} elements among many"
    if found["reason"]:
        return f"{label}, its launch ready before: {found['reason']}"
    told = ", ".join(f"{name} {1e6 * seconds:.2f} us" for name, seconds in found["seconds"].items())
    return f"{label}: {told}"


def _transferred(found: Mapping[str, Any]) -> str:
    """What an array takes over the bus, which no other figure has in it."""
    told = ", ".join(
        f"{way} {seconds_text(found[key])} ({found['bytes'] / found[key] / 1e9:.2f} GB/s)"
        for way, key in (("there", "there_s"), ("back", "back_s"))
    )
    return f"transfer of {format_size(found['n'])} {found['dtype']}, by {found['backend']}: {told}"


def _counted(rows: Sequence[Mapping[str, str]], what: str) -> str:
    counts = Counter(row["status"] for row in rows).most_common()
    parts = ", ".join(f"{number:,} {status}" for status, number in counts)
    return f"{count_text(len(rows), what)}: {parts}." if rows else f"No {what}."


def _wrong(rows: Sequence[Mapping[str, str]], well: Sequence[str], axes: Sequence[str]) -> list[str]:
    """A line for each backend and reason, with the first case that has it."""
    first: dict[tuple[str, ...], str] = {}
    counts: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        if row["status"] not in well:
            what = tuple(row[name] for name in ("backend", "device", "status", "reason"))
            first.setdefault(what, " ".join(row[axis] for axis in axes))
            counts[what] += 1
    return [
        f"{backend} on {device}, {first[backend, device, status, reason]}"
        f"{f' and {number - 1:,} more' if number > 1 else ''}: {status}: {reason}"
        for (backend, device, status, reason), number in counts.items()
    ]


def _skipped(rows: Sequence[Mapping[str, str]]) -> list[str]:
    reasons = Counter((row["backend"], row["reason"]) for row in rows if row["status"] == "skipped")
    return _list([f"skipped, {backend}, {number} x: {why}" for (backend, why), number in reasons.items()])


def _list(lines: Iterable[str], *, escaped: bool = False, most: int = _MOST) -> list[str]:
    told = [f"- {line if escaped else _safe(line)}" for line in lines]
    more = [f"- and {count_text(len(told) - most, 'more', 'more')}"] if len(told) > most else []
    return [*told[:most], *more]


def _safe(text: str) -> str:
    return in_markdown(plain(text))
