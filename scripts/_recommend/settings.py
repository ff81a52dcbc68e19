"""What may be set besides the implementation, and what it was measured to be worth for a case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bench.plan.option_table import MOST_PROCESSES
from kernels.api import PLACEMENTS, Case
from scripts._recommend.commands import command, variant_option, variants_for
from scripts._recommend.ranking import Answer, arm_of
from scripts._recommend.runs import Evidence
from scripts._shared.filters import matching
from scripts._shared.ratios import Ratio, Row, apart

__all__ = ["Setting", "settings", "untried"]

_FEWEST_PROCESSES = 2
"""With one, how processes differ is not seen."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A measured setting: `kind` is placement, threads or variant; `gain` is its factor on `arm`'s time."""

    kind: str
    name: str
    arm: str
    gain: Ratio
    environ: dict[str, str] = field(default_factory=dict)


def settings(evidence: Evidence, answer: Answer) -> list[Setting]:
    """The settings measured at this very size, for the arm to use and the one used now."""
    if answer.basis != "measured":
        return []
    found: list[Setting] = []
    for row in {arm_of(row): row for row in (answer.use, answer.now)}.values():
        found += _variants(evidence, answer, row)
        found += _elsewhere(evidence, answer.case, row)
    return found


def untried(evidence: Evidence, answer: Answer) -> list[str]:
    """Commands that would measure the settings which the runs have nothing on."""
    case, commands = answer.case, []
    if answer.distrust is not None:  # first of all a run that is to be believed
        again = answer.distrust.busy and answer.basis == "measured"
        return [command(case, [case.placement]) if again else _resolving(evidence, answer)]
    measured = settings(evidence, answer)
    if answer.basis != "measured":
        commands.append(command(case, [case.placement]))
    elif answer.over_now.verdict == "unresolved":
        commands.append(_resolving(evidence, answer))
    tried = {setting.name for setting in measured if setting.kind == "variant"}
    if case.placement == "new" and case.device == "cpu" and not tried:
        options = [
            variant_option(name, backend, environ)
            for backend in dict.fromkeys(str(row["backend"]) for row in (answer.use, answer.now))
            for name, environ in variants_for(backend).items()
        ]
        if options:
            commands.append(command(case, [case.placement], variants=options))
    if case.device == "cpu" and not any(setting.kind == "threads" for setting in measured):
        commands.append(command(case, [case.placement], threads="0,1" if case.threads != 1 else "1,0"))
    return commands


def _resolving(evidence: Evidence, answer: Answer) -> str:
    """What would resolve the verdict on the best arm beside the one used now: only these two, and until it is."""
    options = {"baseline": str(answer.now["backend"]), "backends": str(answer.best["backend"])}
    options["resolve"] = f"{answer.resolve:g}"
    needed = answer.over_now.resolve_processes
    if needed is not None:
        options["processes"] = str(min(max(needed, _FEWEST_PROCESSES), MOST_PROCESSES))
    variants = [
        variant_option(str(row["variant"]), str(row["backend"]), environ)
        for row in (answer.now, answer.best)
        if (environ := evidence.variant_environ(str(row["run_id"]), str(row["variant"])))
    ]
    return command(answer.case, [answer.case.placement], variants=variants, options=options)


def _variants(evidence: Evidence, answer: Answer, row: Row) -> Iterator[Setting]:
    same = [other for other in answer.arms if other["backend"] == row["backend"]]
    plain = next((other for other in same if not other["variant"]), None)
    for other in same if plain else ():
        if other["variant"]:
            environ = evidence.variant_environ(str(other["run_id"]), str(other["variant"]))
            gain = evidence.paired(plain, other)  # type: ignore[arg-type]  # `plain` is a row here
            yield Setting("variant", str(other["variant"]), str(row["backend"]), gain, environ)


def _elsewhere(evidence: Evidence, case: Case, row: Row) -> Iterator[Setting]:
    """The same arm at another placement or with other threads: cells of other experiments."""
    for placement in PLACEMENTS:
        if placement != case.placement:
            yield from _against(evidence, replace(case, placement=placement), row, "placement", placement)
    cells = matching(evidence.cells, case, but=("threads",))
    for threads in sorted(int(count) for count in cells["threads"].unique()):
        if threads != case.threads:
            yield from _against(evidence, replace(case, threads=threads), row, "threads", str(threads))


def _against(evidence: Evidence, case: Case, row: Row, kind: str, name: str) -> Iterator[Setting]:
    cells = matching(evidence.cells, case)
    same = cells[(cells["backend"] == row["backend"]) & (cells["variant"] == row["variant"])]
    if len(same):
        other: Row = {str(key): value for key, value in same.iloc[-1].to_dict().items()}
        yield Setting(kind, name, arm_of(row), apart(row, other))
