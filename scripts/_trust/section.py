"""The rates of one study as markdown, and whether they are as promised."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import median

from tabulate import tabulate

from scripts._trust.arms import IDENTICAL, INSTALLED, INSTALLED_SLOWED, SLOWED
from scripts._trust.judging import Judged
from scripts._trust.rates import ENOUGH, QUESTIONS, STEADY, Question, cluster_names, rate, rate_of

__all__ = ["broken", "section"]

_KINDS = {
    IDENTICAL: "identical",
    INSTALLED: "equal installs",
    "slower5": "slowed by 5 %",
    "slower10": "slowed by 10 %",
    "installed10": "equal installs, one slowed by 10 %",
}
_VERDICTS = ("same", "faster", "slower", "unresolved")


def section(judged: Sequence[Judged]) -> str:
    """The tables of one profile and hour."""
    profile, hour = judged[0].profile, judged[0].hour
    parts = [f"**Profile {profile}, {hour} hour**", _rates(judged), _installs(judged), _needed(judged)]
    return "\n\n".join(part for part in [*parts, _by_base(judged), _ratios(judged)] if part)


def broken(judged: Sequence[Judged]) -> list[str]:
    """A line for each promise that binds here and was not shown to be kept."""
    lines = []
    for question in QUESTIONS:
        if question.binds(judged[0].profile, judged[0].hour):
            kept = _kept(question, judged)
            if kept != "yes":
                lines.append(f"{question.text}, {question.bound}: {kept}")
    return lines


def _kept(question: Question, judged: Sequence[Judged]) -> str:
    found = rate_of(question, judged)
    if found is None or found.of < ENOUGH:
        return f"too few pairs ({found.of if found else 0} of {ENOUGH})"
    return "yes" if question.kept(found.value) else f"no, {found.value:.1%}"


def _rates(judged: Sequence[Judged]) -> str:
    profile, hour = judged[0].profile, judged[0].hour
    rows = []
    for question in QUESTIONS:
        found = rate_of(question, judged)
        led = rate_of(question, [pair for pair in judged if pair.with_leader])
        if found is None:
            continue
        binds = question.binds(profile, hour)
        rows.append(
            (
                question.text,
                found.of,
                f"{found.value:.1%}",
                f"{found.lo:.1%} to {found.hi:.1%}",
                question.bound if binds else "",
                _kept(question, judged) if binds else "",
                f"{led.value:.1%} of {led.of}" if led else "",
            )
        )
    headers = ("pairs of arms", "pairs", "rate", "95 % interval", "promised", "kept", "with the leader")
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _installs(judged: Sequence[Judged]) -> str:
    """Each verdict's share: are equal installs a tie, and what is slowed in one of them found, as often as in one?"""
    kinds = [pair.kind for pair in judged]
    if INSTALLED not in kinds:
        return ""
    asked = [IDENTICAL, INSTALLED]
    asked += itertools.chain.from_iterable((like, kind) for kind, like in INSTALLED_SLOWED.items())
    rows = []
    for kind in (kind for kind in asked if kind in kinds):
        mine = [pair for pair in judged if pair.kind == kind]
        clusters = cluster_names(mine)
        rates = (rate([pair.verdict == word for pair in mine], clusters) for word in _VERDICTS)
        texts = (f"{each.value:.1%} ({each.lo:.1%} to {each.hi:.1%})" for each in rates if each is not None)
        rows.append((_KINDS[kind], len(mine), *texts))
    headers = ("pairs of arms", "pairs", *_VERDICTS)
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _needed(judged: Sequence[Judged]) -> str:
    """What it takes to call identical arms `same` whose processes differ much."""
    unsteady = [pair for pair in judged if pair.kind == IDENTICAL and pair.process_sd > STEADY]
    if not unsteady:
        return ""
    same = sum(pair.verdict == "same" for pair in unsteady)
    left = [pair.processes_needed for pair in unsteady if pair.verdict == "unresolved"]
    text = (
        f"Of {len(unsteady)} identical pairs whose processes differ by more than {STEADY:.0%},"
        f" {same / len(unsteady):.0%} are called same."
    )
    return f"{text} Those that stay unresolved take {median(left):.0f} processes (median)." if left else text


def _by_base(judged: Sequence[Judged]) -> str:
    rows = []
    for base in dict.fromkeys(pair.base for pair in judged):
        mine = [pair for pair in judged if pair.base == base]
        rates = (rate_of(question, mine) for question in QUESTIONS)
        rows.append((base, *(f"{found.value:.1%}" if found else "" for found in rates)))
    headers = ("backend", *(question.text for question in QUESTIONS))
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)


def _ratios(judged: Sequence[Judged]) -> str:
    rows = []
    for kind in (IDENTICAL, INSTALLED, *SLOWED, *INSTALLED_SLOWED):
        mine = [pair for pair in judged if pair.kind == kind]
        if mine:
            ratio, floor, sd = (
                median(getattr(pair, name) for pair in mine)
                for name in ("ratio", "noise_floor", "process_sd")
            )
            rounds = median(pair.rounds for pair in mine)
            rows.append((_KINDS[kind], f"{ratio:.3f}", f"{floor:.1%}", f"{sd:.2%}", f"{rounds:.0f}"))
    headers = ("medians", "ratio", "seen in 80 % of cases from", "a process's deviation", "rounds")
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
