"""An interval far wider than what differs leaves every chart readable, and says that it goes on."""

from __future__ import annotations

import math
import random
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair")
pytest.importorskip("vl_convert", reason="the report needs vl-convert: pip install vl-convert-python")

from scripts._report.figures import figures
from scripts._shared.drawing import as_svg
from scripts._shared.whiskers import whiskered
from tests.page_code import answer
from tests.reports import cells_of, endless

Record = dict[str, Any]


def records(*ends: tuple[float, float, float]) -> list[Record]:
    return [{"y": y, "lo": lo, "hi": hi} for y, lo, hi in ends]


def test_an_end_is_drawn_where_it_is_unless_it_would_rule_the_axis() -> None:
    usual, far = whiskered(records((1.0, 0.7, 1.9), (2.0, 1e-9, 56e3)))
    assert (usual["from"], usual["to"], usual["below"], usual["beyond"]) == (0.7, 1.9, False, False)
    assert (far["below"], far["beyond"]) == (True, True)
    assert 0.6 < far["from"] < 0.7
    assert 2.0 < far["to"] < 2.3
    assert "hi" not in far


@pytest.mark.parametrize(("lo", "hi"), [(math.nan, math.nan), (0.0, math.inf)])
def test_what_is_not_known_is_no_line_and_what_has_no_end_goes_on(lo: float, hi: float) -> None:
    (only,) = whiskered(records((3.0, lo, hi)))
    if math.isnan(lo):
        assert (only["from"], only["to"], only["beyond"]) == (3.0, 3.0, False)
    else:
        assert only["from"] < 3.0 < only["to"]
        assert only["below"]
        assert only["beyond"]


def test_the_page_ends_them_where_python_does() -> None:
    draw = random.Random(5)
    some = [
        records(
            *(
                (y, y / draw.choice((1.1, 3, 1e9)), y * draw.choice((1.1, 3, 1e9)))
                for y in (10 ** draw.uniform(-9, draw.choice((-8.9, 0))) for _ in range(5))
            )
        )
        for _ in range(50)
    ]
    found = answer(["whiskers.js"], "return value.some.map(whiskered);", {"some": some})
    for ours, theirs in zip(map(whiskered, some), found, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            assert [other[key] for key in ("from", "to")] == pytest.approx([one["from"], one["to"]], rel=1e-4)
            assert (other["below"], other["beyond"]) == (one["below"], one["beyond"])
    assert 20 < sum(record["beyond"] for each in found for record in each) < 200


def test_a_figure_is_for_the_estimates_and_its_arrows_point_on(tmp_path: Path) -> None:
    drawn = figures(cells_of(endless(tmp_path)))
    for name, shown in (("bandwidth", 2 * 2), ("allocation", 2)):
        spec = drawn[name]
        points = [r for key, rs in spec["datasets"].items() if key.endswith("points") for r in rs]
        ys = [record["y"] for record in points]
        assert max(record["to"] for record in points) < 2.1 * max(ys)
        assert min(record["from"] for record in points) > min(ys) / 2.1
        assert sum(record["below"] + record["beyond"] for record in points) == shown
        labels = [text.text for text in ET.fromstring(as_svg(spec)).findall(".//{*}text")]
        assert not any("000 s" in (label or "") for label in labels)
