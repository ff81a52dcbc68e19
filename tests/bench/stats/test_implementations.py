"""`bench.stats.implementations`: the cells of one implementation taken together, on made-up differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.stats.implementations import implementations

CELLS = 20


def judged(*means: float, noise: float = 0.08, seed: int = 0, cells: int = CELLS) -> pd.DataFrame:
    """Implementations whose logs differ by those means, by backend; each cell's own error is the noise."""
    d = np.random.default_rng(seed).normal(np.repeat(means, cells), noise)
    backends = np.repeat([f"b{number}" for number in range(len(means))], cells)
    frame = pd.DataFrame({"backend": backends, "variant": ""})
    return implementations(frame, d, np.full(len(d), noise), 0.05).set_index("backend")


def test_a_tenth_in_every_cell_is_seen_though_no_cell_shows_it() -> None:
    runs = [judged(0.0, 0.0, np.log(1.1), 0.0, 0.0, 0.0, noise=0.06, seed=seed) for seed in range(40)]
    assert sum(bool(found["regression"]["b2"]) for found in runs) >= 30
    assert sum(int((found["change"].drop("b2") == "slower").sum()) for found in runs) == 0


def test_the_same_code_is_not_called_changed_where_the_hour_favours_some() -> None:
    rng = np.random.default_rng(1)
    runs = [judged(*rng.uniform(-0.025, 0.025, 7), seed=seed) for seed in range(100)]
    assert sum(bool(found["change"].isin(["slower", "faster"]).any()) for found in runs) <= 10


def test_cells_that_jump_are_not_the_implementations() -> None:
    frame = pd.DataFrame({"backend": ["b"] * CELLS, "variant": ""})
    d = np.random.default_rng(2).normal(0, 0.02, CELLS)
    d[:4] += 0.6
    (found,) = implementations(frame, d, np.full(CELLS, 0.02), 0.05).itertuples()
    assert found.change == "same"
    assert found.ratio == pytest.approx(1.0, abs=0.02)


def test_few_cells_and_unknown_ones_say_nothing() -> None:
    assert judged(1.0, cells=4).empty
    frame = pd.DataFrame({"backend": ["b"] * 8, "variant": ""})
    d = np.array([0.5] * 4 + [np.nan] * 4)
    assert implementations(frame, d, np.full(8, 0.01), 0.05).empty


def test_cells_that_agree_beyond_their_errors_are_not_believed() -> None:
    assert judged(0.2, noise=0.0).loc["b0", "change"] == "slower"
    frame = pd.DataFrame({"backend": ["b"] * 5, "variant": ""})
    (found,) = implementations(frame, np.full(5, 0.2), np.full(5, 0.9), 0.05).itertuples()
    assert found.change == "unresolved"
