"""`bench.stats.drift`: what the copies tell of the machine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.stats.drift import scatter


def test_scatter_is_what_the_controls_own_errors_do_not_explain() -> None:
    rng = np.random.default_rng(0)

    def controls(drift: float) -> pd.DataFrame:
        d = rng.normal(0, 0.01 * np.sqrt(2), 400) + rng.normal(0, drift, 400) + 0.3
        return pd.DataFrame({"d": d, "se_old": 0.01, "se_new": 0.01})

    assert scatter(controls(0.0)) < 0.006
    assert scatter(controls(0.05)) == pytest.approx(0.05, rel=0.15)
    assert scatter(controls(0.05).head(2)) == 0.0
