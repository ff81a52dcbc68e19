"""What a run on a card was asked for, and how its steps are started."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CHECKOUT", "Asked", "environ", "module"]

_PREFIX = __name__.rpartition("scripts.")[0]
"""Empty in a checkout."""
CHECKOUT = Path(__file__).resolve().parents[2] if not _PREFIX else None
"""The folder of the checkout; None where everything is installed as one package."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `scripts/card.py`, checked."""

    device: str
    minutes: float
    python: str
    """The interpreter of every step."""
    folder: Path
    """Where everything goes that is kept."""
    backends: str = ""
    """A comma list; empty for all that serve the device."""
    plugins: tuple[str, ...] = ()
    baseline: str = ""
    """What others are compared with; empty for the usual one, or what runs in its place."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """What pip is to be asked for what the interpreter lacks, by the name of the package."""

    @property
    def on_card(self) -> bool:
        """Whether it is a card, and not the CPU in its place."""
        return self.device != "cpu"

    def given(self, *names: str) -> list[str]:
        """The options among `names` that steps take as they were given."""
        words = {
            "backends": ["--backends", self.backends] if self.backends else [],
            "plugins": [word for plugin in self.plugins for word in ("--plugin", plugin)],
        }
        return [word for name in names for word in words[name]]

    def script(self, name: str, *words: object) -> list[str]:
        """The command that runs one of our scripts, or a part of one, in the interpreter."""
        return [self.python, "-m", module(f"scripts.{name}"), *map(str, words)]

    def benchmark(self, *words: object) -> list[str]:
        """The command that runs ``pytest bench/``."""
        where = ["--pyargs", module("bench")] if CHECKOUT is None else [str(CHECKOUT / "bench")]
        return [self.python, "-m", "pytest", *where, "-p", "no:cacheprovider", *map(str, words)]


def module(name: str) -> str:
    """A module of ours, as it is called here."""
    return f"{_PREFIX}{name}"


def environ(started: Mapping[str, str]) -> dict[str, str]:
    """The variables of every step: those of this process, and the checkout and this folder on the path."""
    ours = [] if CHECKOUT is None else [str(CHECKOUT)]
    former = [started["PYTHONPATH"]] if started.get("PYTHONPATH") else []
    found = os.pathsep.join([*ours, str(Path.cwd()), *former])
    return {**started, "PYTHONPATH": found, "PYTHONUNBUFFERED": "1"}
