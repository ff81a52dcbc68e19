"""A report as text: for the terminal (rich), markdown, LaTeX; and figures as CSV."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.plugin import overview
from bench.text.foreign import in_csv, in_latex, in_markdown, plain
from scripts._shared.cli import needing
from scripts._shared.sections import Block, Report, Section

__all__ = ["as_latex", "as_markdown", "to_terminal", "write_csv"]

_UNLIMITED = 100_000  # characters in a line where no terminal folds it


class _Console(Console):
    """Leaves a broken pipe to the caller, where rich would end the process with status 1."""

    def on_broken_pipe(self) -> None:
        """Let it through."""
        raise  # noqa: PLE0704  # called while it is being handled


def to_terminal(report: Report, file: TextIO | None = None) -> None:
    """Print `report` to `file` (standard output), folded to the width of a terminal; whole in a pipe."""
    file = file or sys.stdout
    console = _Console(file=file, width=None if file.isatty() else _UNLIMITED, highlight=False)
    for line in report.intro:
        console.print(Text(line))
    for block in report.blocks:
        if block.heading:
            console.print(Text(f"\n{block.heading}", style="bold"))
        for section in block.sections:
            console.print(Text(f"\n{section.title}", style="italic"))
            _print_table(section, console)
        if block.note:
            console.print(Text(f"\n{block.note}"))
    if report.problems:
        console.print(Text("\nNot ok", style="bold"))
        for line in report.problems:
            console.print(Text(line))
    console.print()
    for line in report.legend:
        console.print(Text(line, style="dim"))


def _print_table(section: Section, console: Console) -> None:
    """Straight to the file where it fits, which is a hundred times faster than folding cells."""
    widths = [
        max(cell_len(row[i]) for row in (section.headers, *section.rows)) for i in range(len(section.headers))
    ]
    if section.narrow:
        _print_narrow(section, console)
        return
    if sum(widths) + 3 * len(widths) > console.width:
        console.print(_rich_table(section))
        return
    rule = ["-" * width for width in widths]
    for row in (section.headers, rule, *section.rows):
        cells = zip(row, widths, section.right, strict=True)
        padded = (
            " " * (w - cell_len(c)) + c if right else c + " " * (w - cell_len(c)) for c, w, right in cells
        )
        console.file.write("   ".join(padded).rstrip() + "\n")


def _print_narrow(section: Section, console: Console) -> None:
    """Without a rule, since it has to fit on a screen."""
    grid = overview.Grid(section.title, section.headers, section.rows, section.right)
    console.file.write("".join(f"{line}\n" for line in overview.lines(grid)[1:]))


def _rich_table(section: Section) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for header, right in zip(section.headers, section.right, strict=True):
        table.add_column(Text(header), justify="right" if right else "left", overflow="fold")
    for row in section.rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def as_markdown(report: Report) -> str:
    """`report` as GitHub-flavoured markdown; nothing in it can end a cell, a row or a comment early."""
    parts = ["  \n".join(in_markdown(line) for line in report.intro)]
    for block in report.blocks:
        parts += [f"**{in_markdown(block.heading)}**"] if block.heading else []
        for section in block.sections:
            parts += [in_markdown(section.title), _tabulated(section, "pipe", in_markdown)]
        parts += [in_markdown(block.note)] if block.note else []
    if report.problems:
        parts.append("**Not ok**")
        parts.append("\n".join(f"- {in_markdown(line)}" for line in report.problems))
    if report.legend:
        parts.append("**How to read it**")
        parts.append("\n".join(f"- {in_markdown(line)}" for line in report.legend))
    return "\n\n".join(parts) + "\n"


def as_latex(report: Report) -> str:
    r"""`report` as LaTeX: a ``tabular`` per section, with the rules of ``\usepackage{booktabs}``."""
    parts = [r"% needs \usepackage{booktabs}", *map(in_latex, report.intro)]
    for block in report.blocks:
        parts += _latex_block(block)
    if report.problems:
        parts += [r"\paragraph{Not ok}", _latex_list(report.problems)]
    if report.legend:
        parts += [r"\paragraph{How to read it}", _latex_list(report.legend)]
    return "\n\n".join(parts) + "\n"


def _latex_block(block: Block) -> list[str]:
    parts = [rf"\paragraph{{{in_latex(block.heading)}}}"] if block.heading else []
    for section in block.sections:
        title, table = in_latex(section.title), _tabulated(section, "latex_booktabs", str)
        parts.append(f"\\noindent {title}\n\n\\noindent\n{table}")
    return [*parts, in_latex(block.note)] if block.note else parts


def _latex_list(lines: Sequence[str]) -> str:
    return "\n".join([r"\begin{itemize}", *(rf"\item {in_latex(line)}" for line in lines), r"\end{itemize}"])


def write_csv(frame: pd.DataFrame, file: TextIO | None = None) -> None:
    """Write `frame` to `file` (standard output) as CSV: numbers as they are, unknown ones empty, no text a formula."""
    texts = frame.select_dtypes(exclude="number").columns
    frame = frame.assign(**{name: frame[name].map(_as_field).astype(object) for name in texts})
    frame.to_csv(file or sys.stdout, index=False, lineterminator="\n")


def _as_field(value: object) -> object:
    return in_csv(plain(value)) if isinstance(value, str) else value


def _tabulated(section: Section, form: str, escape: Callable[[str], str]) -> str:
    with needing("a table in markdown or LaTeX"):
        from tabulate import tabulate  # noqa: PLC0415  # a table for the terminal does without
    return tabulate(
        [[escape(cell) for cell in row] for row in section.rows],
        headers=section.headers,
        tablefmt=form,
        disable_numparse=True,
        colalign=["right" if right else "left" for right in section.right],
    )
