"""Runs made up for comparisons: sides of `bench.stats.comparison`, with known differences and without rounds files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.stats.estimates import centre
from bench.stats.run_estimates import Side
from kernels.api import AXES, Case

PROCESSES = 2
"""Of each arm in a run."""


def arms(cases: int, run_id: str, role: str = "candidate") -> pd.DataFrame:
    """The columns that name one arm in so many cases."""
    axes = pd.DataFrame(
        [{axis: getattr(Case("relu", n=n), axis) for axis in AXES} for n in range(1, cases + 1)]
    )
    return axes.assign(run_id=run_id, machine="m", backend="torch_eager", variant="", role=role)


def run_of_rounds(seconds: np.ndarray, run_id: str, role: str = "candidate") -> Side:
    """One arm in as many cases as `seconds` has rows, one column a round; no intervals, nothing known of processes."""
    cases, count = seconds.shape
    arm = arms(cases, run_id, role)
    empty = ("time_lo_s", "time_hi_s", "speedup", "speedup_lo", "speedup_hi")
    processes = ("processes", "process_sd", "process_df", "kind_sd")
    cells = arm.assign(
        status="ok",
        reason="",
        rounds=float(count),
        time_s=np.exp(centre(np.log(seconds))[0]),
        baseline="numpy_ufunc",
        kind="",
        **dict.fromkeys((*empty, *processes), np.nan),
    )
    rounds = arm.loc[arm.index.repeat(count)].reset_index(drop=True)
    numbers = np.tile(np.arange(count), cases)
    return Side(cells, rounds.assign(process=1, round=numbers, seconds=seconds.ravel(), contended=0))


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine whose processes differ, and whose cells jump now and then."""

    cells: int = 350
    process_sd: tuple[float, float] = (0.01, 0.02)
    """From the steadiest cell's to the least steady one's."""
    jumping: float = 0.005
    """The share of a run's cells that jump by 5 to 15 %, one way or the other."""
    rounds_se: float = 0.006

    def run(self, rng: np.random.Generator, slower: Sequence[int] = (), factor: float = 1.1) -> Side:
        """A run of this machine, which knows how much its processes differ on average; some cells are slower."""
        sds = np.linspace(*self.process_sd, self.cells)
        known = float(np.sqrt(np.mean(sds**2)))
        logs = rng.normal(0, sds / np.sqrt(PROCESSES)) + rng.normal(0, self.rounds_se, self.cells)
        jumps = rng.choice([-1, 1], self.cells) * rng.uniform(0.05, 0.15, self.cells)
        logs += np.where(rng.random(self.cells) < self.jumping, jumps, 0.0)
        logs[list(slower)] += np.log(factor)
        time_s = 1e-3 * np.exp(logs)
        reach = np.exp(1.96 * np.sqrt(self.rounds_se**2 + known**2 / PROCESSES))
        return Side(
            arms(self.cells, "r").assign(
                status="ok",
                reason="",
                rounds=16.0,
                time_s=time_s,
                time_lo_s=time_s / reach,
                time_hi_s=time_s * reach,
                baseline="numpy_ufunc",
                **dict.fromkeys(("speedup", "speedup_lo", "speedup_hi"), np.nan),
                processes=float(PROCESSES),
                process_sd=known,
                process_df=12.0,
                kind="serial",
                kind_sd=0.0,
            )
        )
