"""The equivalence matrix for the terminal: a table for each op and direction, then what has no column there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.text.units import count_text
from scripts._crosscheck.rows import Row, condensed
from scripts._shared.sections import Block, Report, Section

__all__ = ["report"]

_SHORT = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
_LEGEND = (
    "model: how slope * x is rounded. A: the slope to the dtype, then the product.",
    "  B: float32 slope and product, then 16 bits. C: float64 slope and product,",
    "  then the dtype. exact: nothing is rounded. within 4 ULP: what is allowed, of an op",
    "  with a bound. Anything else: what went wrong.",
    "ULP: from that model at most, over all that the policy judges; 0 is right.",
    "-0: what op(-0) is. g(0), g(NaN): the multiple of dy where x is 0 or NaN.",
    "These and subnormals are reported, never judged. Payloads of NaN, slopes inf",
    "and nan, and what was tried: see --csv.",
)


def report(rows: Sequence[Row]) -> Report:
    """All that `rows` say, backends in the order in which they come."""
    shown = condensed(rows)
    kinds = dict.fromkeys((row.work, row.direction) for row in shown)
    sections = [
        _section(work, direction, [row for row in shown if (row.work, row.direction) == (work, direction)])
        for work, direction in kinds
    ]
    counts = Counter(row.status for row in rows)
    total = ", ".join(f"{number} {status}" for status, number in counts.most_common())
    blocks = [Block("Equivalence", sections)] if sections else []
    for heading, lines in (
        ("Also seen", _also_seen(rows)),
        ("Declared deviations", _declared(rows)),
        ("Skipped", _skipped(rows)),
    ):
        if lines:
            blocks.append(Block(heading, [], "\n".join(lines)))
    return Report(
        intro=[f"{_count(row.backend for row in rows)}, {count_text(len(rows), 'combination')}: {total}"],
        blocks=blocks,
        legend=list(_LEGEND),
        problems=_problems(rows),
    )


def _count(backends: Iterable[str]) -> str:
    number = len(set(backends))
    return f"{number} backend" if number == 1 else f"{number} backends"


def _section(work: str, direction: str, rows: Sequence[Row]) -> Section:
    own = ("-0",) if direction == "forward" else ("g(0)", "g(NaN)")
    headers = ("backend", "dtypes", "placements", "model", "ULP", "NaN", *own, "subnormals")
    devices = len({row.device for row in rows}) > 1
    cells = [
        (
            f"{row.backend} ({row.device})" if devices else row.backend,
            " ".join(_SHORT.get(dtype, dtype) for dtype in row.dtype.split(", ")),
            row.placement,
            row.model if row.status == "ok" else row.status,
            "" if row.max_ulp is None else f"{row.max_ulp:.3g}",
            row.nan,
            *((row.signed_zero,) if direction == "forward" else (row.grad_zero, row.grad_nan)),
            row.subnormals,
        )
        for row in rows
    ]
    texts = [tuple(cell or "-" for cell in row) for row in cells]
    return Section(f"{work} {direction}", headers, texts, tuple(name == "ULP" for name in headers))


def _also_seen(rows: Sequence[Row]) -> list[str]:
    """What has no column, with the backends that show it in some combination."""
    seen: dict[str, dict[str, None]] = {}
    for row in rows:
        for note in filter(None, row.told.split("; ")):
            seen.setdefault(f"{row.work} {row.direction}: {note}", {})[row.backend] = None
    return [f"{note}: {', '.join(backends)}" for note, backends in sorted(seen.items())]


def _declared(rows: Sequence[Row]) -> list[str]:
    parts = (f"{row.backend}: {part}" for row in rows for part in row.declared.split(" | ") if part)
    return list(dict.fromkeys(parts))


def _skipped(rows: Sequence[Row]) -> list[str]:
    reasons = Counter((row.backend, row.reason) for row in rows if row.status == "skipped")
    return [f"{backend}: {number} x {reason}" for (backend, reason), number in reasons.items()]


def _problems(rows: Sequence[Row]) -> list[str]:
    """A line for each reason; combinations that have it in common share it."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.status not in ("ok", "skipped"):
            groups.setdefault((row.backend, row.work, row.direction, row.status, row.reason), []).append(row)
    lines = []
    for (backend, work, direction, status, reason), alike in groups.items():
        placements = ",".join(dict.fromkeys(row.placement for row in alike))
        dtypes = ",".join(dict.fromkeys(row.dtype for row in alike))
        lines.append(
            f"{backend} {work} {direction} {placements} {dtypes} {status}: {' '.join(reason.split())}"
        )
    return lines
