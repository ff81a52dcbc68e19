"""`scripts/report.py --figures`: what stands in the SVG files, and that they repeat."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair vl-convert-python")
pytest.importorskip("vl_convert", reason="the report needs vl-convert: pip install vl-convert-python")
from scripts._report.figures import figures
from scripts._shared.drawing import as_svg
from scripts.report import main
from tests.reports import cells_of, hostile
from tests.running import REFERENCE

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures")
    assert main([str(REFERENCE), "--figures", str(folder)]) == 0
    return folder


def test_figures_do_not_depend_on_what_was_drawn_before(drawn: Path) -> None:
    specs = figures(cells_of(REFERENCE))
    again = {f"{name}.svg": as_svg(specs[name]) for name in reversed(specs)}
    assert {path.name: path.read_text(encoding="utf-8") for path in drawn.iterdir()} == again


def test_allocation_is_sorted_and_its_legend_names_only_what_has_a_bar(drawn: Path) -> None:
    spec = figures(cells_of(REFERENCE))["allocation"]
    records = spec["datasets"]["points"]
    least: dict[str, float] = {}
    for record in records:
        least[record["arm"]] = min(record["y"], least.get(record["arm"], math.inf))
    assert list(least) == sorted(least, key=lambda arm: least[arm])
    named = [text.text or "" for text in ET.parse(drawn / "allocation.svg").findall(".//{*}text")]
    shown = {record["placement"] for record in records}
    assert ("inplace" in named) == ("inplace" in shown)


def test_figures_are_no_wider_than_a_readme(drawn: Path) -> None:
    widths = [float(ET.parse(figure).getroot().attrib["width"]) for figure in drawn.iterdir()]
    assert widths
    assert max(widths) < 840


def test_names_at_the_ends_of_lines_do_not_collide() -> None:
    spec = figures(cells_of(REFERENCE))["bandwidth"]
    for name, ends in spec["datasets"].items():
        if name.endswith("-ends"):
            places = np.log([record["y"] for record in ends])
            values = np.log(
                [r[k] for r in spec["datasets"][name[:-4] + "points"] for k in ("y", "from", "to")]
            )
            assert np.diff(places).min() * 260 / np.ptp(values) > 11


def test_figures_are_svg_on_white_with_every_arm_and_the_ceiling(drawn: Path) -> None:
    for name in ("bandwidth", "allocation"):
        root = ET.parse(drawn / f"{name}.svg").getroot()
        assert root.find("{*}rect").get("fill") == "#ffffff"  # type: ignore[union-attr]
        words = {text.text for text in root.findall(".//{*}text")}
        assert {"numpy_ufunc", "numba_tuned", "torch_eager", "jax_jit"} <= words
        assert name != "bandwidth" or "copy" in words


def test_check_tells_without_writing(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure, gone = drawn / "bandwidth.svg", drawn / "allocation.svg"
    before, lost = figure.read_bytes(), gone.read_bytes()
    check = [str(REFERENCE), "--figures", str(drawn), "--check"]
    try:
        assert main(check) == 0
        figure.write_bytes(before.replace(b"numba", b"nimba", 1))
        gone.unlink()
        assert main(check) == 1
        said = capsys.readouterr().out
        assert "bandwidth.svg: out of date" in said
        assert "allocation.svg: missing" in said
        assert b"nimba" in figure.read_bytes()
        assert not gone.exists()
    finally:
        figure.write_bytes(before)
        gone.write_bytes(lost)


def test_hostile_names_are_text_in_figures_too(tmp_path: Path) -> None:
    for spec in figures(cells_of(hostile(tmp_path / "hostile"))).values():
        root = ET.fromstring(as_svg(spec))
        assert {node.tag.rpartition("}")[2] for node in root.iter()} <= {
            *("svg", "g", "rect", "path", "text", "line", "defs", "clipPath", "tspan", "title")
        }
