"""The options of ``pytest bench/`` and what their values may be.

Knows nothing of pytest: a sweep or a script parses the same words with the same errors.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.plan import option_values as take
from bench.plan.experiments import CONTROLS, Variant
from bench.plan.networks import NetworkWish
from bench.plan.option_values import OptionError
from bench.plan.profiles import AXIS_OPTIONS, PROFILES, Grid, Profile
from kernels import registry
from kernels.api import CACHES, DATA, DIRECTIONS, DTYPES, LAYOUTS, OPS, PLACEMENTS
from kernels.networks.case import NETWORK_DIRECTIONS, NETWORK_OPS

__all__ = ["OPTIONS", "OptionError", "OptionSpec", "Settings", "parse"]


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """How an option is offered on a command line."""

    name: str
    metavar: str | None
    help: str
    default: Any = None
    action: str = "store"


_OPS = (*OPS, *NETWORK_OPS)
_DIRECTIONS = tuple(dict.fromkeys((*DIRECTIONS, *NETWORK_DIRECTIONS)))
_NETWORKS_HAVE = {
    **dict.fromkeys(("ops", "directions", "threads", "negative_slopes"), "*"),
    **{"placements": "new", "dtypes": "float32", "data": "normal", "cache_states": "hot", "devices": "cpu"},
}
"""The axes' options that mean something to a network: any value, or the one that it has."""

