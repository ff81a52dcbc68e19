"""What numba_tuned is to reach, case by case, and how a run's figures stand against it.

A figure is a ratio of times taken round by round, with its interval.  It is held against its target as the suite holds
ratios against 1, with the same four verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from bench.plan.experiments import Experiment, Variant, arm_label
from bench.stats.estimates import Interval
from bench.text.sizes import format_size
from bench.text.units import number_text, ratio_text, seconds_text
from kernels.api import DIRECTIONS, MAIN_OPS, Case
from scripts._plugins.forward_backward import kept_bytes, pair_bytes
from scripts._shared.measured import Arms, Figures, Name

__all__ = [
    "ROWS",
    "VERDICTS",
    "Standing",
    "Target",
    "case_text",
    "experiments",
    "kept_share",
    "standing",
    "targets",
]

VERDICTS = {
    "faster": "reached",
    "slower": "not reached",
    "same": "at the target",
    "unresolved": "unresolved",
}
"""What the suite's verdict on a ratio over its target says of the target."""
_OURS: Name = ("numba_tuned", "")
_TORCH: Name = ("torch_eager", "")
_COPIES: tuple[Name, ...] = (("copy_plain", ""), ("copy_streaming", ""))
_GIB = 1 << 30
_ALLOCATOR = (
    Variant("thp", (("THP_MEM_ALLOC_ENABLE", "1"),), "torch_eager"),
    Variant(
        "malloc",
        (
            ("MALLOC_MMAP_THRESHOLD_", str(8 * _GIB)),
            ("MALLOC_TRIM_THRESHOLD_", str(8 * _GIB)),
            ("MALLOC_TOP_PAD_", str(_GIB // 2)),
        ),
        "torch_eager",
    ),
)
"""torch_eager with huge pages, and with a malloc that keeps freed memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table: `ours` is to take at most 1 / `at_least` of the time of the fastest of `others`.

    `moved` are bytes of one call where they are not the case's own.
    """

    row: str
    case: Case
    others: tuple[Name, ...]
    at_least: float
    ours: Name = _OURS
    against: str = ""
    moved: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a target stands: `verdict` is a value of `VERDICTS`, or ``not measured``; `limit` says why not reached."""

    target: Target
    other: str
    figure: Interval | None
    verdict: str
    limit: str = ""


def _named(*backends: str) -> tuple[Name, ...]:
    return tuple((backend, "") for backend in backends)


_FOUR = _named("torch_eager", "torch_compile", "jax_jit", "numpy_ufunc")
_OTHERS = (*_FOUR, *_named("numba_jit", "numba_parallel"))
_NEW_ONLY = ("jax_jit",)
"""Backends without placement `out`: not even started for it, as large arrays want the memory."""


def _can(names: tuple[Name, ...], placement: str) -> tuple[Name, ...]:
    return tuple(name for name in names if placement == "new" or name[0] not in _NEW_ONLY)


def _forward_out(large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        case = Case(op, placement="out", n=large)
        yield Target("forward-out", case, _can(_FOUR, "out"), 1.4)
        yield Target("forward-out", case, _COPIES, 0.95, against="the copy ceiling")


def _forward_new(large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        case = Case(op, n=large)
        variants = tuple(("torch_eager", variant.name) for variant in _ALLOCATOR)
        yield Target("forward-new", case, (_TORCH,), 5.0, against="torch_eager as installed")
        yield Target("forward-new", case, variants, 1.0)


def _backward_out(large: int) -> Iterator[Target]:
    others = _named("torch_eager", "torch_compile", "numpy_ufunc", "numba_parallel")
    for op in MAIN_OPS:
        yield Target("backward-out", Case(op, "backward", "out", n=large), others, 1.35)


def _pair(large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        case = Case(op, "backward", "out", n=large)
        ours = "pair_numba_tuned"
        moved = pair_bytes(ours, case)
        yield Target("pair", case, (("pair_torch", ""),), 1.6, (ours, ""), moved=moved)


def _16ki(_large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        for direction in DIRECTIONS:
            for placement in ("out", "new"):
                case = Case(op, direction, placement, n=1 << 14)
                yield Target("16Ki", case, _can(_OTHERS, placement), 1.0)


def _tiny(_large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        for n in (1, 16, 64, 256, 1024):
            yield Target("tiny", Case(op, placement="out", n=n), (_TORCH,), 2.0)


def _half(large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        for dtype in ("float16", "bfloat16"):
            for n, at_least in ((large, 1.4), (1 << 14, 1.0)):
                yield Target("half", Case(op, placement="out", dtype=dtype, n=n), (_TORCH,), at_least)


def _layouts(large: int) -> Iterator[Target]:
    for op in MAIN_OPS:
        for layout in ("strided", "transposed"):
            for placement in ("out", "new"):
                case = Case(op, placement=placement, n=min(large, 1 << 24), layout=layout)
                yield Target("layouts", case, (_TORCH,), 1.0)


ROWS: Mapping[str, Callable[[int], Iterator[Target]]] = {
    "forward-out": _forward_out,
    "forward-new": _forward_new,
    "backward-out": _backward_out,
    "pair": _pair,
    "16Ki": _16ki,
    "tiny": _tiny,
    "half": _half,
    "layouts": _layouts,
}
"""The rows, each a function from the size of large arrays (elements) to its targets."""


def targets(rows: tuple[str, ...], large: int) -> tuple[Target, ...]:
    """All targets of `rows`."""
    return tuple(target for row in rows for target in ROWS[row](large))


def experiments(chosen: tuple[Target, ...]) -> tuple[Experiment, ...]:
    """One for each case, with the arms of all targets on it; large arrays first, which need the time most."""
    variants = {variant.name: variant for variant in _ALLOCATOR}
    arms: dict[Case, dict[Name, None]] = {}
    for target in chosen:
        arms.setdefault(target.case, {}).update(dict.fromkeys((target.ours, *target.others)))
    found = []
    for case in sorted(arms, key=lambda case: -case.bytes_moved):
        names = [name for name in arms[case] if name not in (_TORCH, *_COPIES)]
        candidates = tuple((backend, variants.get(variant, Variant())) for backend, variant in names)
        found.append(Arms(candidates, floor=case.n <= 1 << 14).of(case))
    return tuple(found)


def standing(target: Target, figures: Figures) -> Standing:
    """How `target` stands by the figures of a run."""
    other = figures.fastest(target.case, target.others)
    if other is None or figures.trouble(target.case, target.ours):
        name = target.ours if other is not None else target.others[0]
        return Standing(target, "", None, "not measured", figures.trouble(target.case, name) or "")
    found = figures.gain(target.case, target.ours, other, target.at_least)
    if found is None:
        return Standing(target, arm_label(*other), None, "not measured", "no round that both arms have")
    limit = "" if found.word == "faster" else _limit(target, other, figures)
    return Standing(target, arm_label(*other), found.times, VERDICTS[found.word], limit)


def kept_share(target: Target) -> float:
    """Bytes that the pair keeps from forward to backward over those of x."""
    return kept_bytes(target.ours[0], target.case) / (target.case.n * target.case.itemsize)


def _limit(target: Target, other: Name, figures: Figures) -> str:
    """What the machine allows, by the copies of the same experiment."""
    case, ours_s = target.case, figures.time_s(target.case, target.ours)
    moved = target.moved or case.bytes_moved
    said = f"{_bytes_text(moved)} in {seconds_text(ours_s)}"
    # A copy that allocates pays for fresh pages, which a result from a pool does not: no limit for `new`.
    copied = replace(case, placement="out") if case.placement == "new" else case
    copy = figures.fastest(copied, _COPIES)
    if copy is None:
        return f"{said}; no copy into a given array was measured"
    best_s = moved * figures.time_s(copied, copy) / case.bytes_moved
    into = " into a given array" if copied != case else ""
    said += f"; a copy{into}: {seconds_text(best_s)} ({number_text(moved / best_s / 1e9)} GB/s)"
    if other not in _COPIES:
        said += f", which would be {ratio_text(figures.time_s(case, other) / best_s)}"
    empty_s = figures.time_s(case, ("empty_call", ""))
    return said if math.isnan(empty_s) else f"{said}; an empty call: {seconds_text(empty_s)}"


def _bytes_text(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= unit:
            return f"{number_text(count / unit)} {name}"
    return f"{count} B"


def case_text(case: Case) -> str:
    """``relu forward out float32 64Mi``."""
    layout = [] if case.layout == "contiguous" else [case.layout]
    return " ".join([case.op, case.direction, case.placement, case.dtype, format_size(case.n), *layout])
