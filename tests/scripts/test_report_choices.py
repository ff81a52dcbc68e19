"""What a reader of the page of `scripts/report.py` chooses, sends and takes away, in a real browser."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair")
pytest.importorskip("vl_convert", reason="the report needs vl-convert: pip install vl-convert-python")
pytest.importorskip("playwright.sync_api", reason="drives the browser: pip install playwright")

from tests.browsing import Visit, visiting

pytestmark = pytest.mark.slow
Open = Callable[..., Visit]


@pytest.fixture
def opened(tab: Any, pages: dict[str, Path]) -> Iterator[Open]:
    """Opens a page by name, with an address and a width if wanted; none of them may have complained when it is left."""
    with ExitStack() as last:

        def visit(name: str, address: str = "", width: int = 1000) -> Visit:
            last.close()
            made = last.enter_context(visiting(tab, pages[name], address, width=width))
            last.callback(lambda: _heard_nothing(made))
            made.page.wait_for_selector("#here svg .mark-symbol path")
            return made

        yield visit


def _heard_nothing(visit: Visit) -> None:
    assert visit.complaints == []


def labels(visit: Visit, chart: str) -> list[str]:
    """The names beside the rows of a chart, from top to bottom."""
    found = visit.page.locator(f"#{chart} svg .role-axis-label text").all_text_contents()
    return [text for text in found if "_" in text]


def test_one_size_is_dots_from_the_fastest_down_and_nothing_over_size(opened: Open) -> None:
    visit = opened("crowded")
    assert labels(visit, "here") == ["torch_eager", "numba_jit", "numpy_ufunc"]
    assert visit.text("#here-title") == "Time at size 4Mi"
    assert not visit.page.locator("#time-section, #bandwidth-section, #speedup-section").first.is_visible()


def test_a_busy_machine_gives_no_answer_and_the_reason(opened: Open) -> None:
    visit = opened("crowded")
    assert visit.text("#which") == "No answer: the machine was busy"
    assert "75% of the batches" in visit.text("#why")
    assert "Do not rely on it" in visit.text("#trust")
    assert "torch_eager has the smallest time" in visit.text("#why")
    assert "as fast as" not in visit.text("#why")
    assert "Of the run's 3 ranked cells 3 are precise, 0 noisy." in visit.text("#trusted")


def test_a_quiet_run_says_how_much_of_it_is_resolved(opened: Open) -> None:
    visit = opened("mixed", "#dtype=float32&placement=new&n=1Ki")
    assert visit.text("#trust") == "● Resolved: 4 of 4 here"
    assert "1 noisy (1 with an interval wider than asked for)" in visit.text("#trusted")


def test_every_round_is_a_tick_in_the_row_of_its_process(opened: Open) -> None:
    visit = opened("crowded")
    assert visit.page.evaluate("() => document.getElementById('rounds').view.data('points').length") == 36
    visit.page.locator("#rounds-section summary").click()
    rows = visit.page.locator("#rounds-numbers tbody tr").all_inner_texts()
    assert [row.split()[:3] for row in rows[:2]] == [["torch_eager", "1", "6"], ["torch_eager", "2", "6"]]
    assert not opened("mixed").page.locator("#rounds-section").is_visible()


def test_what_you_use_now_is_what_ratios_are_over(opened: Open) -> None:
    visit = opened("mixed", "#dtype=float32&placement=new")
    assert "as fast as numpy_ufunc" in visit.text("#why")
    visit.page.select_option("#by-now", label="my_relu")
    assert "2.00x [1.98,\u00a02.02] as fast as my_relu" in visit.text("#why")
    assert visit.text("#speedup-title") == "Speed-up over my_relu"
    visit.page.select_option("#by-now", label="torch_eager")
    assert "That is what you use now: nothing here beats it." in visit.text("#why")


def test_a_choice_stands_in_the_address_and_survives_a_reload(opened: Open) -> None:
    visit = opened("mixed")
    visit.page.select_option("#by-dtype", label="float16")
    visit.page.select_option("#by-n", label="1Ki")
    visit.page.select_option("#by-now", label="my_relu")
    visit.page.get_by_role("checkbox", name="torch_eager", exact=True).uncheck()
    told = [visit.text(name) for name in ("#where", "#which", "#why")]
    assert "dtype=float16" in visit.page.url
    assert "n=1Ki" in visit.page.url
    visit.page.reload()
    assert [visit.text(name) for name in ("#where", "#which", "#why")] == told
    assert not visit.page.get_by_role("checkbox", name="torch_eager", exact=True).is_checked()


def test_an_address_that_asks_for_what_is_not_there_is_told_so(opened: Open) -> None:
    visit = opened("mixed", "#dtype=float64&n=3&now=nobody")
    said = visit.text("#moved")
    assert [word in said for word in ("dtype float64", "size 3", "now nobody")] == [True] * 3


def test_with_all_switched_off_the_page_says_so(opened: Open) -> None:
    visit = opened("crowded")
    for box in visit.page.get_by_role("checkbox").all():
        box.uncheck()
    assert visit.text("#which") == "All implementations are switched off"
    assert visit.text("#why") == "Switch one on below."


def test_charts_are_taken_away_as_svg_png_and_csv(opened: Open) -> None:
    visit = opened("mixed", "#dtype=float32&placement=new")
    content: dict[str, bytes] = {}
    for kind in ("SVG", "PNG", "CSV"):
        with visit.page.expect_download() as waiting:
            visit.page.locator("#time-files").get_by_text(kind).click()
        assert waiting.value.suggested_filename == f"relu-forward-new-float32-1Mi-time.{kind.lower()}"
        content[kind] = Path(waiting.value.path()).read_bytes()
    words = [text.text for text in ET.fromstring(content["SVG"]).findall(".//{*}text")]
    assert {"Time over size", "torch_eager", "copy"} <= set(words)
    assert content["PNG"].startswith(b"\x89PNG")
    rows = list(csv.DictReader(io.StringIO(content["CSV"].decode())))
    assert [row["size"] for row in rows if row["arm"] == "my_relu"] == ["1Ki", "32Ki", "1Mi"]
    assert {"time_s", "time_lo_s", "time_hi_s", "status"} <= set(rows[0])


def test_networks_speak_of_widths_and_batch(opened: Open) -> None:
    visit = opened("network")
    assert visit.text("#where") == "mlp_relu forward new float32, widths 10-5-3, batch 4,096"
    assert visit.text("#time-title") == visit.text("#time-folded") == "Time over batch"
    assert "4,096" in visit.page.locator("#time svg .role-axis-label text").all_text_contents()
    assert visit.page.locator("#by-n option").all_inner_texts() == ["1", "32", "4,096"]


def test_two_runs_stand_side_by_side_with_what_changed(opened: Open) -> None:
    visit = opened("twice")
    points = "document.getElementById('runs').view.data('points')"
    records = visit.page.evaluate(f"() => {points}.map((r) => [r.arm, r.run, r.y])")
    torch = [record[1:] for record in records if record[0] == "torch_eager"]
    assert sorted(torch) == [["first on test-2c", 1e-3], ["second on test-2c", 2e-3]]
    assert visit.drawn("changes") == {"torch_eager", "numpy_ufunc"}
    visit.page.locator("#changes-section summary").click()
    rows = visit.page.locator("#changes-numbers tbody tr").all_inner_texts()
    assert [row.split()[:3] for row in rows] == [
        [arm, "second", "on"] for arm in ("torch_eager", "numpy_ufunc")
    ]
    for row, ratio in zip(rows, ("2.00x [", "8.00x ["), strict=True):
        assert ratio in row
        assert "slower" in row
    visit.page.select_option("#by-run_id", label="second")
    assert "0.500x" in visit.text("#changes-numbers")
    assert not opened("mixed").page.locator("#runs-section, #changes-section").first.is_visible()


def test_a_ratio_over_what_you_use_now_is_that_of_the_pair(opened: Open) -> None:
    """Both arms are slowed together from round to round: quotients of their speed-ups would not show it."""
    visit = opened("drifting")
    visit.page.select_option("#by-now", label="numba_jit")
    assert "2.00x [2.00,\u00a02.00] as fast as numba_jit" in visit.text("#why")


@pytest.mark.parametrize("name", ["crowded", pytest.param("network", marks=pytest.mark.daily)])
def test_on_a_phone_no_text_is_cut(opened: Open, name: str) -> None:
    visit = opened(name, width=390)
    assert visit.page.evaluate("() => document.documentElement.scrollWidth") == 390
    for summary in visit.page.locator("summary:visible").all():
        summary.click()
    cut = """() => [...document.querySelectorAll('td, th, h2, p, option, .chart text')]
        .filter((e) => e.checkVisibility() && !e.closest('thead') && e.getBoundingClientRect().width)
        .filter((e) => e.getBoundingClientRect().right > 390 || e.getBoundingClientRect().left < 0)
        .map((e) => e.textContent)"""
    assert visit.page.evaluate(cut) == []
