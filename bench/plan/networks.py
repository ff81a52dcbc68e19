"""Which networks are measured: `bench/test_network.py` named alone, or collected with the activations.

Imports no framework.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.plan.experiments import FLOOR, Arm, Experiment, Variant
from bench.plan.settings import NetworkWish, Settings
from bench.plan.shards import part_of
from kernels.networks import NETWORKS
from kernels.networks.case import NETWORK_DIRECTIONS, NETWORK_OPS, NetworkCase, parse_widths

__all__ = ["network_cases", "network_plan"]

Point = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Profile:
    work: tuple[Point, ...]
    widths: tuple[str, ...]
    batches: tuple[int, ...]


_EVERYTHING = tuple(itertools.product(NETWORK_OPS, NETWORK_DIRECTIONS))
_LARGE = _Profile(_EVERYTHING, ("10-5-3", "784-256-10", "4096-4096-4096"), (1, 32, 4096))
_PROFILES: Mapping[str, _Profile] = {
    "quick": _Profile(
        (("mlp_relu", "forward"), ("mlp_leaky_relu", "forward"), ("mlp_relu", "train_step")),
        ("10-5-3", "784-256-10"),
        (1, 32),
    ),
    "standard": _LARGE,
    "full": _LARGE,
    "card": _Profile((), ("10-5-3",), (1,)),  # networks run on the CPU; one that is named is a small one
}
_ARTICLE = _Profile((("mlp_relu", "forward"), ("mlp_leaky_relu", "forward")), ("10-5-3",), (1,))


def network_cases(settings: Settings, *, alone: bool) -> tuple[NetworkCase, ...]:
    """The networks' cases, each once, small ones first.

    `alone`: nothing but networks is measured.  Otherwise the quick profile has the article's own network only, and
    a run that was narrowed down by options of activations has none, unless networks were named as well.
    """
    wish = settings.network
    if not alone and not wish.named and (wish.foreign or wish.ops or wish.directions):
        return ()
    profile = _PROFILES[settings.profile_name]
    if not alone and not wish.named and settings.profile_name == "quick":
        profile = _ARTICLE
    found: dict[NetworkCase, None] = {}
    axes = (_work(profile, wish), wish.widths or profile.widths, wish.batches or profile.batches)
    for (op, direction), widths, batch in itertools.product(*axes):
        for threads, slope in itertools.product(wish.threads, wish.slopes):
            n = batch * parse_widths(widths)[0]
            case = NetworkCase(op, direction, layout=widths, n=n, threads=threads, negative_slope=slope)
            found[case] = None
    return tuple(sorted(found, key=lambda case: (case.flops, case.parameters)))


def network_plan(settings: Settings, *, alone: bool) -> tuple[Experiment, ...]:
    """Every case with every arm: backends, the same without activation (`ablation`), twin and floor.

    In company the ablations are left out, which would double the number of processes.
    """
    arms = _arms(settings, ablations=alone or settings.network.named)
    planned = tuple(Experiment(case, arms) for case in network_cases(settings, alone=alone))
    return part_of(planned, settings.shard)


def _work(profile: _Profile, wish: NetworkWish) -> Sequence[Point]:
    if wish.ops is None and wish.directions is None:
        return profile.work
    ops = [op for op in wish.ops or NETWORK_OPS if op in NETWORK_OPS]
    directions = [each for each in wish.directions or NETWORK_DIRECTIONS if each in NETWORK_DIRECTIONS]
    return list(itertools.product(ops, directions))


def _arms(settings: Settings, *, ablations: bool) -> tuple[Arm, ...]:
    baseline = settings.baseline
    named = settings.network.backends or tuple(name for name in settings.backends if name in NETWORKS)
    variants = (Variant(), *settings.variants)
    plain = [
        Arm(name, "candidate", variant) for name in named for variant in variants if _applies(variant, name)
    ]
    plain = [Arm(baseline, "baseline"), *(arm for arm in plain if arm != Arm(baseline))]
    without = [Arm(arm.backend, "ablation", arm.variant) for arm in plain] if ablations else []
    return (*plain, *without, Arm(baseline, "twin"), Arm(FLOOR, "floor"))


def _applies(variant: Variant, backend: str) -> bool:
    return variant.backend in ("", backend)
