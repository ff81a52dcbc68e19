"""The equivalence matrix as rows: for CSV one per combination, for the terminal those alike as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace

from kernels.api import DTYPES, PLACEMENTS, Case, facts_of
from scripts._crosscheck.checking import About, Outcome

__all__ = ["COLUMNS", "Row", "condensed", "row_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """One backend on one op, direction, placement and dtype.

    model                    the rounding model that it follows, "exact" where all are the same
    max_ulp                  distance from it, over what the policy judges
    nan                      kept, or what went wrong; the rest is reported only:
    nan_payload              kept, quieted or changed
    signed_zero              what op(-0) is
    subnormals               kept, flushed or unscaled (leaky_relu hands a negative one on as it is)
    grad_zero, grad_nan      the multiple of dy at x = 0 and at NaN: 0, slope, 1 or 0.5
    slope_share              of a slope that is learnt: the largest error of its gradient, of what is allowed
    params                   the op's parameters
    slopes, lengths, layouts tried;  untried: what time or the backend did not allow, and why
    declared                 of what was seen, what the backend declares and why: told, never excused
    """

    backend: str
    op: str
    direction: str
    placement: str
    dtype: str
    device: str
    status: str
    reason: str = ""
    model: str = ""
    max_ulp: float | None = None
    nan: str = ""
    nan_payload: str = ""
    signed_zero: str = ""
    subnormals: str = ""
    grad_zero: str = ""
    grad_nan: str = ""
    slope_share: float | None = None
    other: str = ""
    params: str = ""
    slopes: str = ""
    lengths: str = ""
    layouts: str = ""
    calls: int = 0
    untried: str = ""
    declared: str = ""
    versions: str = ""

    @property
    def work(self) -> str:
        """The op and its parameters: ``elu alpha=1.0``."""
        return f"{self.op} {self.params}".rstrip()

    @property
    def told(self) -> str:
        """Of `other`, what is not about the slopes inf and NaN, which are for the CSV."""
        return "; ".join(note for note in self.other.split("; ") if not note.startswith(("x<0", "x>0")))

    def as_text(self) -> list[str]:
        """The fields as they stand in CSV; one that does not apply is empty."""
        return [
            "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
            for value in astuple(self)
        ]


COLUMNS = tuple(field.name for field in fields(Row))


def row_of(backend: str, case: Case, outcome: Outcome, about: About) -> Row:
    """The row of an outcome."""
    notes = {name: "|".join(sorted(answers)) for name, answers in outcome.notes.items()}
    declared = [f"{name}: {why}" for name, why in about.deviations.items() if name in notes]
    if outcome.slope_share is not None:
        notes["grad(slope)"] = "within its bound"
    short = "leaky" if facts_of(case.op).sloped else case.op
    judged = outcome.status in ("ok", "incorrect")
    row = Row(
        backend,
        case.op,
        case.direction,
        case.placement,
        case.dtype,
        case.device,
        outcome.status,
        outcome.reason,
        model="|".join(sorted(outcome.models - {"exact"}) or sorted(outcome.models)),
        max_ulp=outcome.max_ulp if judged else None,
        nan=_nan(outcome),
        nan_payload=notes.pop("nan payload", ""),
        signed_zero=notes.pop(f"{short}(-0)", ""),
        subnormals=notes.pop("subnormals", ""),
        grad_zero=notes.pop("grad(0)", ""),
        grad_nan=notes.pop("grad(nan)", ""),
        slope_share=outcome.slope_share,
        params=case.params,
        slopes=" ".join(f"{slope:g}" for slope in outcome.slopes) if facts_of(case.op).sloped else "",
        lengths=" ".join(map(str, sorted(outcome.lengths))),
        layouts=" ".join(outcome.layouts),
        calls=outcome.calls,
        untried="; ".join(outcome.untried),
        declared=" | ".join(declared),
        versions="; ".join(f"{name} {version}" for name, version in about.versions.items()),
    )
    return replace(row, other="; ".join(f"{name}={answer}" for name, answer in sorted(notes.items())))


def _nan(outcome: Outcome) -> str:
    for words, said in (("drops NaN", "lost"), ("makes NaN", "made")):
        if words in outcome.reason:
            return said
    return "kept" if outcome.status == "ok" else ""


_NAMED = ("backend", "op", "params", "direction", "placement", "dtype", "device")
_ALIKE = ("status", "model", "max_ulp", "nan", "signed_zero", "subnormals", "grad_zero", "grad_nan")
"""What rows that are shown as one have in common."""


def condensed(rows: Iterable[Row]) -> list[Row]:
    """The rows that were tried, those that differ only in placement or dtype as one that lists them."""
    tried = [row for row in rows if row.status != "skipped"]
    return _merged(_merged(tried, "placement", PLACEMENTS), "dtype", DTYPES)


def _merged(rows: Sequence[Row], axis: str, order: Sequence[str]) -> list[Row]:
    groups: dict[tuple[object, ...], list[Row]] = {}
    axes = [name for name in _NAMED if name != axis]
    for row in rows:
        groups.setdefault(tuple(getattr(row, name) for name in (*axes, *_ALIKE)), []).append(row)
    return [_as_one(alike, axis, order) for alike in groups.values()]


def _as_one(alike: Sequence[Row], axis: str, order: Sequence[str]) -> Row:
    values = sorted({getattr(row, axis) for row in alike}, key=order.index)
    changed = {
        axis: "all" if len(values) == len(order) else ", ".join(values),
    }
    return replace(alike[0], **changed)  # type: ignore[arg-type]  # an axis is text
