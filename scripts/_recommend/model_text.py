"""The answer for a recorded program, as people read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.stats.estimates import Interval
from bench.text.commands import as_typed
from bench.text.sizes import format_size
from bench.text.units import count_text, number_text, percent_text, seconds_text
from scripts._recommend.code import KERNELS
from scripts._recommend.model import Program
from scripts._recommend.ranking import Answer, arm_of
from scripts._recommend.saving import OURS, Part
from scripts._recommend.sentences import times_text
from scripts._shared.remarks import clean
from scripts._shared.sections import Block, Report, Section
from scripts._shared.steps import faults_text, swapped_text

__all__ = ["program_report"]

_WORTH = 0.01
"""Of a step: what saves less is hardly worth a change of a program."""
_MOST_NAMES = 4
_APART = 0.2
"""Times that differ by more are told both."""


def program_report(program: Program, run: str) -> Report:
    """The answer, the code, and a row for each kind of call."""
    intro = [*_answer(program), *_beside(program)]
    headers = ("activation", "placement", "dtype", "n", "calls", "now", "of a step", "fastest", "over now")
    right = (False, False, False, True, True, True, True, False, True)
    section = Section("", headers, [_row(program, part) for part in program.parts], right)
    return Report(intro, [Block(f"Activations of a step, from {run}", [section])])


def _answer(program: Program) -> Iterator[str]:
    step, saving, share = program.step, program.saving, program.share
    if program.doubts:
        yield as_typed(f"No answer: {program.doubts[0]}. Run `pytest bench/ --cases` again when it is quiet.")
    spent = f"Activations take {seconds_text(program.spent_s)} of a step"
    yield (
        f"{spent}."
        if step is None
        else (
            f"Activations take {percent_text(program.spent_s / step.value)} of a step of {seconds_text(step.value)}."
        )
    )
    if program.doubts:
        return
    if step is not None and program.counted_s is not None and _apart(program.counted_s, program.spent_s):
        counted = percent_text(program.counted_s / step.value)
        yield (
            f"Counted in the program they took {counted}: its caches and its memory are in another state than in a"
            " benchmark, so what is saved is known less well."
        )
    faults = faults_text(program.recording.steps, program.recording.used)
    if faults is not None:
        yield f"{faults} What is saved below counts them at that price."
    if saving is None:
        yield "No run has an arm that could take torch's place in a PyTorch program."
        return
    found, text = (saving.seconds, seconds_text) if share is None else (share, percent_text)
    now = next((arm_of(each.now) for each in program.known), "what is used now")
    yield from _verdict(program, found, f"{saving.arm} instead of {now}", text)


def _verdict(program: Program, found: Interval, what: str, text: Callable[[float], str]) -> Iterator[str]:
    saving = program.saving
    assert saving is not None  # told before
    bounds = f"{text(found.value)} ({text(found.lo)} to {text(found.hi)})"
    as_share = program.share is not None
    of = " of it" if as_share else " a step"
    if found.hi <= 0:
        yield f"Keep what you have: {what} saves nothing: {bounds}{of}."
        return
    if found.lo <= 0:
        yield f"Not known whether it is worth it: {what} saves {bounds}{of}."
        return
    yield f"{what} saves {bounds}{of}."
    if as_share and found.hi < _WORTH:
        yield f"It is not worth it: that is less than {percent_text(_WORTH)} of a step."
        return
    names = [clean(name) or "(no module)" for name in saving.layers]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    yield f"{count_text(len(names), 'layer makes', 'layers make')} 90% of that: {', '.join(names[:_MOST_NAMES])}{more}."
    if saving.arm == OURS:
        yield f"The code: `from {KERNELS}.torch_module import replace_activations; replace_activations(model)`"
        yield "It replaces nn.ReLU and nn.LeakyReLU; where a function such as torch.relu is called, call ours instead."


def _apart(one: float, other: float) -> bool:
    return abs(one - other) > _APART * min(one, other)


def _beside(program: Program) -> Iterator[str]:
    swapped = program.swapped
    if swapped is not None:
        yield f"Tried in the program itself: {swapped_text(swapped)}{_held(program, swapped)}."
    if program.recording.compiled:
        yield (
            "torch.compile was at work: the figures are those of the program without it; a compiler fuses activations."
        )
    missing = [part for part in program.parts if not isinstance(part.found, Answer)]
    if missing:
        kinds = count_text(len(missing), "kind", "kinds")
        yield as_typed(f"Not measured: {kinds} of calls; run `pytest bench/ --cases` of the file.")
    for each in program.recording.unmeasured:
        yield f"Not counted: {number_text(each.calls)} calls a step of {clean(each.op)}: {clean(each.why)}."


def _held(program: Program, swapped: Interval) -> str:
    """Whether what was found lies in the interval that was predicted."""
    share, held = program.share, program.held
    if share is None or held is None:
        return ""
    predicted = f"{percent_text(share.lo)} to {percent_text(share.hi)}"
    found = f"{percent_text(swapped.lo)} to {percent_text(swapped.hi)}"
    word = "within" if held else "outside"
    return f"; predicted {predicted}, found {found}: {word}"


def _row(program: Program, part: Part) -> tuple[str, ...]:
    case = part.case
    slope = f" {case.negative_slope:g}" if case.op == "leaky_relu" else ""
    head = (
        " ".join(filter(None, (f"{case.op}{slope}", case.params, case.direction))),
        case.placement,
        case.dtype,
        format_size(case.n),
        number_text(part.calls),
    )
    if not isinstance(part.found, Answer):
        return (*head, "not measured", "", "", "")
    now_s = float(part.found.now["time_s"])
    share = "" if program.step is None else percent_text(part.calls * now_s / program.step.value)
    return (*head, seconds_text(now_s), share, arm_of(part.found.best), times_text(part.found.over_now))
