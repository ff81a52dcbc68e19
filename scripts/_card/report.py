"""What a run on a card came to, for people (report.md) and for programs (report.json)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from bench.text.foreign import in_markdown, plain
from bench.text.private import anonymous
from bench.text.units import bytes_text, span_text
from scripts._card import told
from scripts._card.asked import Asked
from scripts._card.course import Outcome

__all__ = ["handed_on", "sizes_text", "write"]

_REHEARSAL = (
    "**This was a rehearsal on the CPU, which stood in for a card. No figure in this folder is one of a card, and "
    "none belongs into results/reference.**"
)


def write(asked: Asked, outcomes: Sequence[Outcome], notes: Sequence[str], began: datetime) -> None:
    """Write both files; `notes` are lines on what was left out of the folder."""
    found = {
        "schema": 1,
        "started_utc": _utc(began),
        "commit": told.commit_of(asked.folder),
        "device": asked.device,
        "card": told.card_of(asked.folder),
        "minutes": asked.minutes,
        "lacking": dict(asked.lacking),
        "notes": list(notes),
        "steps": [asdict(outcome) for outcome in outcomes],
    }
    text = json.dumps(anonymous(found), indent=1, ensure_ascii=False) + "\n"
    (asked.folder / "report.json").write_text(text, encoding="utf-8")
    page = "\n".join(map(anonymous, _page(asked, outcomes, notes, began))) + "\n"
    (asked.folder / "report.md").write_text(page, encoding="utf-8")


def _page(asked: Asked, outcomes: Sequence[Outcome], notes: Sequence[str], began: datetime) -> Iterator[str]:
    card = told.card_of(asked.folder) or asked.device
    yield f"# {_safe(card) if asked.on_card else 'A rehearsal on the CPU'}"
    yield ""
    if not asked.on_card:
        yield from (_REHEARSAL, "")
    commit = told.commit_of(asked.folder) or "unknown"
    yield f"`scripts/card.py`, {_utc(began)}, commit {commit}, at most {asked.minutes:g} minutes."
    yield from ("", "| step | came to | time | at most |", "| --- | --- | --- | --- |")
    for each in outcomes:
        came = each.status + (f": {each.reason}" if each.reason else "")
        times = f"{span_text(each.seconds)} | {span_text(each.limit_s)}" if each.limit_s else "- | -"
        yield f"| {each.name} | {_safe(came)} | {times} |"
    yield from _missing(asked)
    for note in notes:
        yield from ("", _safe(note))
    for each in outcomes:
        if each.told:
            yield from ("", f"## {each.name}: {each.asks}", "", *each.told)
    yield from ("", handed_on(asked))


def _missing(asked: Asked) -> Iterator[str]:
    if asked.lacking:
        words = " ".join(f"'{line}'" for line in asked.lacking.values())
        yield from ("", "Missing, or too old, and what brings it (nothing was installed):", "")
        yield from ("```", f"python -m pip install {words}", "```")


def handed_on(asked: Asked) -> str:
    """What to do with the folder, in one line."""
    name = asked.folder.name
    if told.is_missing(asked.folder):
        return f"There is no {asked.device}: {_shown(asked.folder)}/report.md says what brings it; delete the folder."
    if not asked.on_card:
        return f"Nothing is to be kept of a rehearsal: read {_shown(asked.folder)}/report.md, then delete the folder."
    return (
        f"Read {_shown(asked.folder)}/report.md; then keep the run: "
        f"mv {_shown(asked.folder)} results/reference/{name}, and commit it."
    )


def sizes_text(sizes: dict[str, int]) -> str:
    """``9 files, 4.1 MiB``."""
    return f"{len(sizes)} files, {bytes_text(sum(sizes.values()))}"


def _shown(folder: Path) -> str:
    """The folder as it was named: from here, where it lies below."""
    here = Path.cwd()
    return str(folder.relative_to(here)) if folder.is_relative_to(here) else str(folder)


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _safe(text: str) -> str:
    return in_markdown(plain(text))
