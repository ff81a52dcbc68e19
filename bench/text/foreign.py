"""Text that others wrote (a plugin's name or reason, anyone's file), as it may be shown: nothing in it acts.

`plain` is for every place.  Where a format has signs of its own, the text goes through that format's function besides;
rich is handed its `Text`, and HTML and SVG are written by programs that escape (jinja2, Vega).
"""

from __future__ import annotations

import re

__all__ = ["in_csv", "in_latex", "in_markdown", "plain"]

_MARKDOWN = {"\\": r"\\", "|": r"\|", "*": r"\*", "<": "&lt;"}
_MARKDOWN_LINK = re.compile(r"\](?=[(\[:])")
"""What makes a link, an image or the definition of one."""
_LATEX = {
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
_FORMULA = re.compile(r"[=+@\t\r-](?!\Z)")
"""How a cell begins that a spreadsheet takes for a formula."""


def plain(text: str) -> str:
    """`text` on one line; a character that steers the terminal or the direction of writing is a question mark."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(str(text).split()))


def in_markdown(text: str) -> str:
    """As part of a line or of a table's cell in GitHub's Markdown: no tag, image, link, new cell or stress."""
    return _MARKDOWN_LINK.sub(r"\\]", "".join(_MARKDOWN.get(char, char) for char in text))


def in_latex(text: str) -> str:
    """As LaTeX that prints it."""
    return "".join(_LATEX.get(char, char) for char in text)


def in_csv(text: str) -> str:
    """As a field of a file that spreadsheets open, too: what would be a formula there begins with an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