OPTIONS: tuple[OptionSpec, ...] = (
    OptionSpec(
        "profile",
        "NAME",
        "quick (default, 3 to 4 minutes), standard (20 to 30 minutes), full (6 hours); longer beside others' work",
        "quick",
    ),
    OptionSpec("backends", "A,B", "backends to measure (default: all that serve the devices asked for)"),
    OptionSpec("ops", "A,B", f"of {', '.join(OPS)}; networks: {', '.join(NETWORK_OPS)}"),
    OptionSpec("directions", "A,B", f"of {', '.join(DIRECTIONS)}; networks: {', '.join(NETWORK_DIRECTIONS)}"),
    OptionSpec("placements", "A,B", f"of {', '.join(PLACEMENTS)}"),
    OptionSpec("dtypes", "A,B", f"of {', '.join(DTYPES)}"),
    OptionSpec("sizes", "A,B", "element counts: 1024, 1Ki, 16Mi, ranges 1Ki:64Mi:x4"),
    OptionSpec("layouts", "A,B", f"of the inputs: {', '.join(LAYOUTS)}"),
    OptionSpec("data", "A,B", f"what the inputs hold: {', '.join(DATA)}"),
    OptionSpec("cache_states", "A,B", f"before each call: {', '.join(CACHES)}"),
    OptionSpec("devices", "A,B", "cpu, cuda, cuda:0, cuda:1 …"),
    OptionSpec("threads", "A,B", "CPU threads; 0 is each framework's own default"),
    OptionSpec("negative_slopes", "A,B", "slopes of leaky_relu"),
    OptionSpec("batches", "A,B", "networks: rows of the input batch, as in 1,32"),
    OptionSpec("widths", "A,B", "networks: input-hidden-output, as in 10-5-3,784-256-10"),
    OptionSpec(
        "variant",
        "NAME[@BACKEND]:K=V[,K=V]",
        "measure also with these environment variables set",
        [],
        "append",
    ),
    OptionSpec("plugin", "MODULE:CLASS", "measure this backend too; may be given again", [], "append"),
    OptionSpec(
        "baseline",
        "NAME",
        "what speed-ups are against (default numpy_ufunc, on cuda torch_eager)",
        "numpy_ufunc",
    ),
    OptionSpec(
        "target_ci", "F", "stop when every 95 %% interval is within ± this fraction (default 0.02)", "0.02"
    ),
    OptionSpec(
        "max_seconds",
        "S",
        "at most this long in one experiment's rounds, twice that beside other load "
        "(default: the profile's budget, shared)",
    ),
    OptionSpec("cell_timeout", "S", "a cell that keeps its worker longer is a timeout (default 120)", "120"),
    OptionSpec(
        "isolation", "HOW", "process (default): one per arm; inline: in this process, for --pdb", "process"
    ),
    OptionSpec(
        "guard",
        "ON",
        "on (default): wait for others to end, measure again what they or a slow CPU disturbed; off",
        "on",
    ),
    OptionSpec("require", "A,B", "backends whose skip is a failure", ""),
    OptionSpec("results", "DIR", "where runs are written (default results/)", "results"),
    OptionSpec("run_id", "ID", "name of the run; one that exists goes on where it stopped"),
    OptionSpec("retry_failed", None, "with --run-id: measure again what did not end ok", False, "store_true"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, parsed and checked."""

    profile_name: str
    profile: Profile
    grids: tuple[Grid, ...]
    network: NetworkWish
    backends: tuple[str, ...]
    variants: tuple[Variant, ...]
    plugins: Mapping[str, str]
    baseline: str
    target_ci: float
    max_seconds: float | None
    cell_timeout: float
    inline: bool
    guard: bool
    require: tuple[str, ...]
    results: Path
    run_id: str | None
    retry_failed: bool


def parse(raw: Mapping[str, Any]) -> Settings:
    """Settings from option values as typed (missing ones take their default).

    Raises OptionError for the first value that is not allowed.
    """
    values = {spec.name: spec.default for spec in OPTIONS} | {k: v for k, v in raw.items() if v is not None}
    plugins = _plugins(values["plugin"])
    known = _known()
    profile = PROFILES[take.choice("profile", values["profile"], tuple(PROFILES))]
    grids = _grids(profile, values)
    named = values["backends"]
    backends = _serving(known, grids) if named is None else take.choices("backends", named, known)
    baseline = take.choice("baseline", values["baseline"], known)
    measured = tuple(dict.fromkeys((baseline, *backends)))
    run_id = values["run_id"]
    if run_id == "reference":
        raise OptionError("run_id", "'reference' is the folder of runs that are kept; choose another name")
    if run_id is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", run_id):
        raise OptionError(
            "run_id", f"{run_id!r} is no folder name; allowed: letters, digits, '.', '_' and '-'"
        )
    if values["retry_failed"] and run_id is None:
        raise OptionError("retry_failed", "needs --run-id ID, the run whose failed cells are measured again")
    return Settings(
        profile_name=values["profile"],
        profile=profile,
        grids=grids,
        network=_network(values, grids, backends if named is not None else None),
        backends=backends,
        variants=_variants(values["variant"], backends),
        plugins=plugins,
        baseline=baseline,
        target_ci=take.number("target_ci", values["target_ci"], 0.0005, 1.0),
        max_seconds=None
        if values["max_seconds"] is None
        else take.number("max_seconds", values["max_seconds"], 0.01, 86400),
        cell_timeout=take.number("cell_timeout", values["cell_timeout"], 0.1, 86400),
        inline=take.choice("isolation", values["isolation"], ("process", "inline")) == "inline",
        guard=take.choice("guard", values["guard"], ("on", "off")) == "on",
        require=take.choices("require", values["require"], measured) if values["require"] else (),
        results=Path(_folder(values["results"])),
        run_id=run_id,
        retry_failed=bool(values["retry_failed"]),
    )


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


def _serving(known: Sequence[str], grids: Sequence[Grid]) -> tuple[str, ...]:
    """The backends made for one of the devices asked for; the others would only fill the table with skips."""
    kinds = {str(device).partition(":")[0] for grid in grids for device in grid["device"]}
    return tuple(name for name in known if kinds.intersection(registry.devices(name)))


def _grids(profile: Profile, values: Mapping[str, Any]) -> tuple[Grid, ...]:
    parsers: Mapping[str, Callable[[str], tuple[object, ...]]] = {
        "ops": lambda text: _of_activations("ops", text, _OPS, OPS),
        "directions": lambda text: _of_activations("directions", text, _DIRECTIONS, DIRECTIONS),
        "placements": lambda text: take.choices("placements", text, PLACEMENTS),
        "dtypes": lambda text: take.choices("dtypes", text, DTYPES),
        "sizes": take.sizes,
        "layouts": lambda text: take.choices("layouts", text, LAYOUTS),
        "data": lambda text: take.choices("data", text, DATA),
        "cache_states": lambda text: take.choices("cache_states", text, CACHES),
        "devices": take.devices,
        "threads": lambda text: tuple(
            int(take.number("threads", item, 0, 4096, whole=True)) for item in take.items("threads", text)
        ),
        "negative_slopes": lambda text: tuple(
            take.number("negative_slopes", item, float("-inf"), float("inf"))
            for item in take.items("negative_slopes", text)
        ),
    }
    override = {
        field: parsers[option](values[option])
        for option, field in AXIS_OPTIONS.items()
        if values[option] is not None
    }
    return tuple({**grid, **override} for grid in profile.grids)


def _of_activations(option: str, text: str, allowed: Sequence[str], own: Sequence[str]) -> tuple[str, ...]:
    return tuple(item for item in take.choices(option, text, allowed) if item in own)


def _network(
    values: Mapping[str, Any], grids: Sequence[Grid], backends: tuple[str, ...] | None
) -> NetworkWish:
    """What the options say of networks."""
    threads, slopes = grids[0]["threads"], grids[0]["negative_slope"]
    given = {name: values[name] for name in AXIS_OPTIONS if values[name] is not None}
    return NetworkWish(
        batches=None if values["batches"] is None else take.batches(values["batches"]),
        widths=None if values["widths"] is None else take.widths(values["widths"]),
        ops=None if "ops" not in given else take.choices("ops", given["ops"], _OPS),
        directions=None
        if "directions" not in given
        else take.choices("directions", given["directions"], _DIRECTIONS),
        backends=backends,
        threads=threads if "threads" in given else (0,),  # type: ignore[arg-type]  # parsed as whole numbers
        slopes=slopes if "negative_slopes" in given else (0.01,),  # type: ignore[arg-type]  # parsed as numbers
        foreign=tuple(name for name in given if _NETWORKS_HAVE.get(name, "") not in ("*", given[name])),
    )


def _variants(texts: Sequence[str], measured: Sequence[str]) -> tuple[Variant, ...]:
    variants = []
    for text in texts:
        match = re.fullmatch(r"([\w.-]+)(?:@([\w.-]+))?:(.+)", text)
        pairs = [pair.partition("=") for pair in match[3].split(",")] if match else []
        if match is None or any(not sign or not re.fullmatch(r"[A-Za-z_]\w*", key) for key, sign, _ in pairs):
            raise OptionError(
                "variant",
                f"{text!r} is no variant; allowed: NAME[@BACKEND]:K=V[,K=V], as thp:THP_MEM_ALLOC_ENABLE=1",
            )
        backend = take.choice("variant", match[2], measured) if match[2] else ""
        variants.append(Variant(match[1], tuple((key, value) for key, _, value in pairs), backend))
    for one, other in itertools.combinations(variants, 2):
        if one.name == other.name and (one.backend == other.backend or "" in (one.backend, other.backend)):
            raise OptionError(
                "variant", f"{one.name!r} is given twice for a backend; give each variant a name of its own"
            )
    return tuple(variants)
