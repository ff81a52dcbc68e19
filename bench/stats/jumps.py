"""Jumps: a few cells in a hundred differ by 5 to 15 % between runs of the same code, for no reason in the code.

So a difference has to stand without the run that says most for it, or it may be that run's jump.  Of one run a side
nothing is left without it; there the largest usual jump is taken off.  Some jump by more: of 420 cells of three pairs
of quick runs three moved by more than a third, PyTorch's calls that allocate megabytes, whose memory is in one of two
states.  So what is left of a lone run's difference may be such a jump, the less likely the larger it is.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.stats.significance import t_bound, two_sided_p

__all__ = ["JUMP", "JUMP_RATE", "noise_floor", "p_of", "p_of_a_jump"]

Floats = npt.NDArray[np.float64]

JUMP = float(np.log(1.15))
"""The largest difference, of log times, that an arm is thought to make between two runs of the same code by itself."""
JUMP_RATE = 0.01
"""The share of the cells of two such runs that jump by 5 % or more."""
_BEYOND = 1.6
"""Errors of a cell by which jumps exceed `JUMP` on average, those that do: what is known to 8 % jumps further than what
is known to 2 %."""
_POWER = 0.8416
"""Standard errors beyond the bound of a test at which a change is found in 80 % of the cases."""


def p_of(size: Floats, error: Floats, df: Floats) -> Floats:
    """The p-value of a difference of that size (0 or more) with that error; NaN where either is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return two_sided_p(np.where(size == 0, 0 * error, size / error), df)


def p_of_a_jump(cells: pd.DataFrame, taken_off: Floats, error: Floats, df: Floats) -> Floats:
    """The chance that a run jumped, times that of what is then left of the difference.

    `cells` has ``d`` and, for both sides, what `bench.stats.between_runs.side_of` says of them; `taken_off` is the part
    of `d` that is the machine's.
    """
    left = np.maximum(_without_a_jump(cells) - taken_off, 0.0)
    rate = JUMP_RATE * (cells["runs_old"] + cells["runs_new"]).to_numpy() / 2
    chance = p_of(left, error * _wider(cells), df)
    return np.asarray(
        rate * np.where(_alone(cells), np.maximum(chance, np.exp(-left / (_BEYOND * error))), chance)
    )


def noise_floor(cells: pd.DataFrame, error: Floats, df: Floats, level: float) -> Floats:
    """The smallest change, as a fraction, that is found at that level in 80 % of the cases; `cells` as above."""
    jump = JUMP + _BEYOND * error * math.log(JUMP_RATE / level) if level < JUMP_RATE else 0.0
    with np.errstate(over="ignore"):  # where nothing is known of an error, no change would be found
        of_chance = (t_bound(df, level) + _POWER) * error
        return np.asarray(
            np.expm1(np.where(_alone(cells), np.maximum(of_chance, _POWER * error + jump), of_chance))
        )


def _alone(cells: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Where a side has one run."""
    return np.asarray(cells[["runs_old", "runs_new"]].min(axis=1) < 2)


def _without_a_jump(cells: pd.DataFrame) -> Floats:
    """The size of each difference without the run that says most for it; a jump is taken off that of a lone run."""
    d = cells["d"].to_numpy()
    slower = d > 0
    new = np.where(slower, cells["without_highest_new"], cells["without_lowest_new"])
    old = np.where(slower, cells["without_lowest_old"], cells["without_highest_old"])
    sizes = [
        np.where(np.isnan(new), np.abs(d) - JUMP, np.sign(d) * (new - cells["value_old"])),
        np.where(np.isnan(old), np.abs(d) - JUMP, np.sign(d) * (cells["value_new"] - old)),
    ]
    return np.asarray(np.maximum(np.minimum(*sizes), 0.0))


def _wider(cells: pd.DataFrame) -> Floats:
    """How many times as large an error is without one of the runs, where more are left."""
    old, new = (cells[f"runs_{name}"].to_numpy() for name in ("old", "new"))
    fewest = np.minimum(old, new)
    without = 1 / np.maximum(fewest - 1, 1) + 1 / np.maximum(old, new)
    return np.asarray(np.sqrt(without / (1 / old + 1 / new)))
