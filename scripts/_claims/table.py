"""Measured claims as text: for a terminal, and as markdown with the figures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tabulate import tabulate

from bench.text.units import MISSING
from scripts._claims.catalogue import CATALOGUE, WORKS, Reading
from scripts._claims.figures import ALT
from scripts._claims.model import FAILS, HOLDS, OPEN, PARTLY, RULES, Claim, Part
from scripts._shared.sections import Block, Report, Section

__all__ = ["as_markdown", "as_report", "literature", "sentences"]

_HEADERS = ("statement", "experiment", "measured", "for comparison", "threshold", "verdict")
_MARKDOWN = {"|": r"\|", "*": r"\*", "<": "&lt;", ">": "&gt;"}
_TIMED = (
    "Statements marked (timed) depend on the machine and the moment; all else repeats for the same seeds."
)


def _row(part: Part, above: Part | None) -> tuple[str, ...]:
    met, of = part.rule.met(part.judged)
    counted = "" if part.timed or of == 1 else f" ({met} of {of} seeds)"
    return (
        part.says + (" (timed)" if part.timed else ""),
        "same" if above and above.experiment == part.experiment else part.experiment,
        f"{part.judged.name} {part.judged.text}",
        "; ".join(f"{figure.name} {figure.text}" for figure in part.beside),
        part.rule.text(part.judged),
        part.verdict + counted,
    )


def _rows(claim: Claim) -> list[tuple[str, ...]]:
    return [_row(part, above) for part, above in zip(claim.parts, (None, *claim.parts[:-1]), strict=True)]


def sentences(claim: Claim) -> str:
    """The claim's text of the catalogue with its figures, and how many statements got which verdict."""
    texts = {part.name: part.judged.text for part in claim.parts}
    texts |= {f"{part.name}/{figure.name}": figure.text for part in claim.parts for figure in part.beside}
    told = re.sub(r"\{(.+?)\}", lambda found: texts.get(found[1], MISSING), CATALOGUE[claim.key].reads)
    counts = Counter(part.verdict for part in claim.parts)
    counted = ", ".join(f"{name} {counts[name]}" for name in (HOLDS, PARTLY, FAILS, OPEN) if counts[name])
    return f"{told} Verdicts on its {len(claim.parts)} statements: {counted}."


def literature(claim: Claim) -> str:
    """Author, year and title of what was written about it."""
    return "; ".join(f"{work}, {WORKS[work]}" for work in claim.literature)


def as_report(claims: Sequence[Claim], intro: Sequence[str]) -> Report:
    """The claims for `scripts._shared.render.to_terminal`."""
    blocks = [
        Block(
            f'"{claim.quote}": {claim.verdict}',
            [Section(sentences(claim), _HEADERS, _rows(claim), (False,) * len(_HEADERS))],
            f"Literature: {literature(claim)}",
        )
        for claim in claims
    ]
    return Report([*intro], blocks, [*RULES, _TIMED])


def as_markdown(claims: Sequence[Claim], intro: Sequence[str], figures: str | None) -> str:
    """The claims as markdown; with the figures that show them, in the folder `figures` (None: without)."""
    overview = [(f'"{claim.quote}"', f"**{claim.verdict}**") for claim in claims]
    parts = [*map(_escaped, intro), tabulate(overview, headers=("claim", "verdict"), tablefmt="pipe")]
    for claim in claims:
        parts += _told(claim, figures)
    parts.append(" ".join(_escaped(line) for line in (*RULES, _TIMED)))
    return "\n\n".join(parts) + "\n"


def _told(claim: Claim, figures: str | None) -> list[str]:
    """One claim as paragraphs: what is tried, the verdict, why figures are as they are, what others say, all of it."""
    entry = CATALOGUE[claim.key]
    shown = entry.figures if figures is not None else ()
    rows = [[_escaped(cell) for cell in row] for row in _rows(claim)]
    command = f"`python scripts/claims.py --only {claim.key}` measures it."
    return [
        f'### "{claim.quote}"',
        f"**What is tried.** {_escaped(entry.tries)}",
        *(f"![{ALT[name]}]({figures}/{name}.svg)" for name in shown),
        f"**Verdict: {claim.verdict}.** {_escaped(sentences(claim))} {command}",
        f"**Why.** {_escaped(entry.explains)}",
        "\n".join(_reading(work, reading) for work, reading in entry.readings.items()),
        f"<details><summary>All {len(rows)} statements</summary>\n\n{_compact(rows)}\n\n</details>",
    ]


def _reading(work: str, reading: Reading) -> str:
    kind = "source" if reading.source else "background"
    return f"- {_escaped(work)}, *{_escaped(WORKS[work])}* ({kind}): {_escaped(reading.says)}."


def _compact(rows: Sequence[Sequence[str]]) -> str:
    """A pipe table without padding: cells are long, and a change of one should change one line."""
    lines = [_HEADERS, ["---"] * len(_HEADERS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    return "".join(_MARKDOWN.get(char, char) for char in text)
