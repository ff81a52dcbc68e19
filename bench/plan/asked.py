"""What the options ask to be measured: the cases, the backends, and what they are held against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bench.plan import callables
from bench.plan import option_values as values_as
from bench.plan.experiments import BASELINE, CONTROLS, STAND_IN
from bench.plan.option_values import OptionError, one_taken, several_taken, taken
from bench.plan.profiles import PROFILES, Grid
from bench.plan.recorded import recorded_grids
from bench.plan.settings import NetworkWish
from kernels import registry
from kernels.api import AXIS_TABLE, USUAL, Axis
from kernels.networks.case import words_of
from kernels.specs.op import all_checked

__all__ = ["Asked", "asked_for"]

_FREE_OF_NETWORKS = ("op", "direction", "threads", "negative_slope")
"""The axes on which networks have several values; of the others they have the usual one."""
_OTHERWISE_OF_NETWORKS = ("n", "layout")
"""The axes that networks fill in another way: from --batches and --widths."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be measured: fields as those of `Settings`."""

    grids: tuple[Grid, ...]
    network: NetworkWish
    backends: tuple[str, ...]
    plugins: Mapping[str, str]
    baseline: str
    baseline_note: str


def asked_for(values: Mapping[str, Any]) -> Asked:
    """By option values as typed.  Raises OptionError."""
    ops = _ops(values["op"])
    axes = _axes(values, tuple(ops))
    plugins = _plugins(values["plugin"]) | _callables(values["callable"], axes, ops)
    known = _known()
    profile = PROFILES[one_taken("profile", values["profile"], tuple(PROFILES))]
    grids = _grids(_recorded(values) or profile.grids, axes)
    named = (
        None
        if values["backends"] is None
        else _with(plugins, several_taken("backends", values["backends"], known))
    )
    backends = _with(plugins, _serving(known, grids)) if named is None else named
    network = _network(values, axes, named)
    return Asked(grids, network, backends, plugins | ops, *_baseline(values, known))


def _baseline(values: Mapping[str, Any], known: Sequence[str]) -> tuple[str, str]:
    """The baseline, and what is to be said of it (see `Settings.baseline_note`)."""
    if values["baseline"] is not None:
        return one_taken("baseline", values["baseline"], known), ""
    if registry.is_installed(BASELINE):
        return BASELINE, ""
    return STAND_IN, f"{BASELINE} is not installed: speed-ups are over {STAND_IN}"


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


def _plugins(specs: Sequence[str]) -> dict[str, str]:
    try:
        return registry.register_all(specs)
    except ValueError as error:
        raise OptionError("plugin", str(error)) from error


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
    """The usual backends made for one of the devices asked for; the others would only fill the table with skips."""
    kinds = {values_as.device_kind(str(device)) for grid in grids for device in grid["device"]}
    usual = filter(registry.is_usual, known)
    return tuple(name for name in usual if kinds.intersection(registry.devices(name)))


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
    """The grids, the axes replaced that were given; networks' words are none of activations.  Raises OptionError."""
    table = {axis.name: axis for axis in AXIS_TABLE}
    override = {
        name: tuple(value for value in given if not table[name].values or table[name].allows(value))
        for name, given in axes.items()
    }
    chosen: tuple[Grid, ...] = tuple({**grid, **override} for grid in grids)
    ops = tuple(dict.fromkeys(str(op) for grid in chosen for op in grid["op"]))
    taken("params", lambda _: values_as.refuse_params(axes.get("params", ()), ops), "")
    return chosen


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
