"""Pages that are open in a real browser, one after another in the same tab: what they share is compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Visit:
    """A page that is open, and what it asked for and complained about."""

    def __init__(self, tab: Any, path: Path, address: str = "") -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = tab
        self._heard = {
            "request": lambda request: self.requests.append(request.url),
            "console": lambda message: self.complaints.append(message.text),
            "pageerror": lambda error: self.complaints.append(str(error)),
            "dialog": self._dismiss,
        }
        for event, hear in self._heard.items():
            tab.on(event, hear)
        tab.goto(path.as_uri() + address)

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.append(dialog.message)
        dialog.dismiss()

    def leave(self) -> None:
        """The tab is empty, and nothing more is heard of the page."""
        self.page.goto("about:blank")  # a page that differs in its fragment alone would not be loaded anew
        for event, hear in self._heard.items():
            self.page.remove_listener(event, hear)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def drawn(self, chart: str) -> set[str]:
        """The arms of which a chart shows something."""
        return set(
            self.page.evaluate(
                "(id) => [...new Set(document.getElementById(id).view.data('points').map((r) => r.arm))]",
                chart,
            )
        )


@contextmanager
def visiting(
    tab: Any, path: Path, address: str = "", *, width: int = 1000, dark: bool = False
) -> Iterator[Visit]:
    """The page in a window of that width, in CSS pixels."""
    tab.set_viewport_size({"width": width, "height": 800})
    tab.emulate_media(color_scheme="dark" if dark else "light")
    visit = Visit(tab, path, address)
    try:
        yield visit
    finally:
        visit.leave()
