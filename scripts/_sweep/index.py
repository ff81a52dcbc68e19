"""sweep.json: what a sweep was asked for, its machines, and what became of each shard, so that it can go on."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.records import durable
from bench.records.find_runs import INDEX
from scripts._shared.cli import UsageError
from scripts._sweep.lanes import Done, Lane, Lanes

__all__ = ["asked_before", "index_of", "lanes_in", "write_index"]

_LETTERS = 12
"""Of the hash that stands for a host where names are left out."""


def asked_before(folder: Path) -> Mapping[str, Any] | None:
    """What the index of a sweep says; None where there is none.  Raises UsageError for one that is damaged."""
    path = folder / INDEX
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found["shards"], int):
            raise TypeError("shards is no number")
        return {**found, "runs": found["runs"], "options": found["options"], "on": found["on"]}
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: is no index of a sweep ({error}); restore it, or choose another --run-id"
        ) from error


def lanes_in(index: Mapping[str, Any], sweep: str) -> Lanes:
    """The lanes as they were.  Raises UsageError."""
    lanes = Lanes(sweep, index["on"], index["shards"])
    try:
        for run in index["runs"]:
            lane = Lane(run["run"], run["machine"], run["versions"], lanes.count, list(run["hosts"]))
            lane.done = {int(number): Done(**done) for number, done in run["done"].items()}
            lane.failed = set(run["failed"])
            lane.begin()
            lanes.all.append(lane)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{INDEX} of {sweep}: is damaged ({error}); choose another --run-id") from error
    return lanes


def index_of(
    lanes: Lanes, options: Sequence[str], cells: Mapping[str, int], planned: int
) -> Mapping[str, Any]:
    """What stands in it; `cells` by run."""
    return {
        "sweep": lanes.sweep,
        "on": lanes.on,
        "shards": lanes.count,
        "cells_planned": planned,
        "options": list(options),
        "runs": [_run(lane, cells.get(lane.run, 0)) for lane in lanes.all],
    }


def write_index(folder: Path, index: Mapping[str, Any]) -> None:
    """Write it anew, all or nothing.  Raises OSError."""
    durable.replace(folder / INDEX, (json.dumps(index, indent=1) + "\n").encode())


def _run(lane: Lane, cells: int) -> dict[str, Any]:
    return {
        "run": lane.run,
        "cells": cells,
        "hosts": list(lane.hosts),
        "machine": lane.told,
        "fingerprint": fingerprint(lane.told),
        "versions": lane.versions,
        "done": {str(number): dataclasses.asdict(done) for number, done in sorted(lane.done.items())},
        "failed": sorted(lane.failed),
        "missing": {str(number): reason for number, reason in sorted(lane.missing.items())},
    }


def fingerprint(told: Mapping[str, Any]) -> str:
    """The same for machines that are alike."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:_LETTERS]
