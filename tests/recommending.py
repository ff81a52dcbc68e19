"""Asking `scripts/recommend.py`, for its tests: runs with known answers, and what it says."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from bench.plan.options import parse
from bench.plan.settings import Settings
from scripts.recommend import main
from tests.factories import write_run
from tests.summaries import lines

ENVIRONMENT = {"caches": {"L1": 1 << 15, "L2": 1 << 20, "L3": 1 << 25}, "machine": "test-2c"}


def planted(folder: Path) -> Path:
    """Baseline 1 us and 10 GB/s, torch_eager 4 us and 40 GB/s, at three sizes; its variant is no faster."""
    options = {"variants": {"thp": {"THP_MEM_ALLOC_ENABLE": "1"}}}
    return write_run(folder, lines(), environment={**ENVIRONMENT, "options": options})


def asked(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> dict[str, Any]:
    assert main([*map(str, arguments), "--json"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def one(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    (found,) = asked(capsys, "--placement", "new", *arguments)["answers"]
    return dict(found)


def said(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main([str(argument) for argument in arguments]) == code
    return capsys.readouterr().out


def settings_of(command: str) -> Settings:
    """What `pytest bench/` makes of a command line, parsed by its own parser."""
    words = shlex.split(command)
    assert words[:2] == ["pytest", "bench/"]
    given: dict[str, Any] = {}
    for option, value in zip(words[2::2], words[3::2], strict=True):
        name = option.removeprefix("--").replace("-", "_")
        if name == "variant":
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    return parse(given)
