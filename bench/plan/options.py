"""The options of ``pytest bench/`` and what their values may be.

Knows nothing of pytest: a sweep or a script parses the same words with the same errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.plan import callables
from bench.plan import option_values as values_as
from bench.plan.experiments import BASELINE, CONTROLS, STAND_IN
from bench.plan.option_table import MOST_PROCESSES, OPTIONS
from bench.plan.option_values import OptionError, taken
from bench.plan.profiles import PROFILES, Grid
from bench.plan.recorded import recorded_grids
from bench.plan.settings import FORCE, NetworkWish, Settings
from bench.plan.shards import shard
from bench.plan.variants import variants_of
from kernels import registry
from kernels.api import AXIS_TABLE, USUAL, Axis
from kernels.networks.case import words_of
from kernels.specs.op import all_checked

__all__ = ["OptionError", "parse"]

_FREE_OF_NETWORKS = ("op", "direction", "threads", "negative_slope")
"""The axes on which networks have several values; of the others they have the usual one."""
_OTHERWISE_OF_NETWORKS = ("n", "layout")
"""The axes that networks fill in another way: from --batches and --widths."""


def parse(raw: Mapping[str, Any]) -> Settings:
    """Settings from option values as typed (missing ones take their default).

    Raises OptionError for the first value that is not allowed.
    """
    values = {spec.name: spec.default for spec in OPTIONS} | {k: v for k, v in raw.items() if v is not None}
    ops = _ops(values["op"])
    axes = _axes(values, tuple(ops))
    plugins = _plugins(values["plugin"]) | _callables(values["callable"], axes, ops)
    known = _known()
    profile = PROFILES[_one_of("profile", values, tuple(PROFILES))]
    grids = _grids(_recorded(values) or profile.grids, axes)
    named = None if values["backends"] is None else _with(plugins, _list_of("backends", values, known))
    backends = _with(plugins, _serving(known, grids)) if named is None else named
    baseline, note = _baseline(values, known)
    measured = tuple(dict.fromkeys((baseline, *backends)))
    run_id = _run_id(values)
    inline = _one_of("isolation", values, ("process", "inline")) == "inline"
    return Settings(
        profile_name=values["profile"],
        profile=profile,
        grids=grids,
        network=_network(values, axes, named),
        backends=backends,
        variants=variants_of(values["variant"], values["arm"], backends),
        plugins=plugins | ops,
        baseline=baseline,
        baseline_note=note,
        resolve=_fraction("resolve", values, 0.001, 1.0),
        processes=1 if inline else _processes(values),
        target_ci=_fraction("target_ci", values, 0.0005, 1.0),
        max_seconds=None if values["max_seconds"] is None else _number("max_seconds", values, 0.01, 86400),
        minutes=None if values["minutes"] is None else _number("minutes", values, 0.1, 100_000),
        cell_timeout=_number("cell_timeout", values, 0.1, 86400),
        inline=inline,
        require=_list_of("require", values, measured) if values["require"] else (),
        results=Path(_folder(values["results"])),
        run_id=run_id,
        shard=None if values["shard"] is None else taken("shard", shard, values["shard"]),
        retry_failed=bool(values["retry_failed"]),
        force=bool(values["force"]) or os.environ.get(FORCE, "0") not in ("", "0"),
        anonymise=bool(values["anonymise"]),
    )


def _baseline(values: Mapping[str, Any], known: Sequence[str]) -> tuple[str, str]:
    """The baseline, and what is to be said of it (see `Settings.baseline_note`)."""
    if values["baseline"] is not None:
        return _one_of("baseline", values, known), ""
    if registry.is_installed(BASELINE):
        return BASELINE, ""
    return STAND_IN, f"{BASELINE} is not installed: speed-ups are over {STAND_IN}"


def _one_of(option: str, values: Mapping[str, Any], allowed: Sequence[str]) -> str:
    return taken(option, partial(values_as.one_of, allowed), values[option])


def _list_of(option: str, values: Mapping[str, Any], allowed: Sequence[str]) -> tuple[str, ...]:
    word = partial(values_as.one_of, allowed)
    return taken(option, partial(values_as.list_of, word), values[option])


def _number(option: str, values: Mapping[str, Any], low: float, high: float) -> float:
    return taken(option, partial(values_as.number, low=low, high=high), values[option])


def _fraction(option: str, values: Mapping[str, Any], low: float, high: float) -> float | None:
    if values[option] is None:
        return None
    return taken(option, partial(values_as.fraction, low=low, high=high), values[option])


def _whole(option: str, values: Mapping[str, Any], low: int, high: int) -> int:
    return taken(option, partial(values_as.whole, low=low, high=high), values[option])


def _processes(values: Mapping[str, Any]) -> int | None:
    return None if values["processes"] is None else _whole("processes", values, 1, MOST_PROCESSES)


def _run_id(values: Mapping[str, Any]) -> str | None:
    found: str | None = values["run_id"]
    if found == "reference":
        raise OptionError("run_id", "'reference' is the folder of runs that are kept; choose another name")
    if found is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", found):
        raise OptionError(
            "run_id", f"{found!r} is no folder name; allowed: letters, digits, '.', '_' and '-'"
        )
    if values["retry_failed"] and found is None:
        raise OptionError("retry_failed", "needs --run-id ID, the run whose failed cells are measured again")
    return found


def _known() -> tuple[str, ...]:
    """All backends' names; two of one name are an error, wherever they come from."""
    try:
        names = tuple(registry.names())
    except ValueError as error:
        raise OptionError("backends", str(error)) from error
    for name in CONTROLS:
        if name in names:
            raise OptionError("plugin", f"{name!r} is a control arm of every experiment; rename the backend")
    return names


