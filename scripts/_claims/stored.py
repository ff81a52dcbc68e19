"""Measured claims as files: claims.csv (a row a figure), points.csv (what the figures draw) and environment.json.

Values are written so that they read back exactly: the page can be written anew, and checked, without measuring.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.text.commands import command_line
from scripts._claims.catalogue import CATALOGUE
from scripts._claims.model import Claim, Figure, Part, Point, Rule
from scripts._claims.table import literature
from scripts._shared.stored import ENVIRONMENT, StoredError, read_texts

__all__ = ["COLUMNS", "FILES", "Measured", "claims_csv", "read", "texts"]

COLUMNS = (
    "claim",
    "quote",
    "claim_verdict",
    "part",
    "statement",
    "experiment",
    "timed",
    "figure",
    "judged",
    "unit",
    "median",
    "low",
    "high",
    "values",
    "diverged",
    "sense",
    "threshold",
    "met",
    "of",
    "verdict",
    "literature",
)
FILES = ("claims.csv", "points.csv", ENVIRONMENT)
Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Measured:
    """The claims, the points of the figures by the figure's name, and where it was measured."""

    claims: Sequence[Claim]
    points: Mapping[str, Sequence[Point]]
    environment: Mapping[str, Any]


def texts(measured: Measured) -> dict[str, str]:
    """The content of each of `FILES`."""
    environment = json.dumps(measured.environment, indent=2) + "\n"
    contents = (claims_csv(measured.claims), _points_csv(measured.points), environment)
    return dict(zip(FILES, contents, strict=True))


def claims_csv(claims: Sequence[Claim]) -> str:
    """One row per figure with its value for every seed; a verdict stands in the row of the figure that decides."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for claim in claims:
        for part in claim.parts:
            for number, figure in enumerate((part.judged, *part.beside)):
                writer.writerow(_record(claim, part, figure, judged=not number))
    return file.getvalue()


def _record(claim: Claim, part: Part, figure: Figure, *, judged: bool) -> dict[str, object]:
    met, of = part.rule.met(figure)
    rule = {
        "sense": part.rule.sense,
        "threshold": f"{part.rule.limit:g}",
        "met": met,
        "of": of,
        "verdict": part.verdict,
    }
    return {
        "claim": claim.key,
        "quote": claim.quote,
        "claim_verdict": claim.verdict,
        "part": part.name,
        "statement": part.says,
        "experiment": part.experiment,
        "timed": "yes" if part.timed else "no",
        "figure": figure.name,
        "judged": "yes" if judged else "no",
        "unit": figure.unit,
        "median": f"{figure.median:.7g}",
        "low": f"{figure.low:.7g}",
        "high": f"{figure.high:.7g}",
        "values": " ".join(repr(float(value)) for value in figure.values),
        "diverged": figure.diverged,
        **(rule if judged else {}),
        "literature": literature(claim),
    }


def _points_csv(points: Mapping[str, Sequence[Point]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["figure", *(field.name for field in dataclasses.fields(Point))])
    for name, found in points.items():
        writer.writerows([name, *dataclasses.astuple(point)] for point in found)
    return file.getvalue()


def read(folder: Path) -> Measured:
    """What `texts` wrote into `folder`.  Verdicts are counted anew.  Raises StoredError."""
    remedy = "run " + command_line("claims.py", "--figures", folder)
    claims, points, described = read_texts(folder, FILES, remedy)
    try:
        environment = json.loads(described)
        for key, inner in (("options", "seeds"), ("packages", "torch")):
            environment[key][inner]  # what the page says of it; a KeyError names what is missing
        drawn: dict[str, list[Point]] = {}
        for row in csv.DictReader(io.StringIO(points)):
            numbers = (float(row[name]) for name in ("x", "low", "median", "high"))
            drawn.setdefault(row["figure"], []).append(Point(row["panel"], row["series"], *numbers))
        return Measured(_claims(csv.DictReader(io.StringIO(claims))), drawn, environment)
    except (KeyError, TypeError, ValueError, RecursionError, csv.Error) as error:
        told = f"{type(error).__name__} {error}"
        raise StoredError(f"{folder}: not what claims.py --figures writes ({told}); measure again") from error


def _claims(rows: Iterable[Row]) -> list[Claim]:
    return [
        Claim(
            key,
            CATALOGUE[key].quote,
            CATALOGUE[key].literature,
            tuple(_part(list(part)) for _, part in groupby(found, lambda row: row["part"])),
        )
        for key, found in groupby(rows, lambda row: row["claim"])
    ]


def _part(rows: Sequence[Row]) -> Part:
    first, *_ = rows
    figures = tuple(
        Figure(row["figure"], tuple(map(float, row["values"].split())), row["unit"]) for row in rows
    )
    return Part(
        first["part"],
        first["statement"],
        first["experiment"],
        figures[0],
        Rule(first["sense"], float(first["threshold"])),
        figures[1:],
        timed=first["timed"] == "yes",
    )
