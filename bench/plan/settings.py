"""What `pytest bench/` was asked for: the options, parsed and checked (see `bench.plan.options`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.plan.experiments import Variant
from bench.plan.profiles import Grid, Profile
from bench.plan.shards import Shard
from kernels.networks.case import NETWORK_OPS

__all__ = ["FORCE", "NetworkWish", "Settings"]

FORCE = "RELU_BENCH_FORCE"
"""The environment variable that says what --force says, to scripts too."""


@dataclass(frozen=True, slots=True)
class NetworkWish:
    """What was asked for in words that networks know; None is the profile's own.

    `foreign` are options (as they are typed) that only activations have and that were given.
    """

    batches: tuple[int, ...] | None = None
    widths: tuple[str, ...] | None = None
    ops: tuple[str, ...] | None = None
    directions: tuple[str, ...] | None = None
    backends: tuple[str, ...] | None = None
    threads: tuple[int, ...] = (0,)
    slopes: tuple[float, ...] = (0.01,)
    foreign: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether something was said that only networks know."""
        words = (*(self.ops or ()), *(self.directions or ()))
        return bool(self.batches or self.widths or {"train_step", *NETWORK_OPS}.intersection(words))


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
    baseline_note: str
    """Why it is not the usual one although nobody asked for another, in one line; empty if it is."""
    resolve: float | None
    """The fraction within which arms are to be told apart or shown to be the same; None: the suite's own, no goal."""
    processes: int | None
    """In how many processes each arm is measured; None: as many as there is time for (`bench.plan.time_plan`)."""
    target_ci: float | None
    """Half the width of a time's interval that is asked for besides, as a fraction."""
    max_seconds: float | None
    minutes: float | None
    cell_timeout: float
    inline: bool
    require: tuple[str, ...]
    results: Path
    run_id: str | None
    shard: Shard | None
    """The part of the run that is measured; None: all of it."""
    retry_failed: bool
    force: bool
    """Measure even while another run is being measured on this machine."""
    anonymise: bool = False
    """Whether the files leave out who measured, on which host, and where things lie."""
