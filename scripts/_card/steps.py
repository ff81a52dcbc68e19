"""The steps of a run on a card, the most useful first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts._card import told
from scripts._card.asked import Asked
from scripts._card.packages import DRAWING

__all__ = ["STEPS", "Step"]

_SHARE = 0.8
"""Of a step's limit, what it is told to take: the rest is for starting, compiling and writing down."""
_COMPILING = 0.7
"""Of the doctor's limit, what compilers may take: what he has to say else is to be heard in any case."""
_COMBINATIONS = 300
"""About as many as crosscheck tries, two at a time: each may take so small a share of its limit."""
_LARGEST_FROM = 8.0
"""Minutes above which the largest float32 and 16-bit arrays are measured: preparing them takes long."""
_LARGEST = "256Mi"
_SKELETON = "# All tables of this run\n\n<!-- summary:begin -->\n<!-- summary:end -->\n"


def _nothing(_: Asked) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Step:
    """One child process: a question, the command that answers it, and what is told of the files that it leaves."""

    name: str
    asks: str
    least_s: float
    """Below this it is not begun."""
    usual_s: float
    """Its share of ten minutes."""
    command: Callable[[Asked, float], Sequence[str]]
    """The words for a step that may take so many seconds."""
    makes: str
    """A file that is there if it came to an answer."""
    told: Callable[[Path], list[str]] = lambda _: []
    """Lines of markdown about the files in the folder."""
    into: str = ""
    """The file that its output goes to; empty for its log."""
    why_not: Callable[[Asked], str] = _nothing
    """Why it cannot be made here; empty if it can."""
    always: bool = False
    """Whether its time is set aside: it makes something of what the others left."""


def _doctor(asked: Asked, limit_s: float) -> list[str]:
    words = ("--only", "card", "--device", asked.device, "--timeout", f"{_COMPILING * limit_s:.0f}", "--json")
    return asked.script("doctor", *words)


def _crosscheck(asked: Asked, limit_s: float) -> list[str]:
    each_s = max(limit_s / _COMBINATIONS, 0.02)
    times = ("--seconds", f"{each_s:.2f}", "--timeout", f"{max(limit_s / 3, 10):.0f}")
    given = asked.given("backends", "plugins")
    words = ("--devices", asked.device, *times, "--csv", asked.folder / "crosscheck.csv", *given)
    return asked.script("crosscheck", *words)


def _bench(asked: Asked, limit_s: float) -> list[str]:
    words = ["--profile", "card", "--devices", asked.device, "--minutes", _minutes(limit_s), "--anonymise"]
    words += ["--results", str(asked.folder.parent), "--run-id", asked.folder.name]
    few = [] if asked.minutes > _LARGEST_FROM else ["-k", f"not {_LARGEST}"]
    baseline = ["--baseline", _base(asked)] if _base(asked) else []
    return asked.benchmark(*words, *few, *baseline, *asked.given("backends", "plugins"))


def _integrity(asked: Asked, limit_s: float) -> list[str]:
    return asked.script("_card.integrity", *_study(asked, limit_s, "integrity.json"))


def _same(asked: Asked, limit_s: float) -> list[str]:
    return asked.script("_card.same", *_study(asked, limit_s, "same.json"))


def _study(asked: Asked, limit_s: float, file: str) -> list[str]:
    words = ["--device", asked.device, "--base", _base(asked), "--minutes", _minutes(limit_s)]
    return [*words, "--json", str(asked.folder / file), *asked.given("plugins")]


def _sweep(asked: Asked, limit_s: float) -> list[str]:
    words = ("--device", asked.device, "--minutes", _minutes(limit_s), "--json", asked.folder / "sweep.json")
    return asked.script("_card.sweep", *words)


def _tables(asked: Asked, _: float) -> list[str]:
    words = (asked.folder, "--tables", "fastest,arms,fits")
    if "tabulate" in asked.lacking:
        return asked.script("summarise", *words)
    file = asked.folder / "TABLES.md"
    file.write_text(_SKELETON, encoding="utf-8")
    return asked.script("summarise", *words, "--update", file)


def _page(asked: Asked, _: float) -> list[str]:
    where = ("--output", asked.folder / "report.html", "--figures", asked.folder / "figures")
    return asked.script("report", asked.folder, *where, "--anonymise")


def _minutes(limit_s: float) -> str:
    return f"{max(_SHARE * limit_s / 60, 0.1):.2f}"


def _base(asked: Asked) -> str:
    return asked.baseline or told.runs_on(asked.folder, asked.device)


def _no_base(asked: Asked) -> str:
    return "" if _base(asked) else f"no backend is known to run on {asked.device}; --baseline names one"


def _no_run(asked: Asked) -> str:
    return "" if told.is_measured(asked.folder) else "nothing was measured"


def _undrawn(asked: Asked) -> str:
    lines = [line for name, line in asked.lacking.items() if name in DRAWING]
    missing = ", ".join(lines)
    return _no_run(asked) or (missing and f"it draws, and for that lack {missing}")


STEPS = (
    Step(
        "doctor",
        "What card is it, who uses it, what is installed, and which backends compile for it?",
        25.0,
        80.0,
        _doctor,
        "doctor.json",
        told.doctor,
        into="doctor.json",
    ),
    Step(
        "crosscheck",
        "Is every backend right, on every dtype, direction and placement?",
        25.0,
        105.0,
        _crosscheck,
        "crosscheck.csv",
        told.crosscheck,
    ),
    Step("bench", "How fast is each?", 40.0, 185.0, _bench, "cells.csv", told.bench),
    Step(
        "integrity",
        "Does the suite notice who cheats on a device?",
        20.0,
        45.0,
        _integrity,
        "integrity.json",
        told.integrity,
        why_not=_no_base,
    ),
    Step(
        "same",
        "How often are identical programs called different (A/A)?",
        25.0,
        65.0,
        _same,
        "same.json",
        told.same,
        why_not=_no_base,
    ),
    Step(
        "sweep",
        "Which way to go over a large array is the fastest for our kernels?",
        12.0,
        55.0,
        _sweep,
        "sweep.json",
        told.sweep,
    ),
    Step("tables", "All tables", 12.0, 20.0, _tables, "cells.csv", why_not=_no_run, always=True),
    Step("page", "The page and the figures", 20.0, 35.0, _page, "report.html", why_not=_undrawn, always=True),
)
