"""How to get to what is recommended: the lines of code, and what getting there and back costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.machine.environment import machine_name
from bench.stats.trust import LARGEST_FLOOR
from scripts._recommend.code import Code, code_for, framework_of, plain_code
from scripts._recommend.ranking import Answer, arm_of
from scripts._recommend.runs import Evidence
from scripts._recommend.sentences import times_text
from scripts._recommend.trial import tried
from scripts._recommend.trust import floor_text
from scripts._shared.pairs import Gain

__all__ = ["Way", "way_lines", "way_to"]

_WORTH = {"faster": "It is worth it", "slower": "It is not worth it", "same": "It is not worth it"}


@dataclass(frozen=True, slots=True)
class Way:
    """The lines, and the gain that is left with what leads there and back; None where that was not tried."""

    code: Code
    left: Gain | None = None

    @property
    def is_known(self) -> bool:
        """Whether the try could have seen what matters."""
        return self.left is not None and (
            self.left.word == "same" or self.left.verdict.noise_floor <= LARGEST_FLOOR
        )


def way_to(evidence: Evidence, answer: Answer, *, try_it: bool) -> Way | None:
    """The way from what is used now to what is recommended; None where nothing changes, or no lines are known."""
    if answer.keep:
        return None
    case, use, now = answer.case, answer.use, answer.now
    environ = evidence.variant_environ(str(use["run_id"]), str(use["variant"]))
    code = code_for(case, str(use["backend"]), str(now["backend"]), environ)
    before = plain_code(case, str(now["backend"]))
    here = evidence.machine == machine_name() and not environ and not now["variant"]
    if code is None or before is None or not (try_it and here and code.leaves):
        return None if code is None else Way(code)
    return Way(code, tried(case, str(framework_of(str(now["backend"]))), before, code))


def way_lines(answer: Answer, way: Way) -> Iterator[str]:
    """The lines of code, indented, and a sentence on each thing that is to be known of them."""
    code = way.code
    yield from (f"    {line}" for line in (*code.shell, *code.lines))
    yield ""
    if code.note:
        yield code.note
    if way.left is not None:
        yield _there_and_back(answer, way, way.left)
    elif code.leaves:
        yield "What getting there and back costs was not tried: the figure above is that of the call alone."


def _there_and_back(answer: Answer, way: Way, left: Gain) -> str:
    tried_text = "There and back, tried just now in your framework with both thread pools:"
    beside = f"{times_text(left.times)} as fast as {arm_of(answer.now)}"
    if not way.is_known:
        floor = floor_text(left.verdict.noise_floor)
        return f"{tried_text} {beside}, but no difference below {floor} would have been seen: no answer."
    return f"{tried_text} {beside}. {_WORTH.get(left.word, 'Whether it is worth it is not known')}."
