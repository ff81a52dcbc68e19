"""Every chart of the page as a Vega-Lite spec, by name: the section's id, with a suffix where it has several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from scripts._report import bars, charts
from scripts._report.sections import SECTIONS, Section
from scripts._shared.drawn_arms import Arm
from scripts._shared.style import Layers

__all__ = ["specs_of"]

_SCALES = {"": False, "-near": True}
"""The suffixes of charts that there are twice, and whether what they draw differs little."""


def specs_of(arms: Sequence[Arm]) -> dict[str, Any]:
    """Those of a page with these arms; ``-near`` are linear, for what differs little, ``-upright`` for a phone."""
    ranked = [arm for arm in arms if arm.competes]
    found = {
        "time": charts.over_size(ranked, "seconds"),
        "bandwidth": charts.over_size(ranked, "gb_per_s"),
        "noise": charts.noise(ranked),
    }
    for suffix, near in _SCALES.items():
        found[f"here{suffix}"] = bars.dots(ranked, log=not near)
        found[f"rounds{suffix}"] = bars.rounds(ranked, log=not near)
    return _specs(found) | _of_any_arms()


@cache
def _of_any_arms() -> dict[str, Any]:
    """Those that are the same on every page."""
    speedup = ("speedup", "speed-up over what is used now")
    found = {
        "speedup": charts.heat(*speedup),
        "speedup-upright": charts.heat(*speedup, upright=True),
        "fastest": charts.heat("fastest", ""),
        "fastest-upright": charts.heat("fastest", "", upright=True),
        "ledger": bars.ledger(),
    }
    for suffix, near in _SCALES.items():
        found[f"runs{suffix}"] = bars.beside(log=not near)
        found[f"changes{suffix}"] = bars.changes(log=not near)
    return _specs(found)


def _specs(found: Mapping[str, Layers]) -> dict[str, Any]:
    sections = {section.id: section for section in SECTIONS}
    return {name: _spec(chart, sections[name.partition("-")[0]]) for name, chart in found.items()}


def _spec(chart: Layers, section: Section) -> dict[str, Any]:
    spec: dict[str, Any] = chart.properties(width="container", description=section.title).to_dict(
        validate=False
    )
    spec.pop("config", None)
    return spec | ({"height": 320} if section.tall else {})
