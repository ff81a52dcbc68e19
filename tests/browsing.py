"""A page that is open in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Visit:
    """A page that is open, and what it asked for and complained about."""

    def __init__(self, context: Any, path: Path, address: str = "") -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.page.goto(path.as_uri() + address)

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
