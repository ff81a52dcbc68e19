"""What only draws may be missing: what can do without does, and what cannot says in one line what brings it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from scripts._shared.cli import UsageError
from tests.running import printed_by

_DRAWING = ("altair", "vl_convert", "jinja2", "tabulate")
_THEIR_USERS = (
    "scripts._report.",
    "scripts.report",
    "scripts.summarise",
    "scripts._shared.drawing",
    "scripts._shared.render",
    "scripts._shared.style",
)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of what draws is installed, and nothing that imports it is there from before."""
    for name in [*sys.modules]:
        if name.startswith(_THEIR_USERS):
            monkeypatch.delitem(sys.modules, name)
    for name in _DRAWING:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures("bare")
def test_tables_on_the_terminal_need_nothing_that_draws(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = importlib.import_module("scripts.summarise").main
    assert main([str(results / "run1"), "--tables", "all"]) == 0
    assert "Fastest set per case" in capsys.readouterr().out
    with pytest.raises(
        UsageError,
        match=r"^a table in markdown or LaTeX needs the package 'tabulate', .* pip install tabulate$",
    ):
        main([str(results / "run1"), "--format", "markdown"])


def test_a_user_without_a_name_and_a_home_can_draw() -> None:
    """As in a container that runs with `--user 1234`; what draws wants a home as it is imported."""
    pytest.importorskip("altair")
    program = """
        import os, pwd
        from scripts._shared.cli import run

        def nobody(number):
            raise KeyError(number)

        def main():
            import altair
            print(altair.__name__)
            return 0

        pwd.getpwuid = nobody
        os.environ.pop("HOME", None)
        run(main, ())
    """
    assert printed_by(program) == "altair"


@pytest.mark.usefixtures("bare")
def test_a_page_says_what_it_lacks(results: Path, tmp_path: Path) -> None:
    main = importlib.import_module("scripts.report").main
    with pytest.raises(UsageError, match=r"^the page needs the package '\w+', .* pip install [\w-]+$"):
        main([str(results / "run1"), "--output", str(tmp_path / "page.html")])
    with pytest.raises(UsageError, match=r"^a figure needs the package"):
        main([str(results / "run1"), "--figures", str(tmp_path / "figures")])


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", ["crosscheck", "doctor", "card", "summarise", "report"])
def test_commands_for_a_card_start_without(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"scripts.{name}").main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage:")