def _folder(text: str) -> str:
    if not str(text).strip():
        raise OptionError("results", f"{text!r} names no folder; allowed: a path such as results")
    return text


def _plugins(specs: Sequence[str]) -> dict[str, str]:
    plugins = {}
    for spec in specs:
        try:
            plugins[registry.register(spec)] = spec
        except ValueError as error:
            raise OptionError("plugin", str(error)) from error
    return plugins


def _callables(
    texts: Sequence[str], axes: Mapping[str, tuple[Any, ...]], ops: Mapping[str, str]
) -> dict[str, str]:
    try:
        return callables.adopted(texts, axes.get("op", ()), axes.get("dtype", ()), ops)
    except ValueError as error:
        raise OptionError("callable", str(error)) from error


def _with(plugins: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` and each --plugin: whoever gives one wants it measured, whatever else is named."""
    return tuple(dict.fromkeys((*names, *plugins)))


def _serving(known: Sequence[str], grids: Sequence[Grid]) -> tuple[str, ...]:
    """The backends made for one of the devices asked for; the others would only fill the table with skips."""
    kinds = {values_as.device_kind(str(device)) for grid in grids for device in grid["device"]}
    return tuple(name for name in known if kinds.intersection(registry.devices(name)))


def _ops(texts: Sequence[str]) -> dict[str, str]:
    """Users' own ops by name, with what stands for each."""
    try:
        return all_checked(texts)
    except ValueError as error:
        raise OptionError("op", str(error)) from None


def _axes(values: Mapping[str, Any], ops: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    """The values of each axis whose option was given, networks' words among them, and each --op among the ops."""
    found = {
        axis.name: taken(
            axis.option,
            values_as.axis_list(axis, (*words_of(axis), *(ops if axis.own else ()))),
            values[axis.option],
        )
        for axis in AXIS_TABLE
        if values[axis.option] is not None
    }
    return {**found, "op": tuple(dict.fromkeys((*found.get("op", ()), *ops)))} if ops else found


def _recorded(values: Mapping[str, Any]) -> tuple[Grid, ...]:
    """The grids of a program's own cases, none where no file of them was named."""
    return () if values["cases"] is None else taken("cases", recorded_grids, values["cases"])


def _grids(grids: Sequence[Grid], axes: Mapping[str, tuple[Any, ...]]) -> tuple[Grid, ...]:
    """The grids, the axes replaced that were given; networks' words are none of activations."""
    table = {axis.name: axis for axis in AXIS_TABLE}
    override = {
        name: tuple(value for value in given if not table[name].values or table[name].allows(value))
        for name, given in axes.items()
    }
    return tuple({**grid, **override} for grid in grids)


def _network(
    values: Mapping[str, Any], axes: Mapping[str, tuple[Any, ...]], backends: tuple[str, ...] | None
) -> NetworkWish:
    """What the options say of networks."""
    rows = partial(values_as.whole, low=1, high=1 << 20)
    batches, widths = values["batches"], values["widths"]
    return NetworkWish(
        batches=None if batches is None else taken("batches", partial(values_as.list_of, rows), batches),
        widths=None
        if widths is None
        else taken("widths", partial(values_as.list_of, values_as.widths), widths),
        ops=axes.get("op"),
        directions=axes.get("direction"),
        backends=backends,
        threads=axes.get("threads", (USUAL["threads"],)),
        slopes=axes.get("negative_slope", (USUAL["negative_slope"],)),
        foreign=(
            *(axis.option for axis in AXIS_TABLE if axis.name in axes and _is_foreign(axis, axes)),
            *(() if values["cases"] is None else ("cases",)),
        ),
    )


def _is_foreign(axis: Axis, axes: Mapping[str, tuple[Any, ...]]) -> bool:
    """Whether networks have none of the values that were given."""
    if axis.name in _FREE_OF_NETWORKS:
        return False
    return axis.name in _OTHERWISE_OF_NETWORKS or axes[axis.name] != (USUAL[axis.name],)
