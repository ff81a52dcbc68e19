"""The sentences that a run prints: what is announced, an experiment that ended, and the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import itemgetter

from bench.plan.experiments import Arm, Experiment, arm_label
from bench.records.columns import TIMED
from bench.records.schema import Cell
from bench.run.run import Run
from bench.stats.fastest import COMPETING
from bench.text.units import count_text, seconds_text, span_text

__all__ = [
    "announcement",
    "arms",
    "experiment_line",
    "leader",
    "statuses",
    "time_left",
    "told_anew",
    "until",
]

_MOST_NAMED = 2
"""Arms that are named; of more, their number is told."""


def time_left(seconds: float) -> str:
    """``40 s left``; of a time that is over nothing is promised any more."""
    return f"{span_text(seconds)} left" if seconds >= 0.5 else "longer than was foreseen"


def until(seconds: float) -> str:
    """The time of day in so many seconds: ``14:05``, with seconds if it is soon, with the day if it is not."""
    then = datetime.now().astimezone() + timedelta(seconds=seconds)
    return then.strftime("%H:%M:%S" if seconds < 600 else "%H:%M" if seconds < 20 * 3600 else "%a %H:%M")


def announcement(run: Run) -> str:
    """What is about to happen, and when it will be done; a line for each thing that is not as it should be."""
    left, total = len(run.left), len(run.chosen)
    what = (
        count_text(total, "experiment")
        if left == total
        else f"{left} of {count_text(total, 'experiment')} left"
    )
    seconds = run.seconds_left()
    when = f", about {span_text(seconds)}, done by {until(seconds)}" if left else ""
    if left and round(run.compile_s):
        when += f" ({_compilers(run.compile_s, seconds)}, whose caches are not known to hold these cases)"
    notes = filter(None, [run.settings.baseline_note, *run.files.warnings])
    return "\n".join([f"run {run.run_id}: {what}{when}; files in {run.files.folder}/", *notes])


def _compilers(compile_s: float, seconds: float) -> str:
    """What they will take of so many seconds."""
    if compile_s >= seconds:
        return f"later if it really takes {span_text(compile_s)} for compilers alone"
    return f"{span_text(compile_s)} of it for compilers"


def told_anew(run: Run, seconds: float) -> str:
    """That the run will end later than was announced, and what went into compilers so far."""
    compiled_s = run.account.renewed_s
    why = f"; compilers took {span_text(compiled_s)} so far" if round(compiled_s) else ""
    return f"this takes longer than was announced: about {span_text(seconds)} more, done by {until(seconds)}{why}"


def arms(named: Sequence[Arm]) -> str:
    """``torch_eager``, ``torch_eager, numba_jit``, ``11 arms``."""
    if len(named) > _MOST_NAMED:
        return f"{len(named)} arms"
    return ", ".join(arm.label for arm in named)


def leader(cells: Sequence[Cell]) -> str:
    """The leader of an experiment, its time, and what it is beside the baseline; or why there is none."""
    ranked = [cell for cell in cells if cell.role in COMPETING and cell.status in TIMED]
    timed = [(cell.time_s, cell) for cell in ranked if cell.time_s is not None]
    if not timed:
        reasons = Counter(cell.reason for cell in cells if cell.reason)
        return f"nothing was timed ({reasons.most_common(1)[0][0] if reasons else 'no arm'})"
    time_s, best = min(timed, key=itemgetter(0))
    leads = f"{arm_label(best.backend, best.variant)} leads with {seconds_text(time_s)}"
    if best.role == "baseline" or best.speedup is None:
        return leads
    # The ratio is that of the rounds and may contradict the times where others use the machine: then it says nothing.
    beside = {"faster": f"{best.speedup:.2f}x {best.baseline}", "same": f"the same as {best.baseline}"}
    return f"{leads}, {beside.get(best.verdict, f'not told apart from {best.baseline}')}"


def statuses(ended: Iterable[str] | Mapping[str, int]) -> str:
    """``40 ok, 3 noisy``, the most frequent first; of the statuses of cells, or of how many have which."""
    found = Counter(ended)
    return ", ".join(f"{count:,} {name}" for name, count in found.most_common())


def experiment_line(run: Run, ended: Experiment) -> str:
    """An experiment that has ended: which, its leader, what went wrong, and the time left."""
    cells = run.rows([ended])
    total = len(run.chosen)
    done = f"{total - len(run.left):{len(str(total))}}/{total}"
    troubles = [cell for cell in cells if cell.status not in ("ok", "noisy", "skipped")]
    trouble = f"; {statuses(cell.status for cell in troubles)}" if troubles else ""
    when = f"{span_text(run.seconds_left())} left" if run.left else "done"
    return f"[{done}] {ended.label}: {leader(cells)}{trouble}; {when}"
