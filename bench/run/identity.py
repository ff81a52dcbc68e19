"""Which run it is: its id, the conditions that it was begun under, and whether one that goes on has the same."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import environment, spoilers
from bench.plan.settings import Settings
from bench.records.errors import RunFilesError
from bench.text.hints import did_you_mean
from bench.text.private import masked

__all__ = ["cards", "check_same", "conditions", "new_run_id", "no_such_run"]

_MOST_NAMED = 8
"""Runs that an error names: the newest, where ids are times."""


def new_run_id(results: Path) -> str:
    """The time, and a number where another run began in the same second."""
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([now], (f"{now}-{number}" for number in itertools.count(2)))
    return next(name for name in names if not _is_there(results / name))


def _is_there(folder: Path) -> bool:
    """Where nobody can look, nobody can write: that is told when it is tried."""
    try:
        return folder.exists()
    except OSError:
        return False


def no_such_run(run_id: str, results: Path) -> RunFilesError:
    """What ``--retry-failed`` says where there is nothing to retry."""
    there = sorted(path.parent.name for path in results.glob("*/cells.csv"))
    known = f"there is {', '.join(there[-_MOST_NAMED:])}" if there else "there is none at all"
    return RunFilesError(
        f"--retry-failed: no run {run_id!r} under {results}/; {known}{did_you_mean(run_id, there)}"
    )


def conditions(settings: Settings, processes: int, devices: Sequence[str]) -> dict[str, Any]:
    """What environment.json says: the machine, the options, what may spoil the run, and the cards."""
    found = environment.describe(_plain(settings, processes))
    found |= {"warnings": spoilers.warnings()} | cards("cards", devices)
    models = _models(found)
    return found | ({environment.CARD_MODELS: models} if models else {})


def check_same(run_id: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RunFilesError where rows of both would not belong together."""
    changed = [name for name in environment.DIFFERS if before.get(name) != now.get(name)]
    for device, model in _named(before, environment.CARD_MODELS).items():
        other = _named(now, environment.CARD_MODELS).get(device, model)
        if other != model:
            raise RunFilesError(
                f"run {run_id} was made on another {device} ({model} then, {other} now); choose another --run-id"
            )
    if changed:
        raise RunFilesError(
            f"run {run_id} was made under another {changed[0]} "
            f"({before.get(changed[0])} then, {now.get(changed[0])} now); choose another --run-id"
        )
    then, today = (each.get("options") for each in (before, now))
    for kind in ("variants", "interpreters"):
        for name, meant in _named(today, kind).items():
            had = _named(then, kind).get(name, meant)
            if had != meant:
                raise RunFilesError(
                    f"in run {run_id} {name} is {had}, and {meant} now; use another name, or another --run-id"
                )


def _models(about: Mapping[str, Any]) -> dict[str, str]:
    """The cards that rows may come from: a row of one says nothing of another."""
    if not about.get("cards"):
        return {}
    from bench.machine import nvidia  # noqa: PLC0415  # as below

    return nvidia.models(about["cards"])


def _named(options: object, kind: str) -> Mapping[str, Any]:
    """What a part of the file says by name; nothing where it has none of it."""
    found = options.get(kind) if isinstance(options, dict) else None
    return found if isinstance(found, dict) else {}


def cards(name: str, devices: Sequence[str]) -> dict[str, Any]:
    """The cards among the devices, as they are now, for environment.json; nothing for CPUs alone."""
    if set(devices) <= {"cpu"}:
        return {}
    from bench.machine import nvidia  # noqa: PLC0415  # costs nothing where no card is asked for

    return {name: nvidia.describe(devices)}


def _plain(settings: Settings, processes: int) -> dict[str, Any]:
    return {
        "profile": settings.profile_name,
        "backends": list(settings.backends),
        "variants": {
            variant.name: {name: masked(name, value) for name, value in variant.environ}
            for variant in settings.variants
        },
        "interpreters": {variant.name: variant.python for variant in settings.variants if variant.python},
        "plugins": dict(settings.plugins),
        "shard": None if settings.shard is None else str(settings.shard),
        "baseline": settings.baseline,
        "resolve": settings.resolve,
        "processes": processes,
        "target_ci": settings.target_ci,
        "minutes": settings.minutes,
        "max_seconds": settings.max_seconds,
        "cell_timeout": settings.cell_timeout,
        "isolation": "inline" if settings.inline else "process",
        "grids": [{axis: list(values) for axis, values in grid.items()} for grid in settings.grids],
    }
