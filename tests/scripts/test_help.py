"""Every example that a script's --help shows works when pasted: those that only read are run, the others parsed."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from kernels import registry
from scripts._shared.cli import Parser
from tests.running import ROOT

NAMES = sorted(path.stem for path in (ROOT / "scripts").glob("[a-z]*.py"))
_AN_INSTALL = "equal/bin/python"
"""The interpreter of an install that examples take to be there."""
_KEPT = ("article", "reference", "validation")
"""What of results/ belongs to the repository."""
_READS = re.compile(r"results/reference|--read |recommend\.py")


def _help(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    if name == "training_step":
        pytest.importorskip("torch", reason="it trains in PyTorch")
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"scripts.{name}").main(["--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def _examples(text: str) -> Iterator[tuple[str, list[str]]]:
    """(the script, its arguments) of each line below "example(s)", as a shell in the checkout sees them."""
    shown = re.split(r"^examples?\b.*:\n", text, flags=re.MULTILINE)[1].partition("\n\n")[0]
    for line in shown.replace("\\\n", " ").splitlines():
        for command in re.split(r"&&|\||>", line):
            words = shlex.split(command, comments=True)
            if words[:1] == ["python"] and words[1] != "-m":
                here = [sys.executable if part == _AN_INSTALL else part for part in words[2:]]
                yield words[1], [word for part in here for word in _globbed(part)]


def _globbed(word: str) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob(word)) if "*" in word else [word]


@pytest.mark.parametrize("name", NAMES)
def test_examples_work_when_pasted(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in ("report", "claims"):
        pytest.importorskip("altair", reason="figures need altair and vl-convert-python")
    examples = list(_examples(_help(name, capsys)))
    assert examples, "a script shows at least one"
    (tmp_path / "results").mkdir()  # with what every clone has; runs of this machine may lie there besides
    for shared in ("docs", *(f"results/{kept}" for kept in _KEPT)):
        (tmp_path / shared).symlink_to(ROOT / shared)
    monkeypatch.chdir(tmp_path)
    for script, arguments in examples:
        assert script == f"scripts/{name}.py"
        main = importlib.import_module(f"scripts.{name}").main
        # A page takes seconds, and so do the estimators; their own tests draw some, and try them.
        long = name == "estimators" or (name == "report" and "--check" not in arguments)
        needs_a_file = "--cases" in arguments
        if _READS.search(" ".join([script, *arguments])) and not (long or needs_a_file or _writes(arguments)):
            untried = ["--no-try"] * (name == "recommend")  # test_recommend_code.py tries an answer's code
            assert main([*arguments, *untried]) == 0, arguments
        else:
            _only_parsed(main, arguments, monkeypatch)


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("name", NAMES)
def test_backends_of_examples_exist(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of examples that are not run, too, and of plugins that they give."""
    for _, arguments in _examples(_help(name, capsys)):
        given = dict(pairwise(arguments))
        if "--plugin" in given:
            pytest.importorskip("numexpr", reason="the example's framework")
            registry.register(given["--plugin"])
        assert set(given.get("--backends", "numpy_ufunc").split(",")) <= {*registry.names()}, arguments


def _writes(arguments: list[str]) -> bool:
    """Into a page of the checkout."""
    return "--update" in arguments and "--check" not in arguments


class _Understood(Exception):  # noqa: N818  # no error: where a script would begin to work
    """The options were."""


def _only_parsed(main: Any, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(self: Parser, argv: list[str]) -> None:
        ArgumentParser.parse_args(self, argv)
        raise _Understood

    with monkeypatch.context() as patched:
        patched.setattr(Parser, "parse_args", parsed)
        with pytest.raises(_Understood):
            main(arguments)
