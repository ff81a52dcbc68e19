"""A sweep over machines of a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts._sweep.connecting import connected
from scripts._sweep.engine import Engine
from scripts._sweep.hosts import Fleet
from scripts._sweep.lanes import Lanes
from scripts._sweep.planning import Plan
from scripts._sweep.sweeping import Asked, Sweep


class Swept:
    """A sweep from its beginning to its end, and what it said."""

    def __init__(
        self,
        fleet: Fleet,
        folder: Path,
        on: str,
        shards: int,
        command: Sequence[str],
        *,
        patience_s: float = 60.0,
        kind: type[Engine] = Engine,
    ) -> None:
        self.said: list[str] = []
        self.lanes = Lanes(folder.name, on, shards)
        asked = Asked(folder, (), Plan((1.0,) * shards, 0), patience_s, 0.2, program=tuple(command))
        folder.mkdir(exist_ok=True)
        with connected(str(fleet.scheduler_file)) as client:
            engine = kind(client, folder.name)
            self.machines, _ = engine.wait_for(len(fleet.hosts), 60)
            Sweep(asked, self.lanes, engine, self.say).run()

    def say(self, line: str) -> None:
        self.said.append(line)
