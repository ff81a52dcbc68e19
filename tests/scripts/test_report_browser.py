"""The page of `scripts/report.py` in a real browser: it draws, answers, fetches nothing, and harms nobody."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("altair", reason="the report needs Vega-Altair: pip install altair")
pytest.importorskip("vl_convert", reason="the report needs vl-convert: pip install vl-convert-python")
pytest.importorskip("playwright.sync_api", reason="drives the browser: pip install playwright")

from tests.browsing import Visit, visiting
from tests.reports import EVIL

pytestmark = pytest.mark.slow

CHARTS = ("here", "bandwidth", "time", "speedup", "fastest", "ledger", "noise")
MARKS = "#${id} svg .mark-symbol path, #${id} svg .mark-rect path"
DRAWN = f"() => {list(CHARTS)}.every((id) => document.querySelector(`{MARKS}`))"


Pages = dict[str, Path]


@pytest.fixture
def visit(tab: Any, pages: Pages) -> Iterator[Visit]:
    with visiting(tab, pages["mixed"]) as made:
        made.page.wait_for_function(DRAWN)
        yield made
        assert made.complaints == []
        assert made.requests == [pages["mixed"].as_uri()]


def test_every_chart_is_drawn_and_the_answer_stands_on_top(visit: Visit) -> None:
    assert visit.text("#where") == "relu forward new float32, 1Mi elements"
    assert visit.text("#which") == "Use torch_eager"
    assert "faster" not in visit.text("#why")
    assert "4.00x [3.96,\u00a04.04] as fast as numpy_ufunc" in visit.text("#why")
    for chart in CHARTS:
        assert visit.drawn(chart) == {"numpy_ufunc", "my_relu", "torch_eager", "torch_eager[thp]"}
    ceiling = visit.page.evaluate(
        "() => document.getElementById('bandwidth').view.data('ceiling').map((r) => r.y)"
    )
    assert ceiling == [60, 60, 60]


def test_a_choice_changes_charts_and_answer(visit: Visit) -> None:
    before = visit.page.inner_html("#bandwidth")
    assert "queued" not in visit.page.inner_html("#time-numbers")
    visit.page.select_option("#by-dtype", label="float16")
    row = visit.page.locator("#time-numbers tr", has_text="my_relu").first
    assert row.locator("[data-label=queued]").text_content() == "7.00\u00a0µs"
    assert visit.text("#where") == "relu forward out float16, 1Mi elements"
    assert "placement out" in visit.text("#moved")
    assert visit.text("#which") == "Use my_relu"
    visit.page.wait_for_function(
        "(old) => document.getElementById('bandwidth').innerHTML !== old", arg=before
    )
    assert "skipped" in visit.text("#statuses")
    visit.page.select_option("#by-n", label="1Ki")
    assert visit.text("#which") == "Use torch_eager"
    assert visit.page.input_value("#by-placement") == "1"


def test_what_is_switched_off_by_keyboard_leaves_charts_and_ranking(visit: Visit) -> None:
    visit.page.get_by_role("checkbox", name="torch_eager", exact=True).focus()
    visit.page.keyboard.press("Space")
    assert visit.text("#which") == "Use torch_eager[thp]"
    gone = "() => !document.getElementById('time').view.data('points').some((r) => r.arm === 'torch_eager')"
    visit.page.wait_for_function(gone)
    assert "torch_eager[thp]" in visit.drawn("time")


def test_the_keyboard_reaches_every_control(visit: Visit) -> None:
    controls = "[...document.querySelectorAll('a, select, input, button, summary')].filter((e) => e.checkVisibility())"
    wanted = visit.page.evaluate(f"() => {controls}.length")
    seen = set()
    for _ in range(wanted + 30):
        visit.page.keyboard.press("Tab")
        seen.add(visit.page.evaluate(f"() => {controls}.indexOf(document.activeElement)"))
    assert seen >= set(range(wanted))


def test_every_figure_has_its_numbers_as_a_table(visit: Visit) -> None:
    for chart in CHARTS:
        section = visit.page.locator(f"section:has(#{chart})")
        section.locator("summary").first.click()
        table = section.locator(f"#{chart}-numbers table")
        assert table.locator("caption").inner_text()
        assert table.locator("th[scope=col]").count() >= 3
        assert table.locator("tbody th[scope=row]").count() >= 3
    row = visit.page.locator("#time-numbers tr", has_text="torch_eager").first.inner_text()
    assert "~500\u00a0ns" in row
    assert "9.00x" not in row


def test_a_page_may_not_fetch_and_runs_no_foreign_script(visit: Visit) -> None:
    tried = "() => fetch('data:text/plain,x').then(() => 'fetched', () => 'refused')"
    assert visit.page.evaluate(tried) == "refused"
    visit.page.evaluate(
        "() => { const s = document.createElement('script'); s.text = 'window.bad = 1'; document.body.append(s); }"
    )
    assert visit.page.evaluate("() => window.bad") is None
    assert visit.complaints
    visit.complaints.clear()


def test_hostile_names_are_shown_and_never_run(tab: Any, pages: Pages) -> None:
    with visiting(tab, pages["hostile"], width=1280) as visit:
        visit.page.wait_for_function(DRAWN)
        for summary in visit.page.locator("summary:visible").all():
            summary.click()
        assert visit.page.evaluate("() => window.bad") is None
        assert visit.page.locator("img").count() == 0
        assert EVIL[0] in visit.text("#arms")
        assert visit.text("#which") == f"Use {EVIL[3]}"
        label = visit.page.locator("#speedup svg .mark-text.role-mark text").nth(4)
        label.evaluate("(text) => text.scrollIntoView({ block: 'center' })")
        label.hover(force=True)
        assert EVIL[3] in visit.text("#vg-tooltip-element")
        assert (visit.complaints, len(visit.requests)) == ([], 1)


def test_a_run_that_knows_next_to_nothing_is_no_error(tab: Any, pages: Pages) -> None:
    with visiting(tab, pages["bare"], width=1280) as visit:
        visit.page.wait_for_selector("#here svg .mark-symbol path")
        assert visit.text("#which") == "Use x"
        assert "Not known whether as fast: y." in visit.text(
            "#why"
        )  # intervals without an end tell nothing apart
        assert "not known" in visit.page.text_content("#here-numbers")
        visit.page.select_option("#by-placement", label="out")
        assert visit.text("#which") == "Nothing was timed here"
        assert visit.text("#here") == "There is nothing to draw here."
        assert visit.complaints == []


@pytest.mark.parametrize("name", [pytest.param("mixed", marks=pytest.mark.daily), "hostile"])
def test_a_phone_in_the_dark_needs_no_sideways_scrolling(tab: Any, pages: Pages, name: str) -> None:
    with visiting(tab, pages[name], width=390, dark=True) as visit:
        page = visit.page
        page.wait_for_function(DRAWN)
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390
        edges = "[...document.querySelectorAll('.chart svg')].map((svg) => svg.getBoundingClientRect().right)"
        assert page.evaluate(f"() => Math.max(...{edges})") <= 390
        assert (
            page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
            == "rgb(22, 24, 28)"
        )
        assert page.locator("#time .mark-text.role-axis-label text").first.get_attribute("fill") == "#a3a6ab"
        page.set_viewport_size({"width": 800, "height": 800})
        page.wait_for_function(
            "() => document.querySelector('#time svg').getBoundingClientRect().width > 600"
        )


@pytest.mark.parametrize("width", [pytest.param(1280, marks=pytest.mark.daily), 390])
def test_an_interval_of_hours_leaves_every_chart_readable(tab: Any, pages: Pages, width: int) -> None:
    with visiting(tab, pages["endless"], "#n=1Mi", width=width) as visit:
        reach = "([id, axis]) => document.getElementById(id).view.scale(axis).domain()"
        for chart, axis, most in (
            ("here", "x", 4),
            ("time", "y", 7e3),
            ("bandwidth", "y", 4),
            ("noise", "y", 300),
        ):
            visit.page.wait_for_selector(f"#{chart} svg .mark-symbol path")
            low, high = visit.page.evaluate(reach, [chart, axis])
            assert 1 < high / low < most, chart
        arrows = "() => document.querySelectorAll('#here svg .mark-symbol path').length"
        assert visit.page.evaluate(arrows) == 3 + 2  # an interval without an end on either side
        assert "56000" in visit.page.text_content("#here-numbers").replace(",", "")
        assert visit.complaints == []
