"""Every chart of the page as a Vega-Lite spec, by name: the section's id, with a suffix where it has several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripts._report import bars, charts
from scripts._report.sections import SECTIONS, Section
from scripts._shared.drawn_arms import Arm
from scripts._shared.style import Layers

__all__ = ["specs_of"]


def specs_of(arms: Sequence[Arm]) -> dict[str, Any]:
    """Those of a page with these arms; ``-near`` are linear, for what differs little, ``-upright`` for a phone."""
    ranked = [arm for arm in arms if arm.competes]
    speedup = ("speedup", "speed-up over what is used now")
    found = {
        "time": charts.over_size(ranked, "seconds"),
        "bandwidth": charts.over_size(ranked, "gb_per_s"),
        "speedup": charts.heat(*speedup),
        "speedup-upright": charts.heat(*speedup, upright=True),
        "fastest": charts.heat("fastest", ""),
        "fastest-upright": charts.heat("fastest", "", upright=True),
        "ledger": bars.ledger(),
        "noise": charts.noise(ranked),
    }
    for near in (False, True):
        suffix = "-near" if near else ""
        found[f"here{suffix}"] = bars.dots(ranked, log=not near)
        found[f"rounds{suffix}"] = bars.rounds(ranked, log=not near)
        found[f"runs{suffix}"] = bars.beside(log=not near)
        found[f"changes{suffix}"] = bars.changes(log=not near)
    sections = {section.id: section for section in SECTIONS}
    return {name: _spec(chart, sections[name.partition("-")[0]]) for name, chart in found.items()}


def _spec(chart: Layers, section: Section) -> dict[str, Any]:
    spec: dict[str, Any] = chart.properties(width="container", description=section.title).to_dict(
        validate=False
    )
    spec.pop("config", None)
    return spec | ({"height": 320} if section.tall else {})
