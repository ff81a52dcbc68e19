"""Student's t, corrections for many tests, the interval of a rate: values of the literature."""

from __future__ import annotations

import numpy as np
import pytest

from bench.stats.significance import benjamini_hochberg, holm, rate_interval, t_bound, two_sided_p, welch_df


def test_holm_corrects_step_by_step() -> None:
    # The example of Holm's procedure with p = 0.01, 0.04, 0.03, 0.005 (as in R's p.adjust).
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, np.nan, 0.02])) == pytest.approx([0.5, np.nan, 0.04], nan_ok=True)
    assert holm(np.zeros(0)).size == 0


def test_benjamini_hochberg_corrects_from_the_largest_down() -> None:
    # The same values with method = "BH" of R's p.adjust.
    assert benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg(np.array([0.5, np.nan, 0.02])) == pytest.approx(
        [0.5, np.nan, 0.04], nan_ok=True
    )
    assert benjamini_hochberg(np.zeros(0)).size == 0


def test_what_holm_calls_real_is_always_screened() -> None:
    p = np.random.default_rng(0).random((200, 30)) ** 4
    for each in p:
        assert (benjamini_hochberg(each) <= holm(each) + 1e-12).all()


@pytest.mark.parametrize(
    ("t", "df", "p"),
    [(1.95996, np.inf, 0.05), (2.7764, 4, 0.05), (2.0423, 30, 0.05), (8.6103, 4, 0.001), (12.924, 3, 0.001)],
)
def test_p_is_that_of_the_tables(t: float, df: float, p: float) -> None:
    found = two_sided_p(np.array([t, -t]), np.array([df, df]))
    assert found == pytest.approx([p, p], rel=1e-3)


def test_p_of_what_is_not_known_is_not_known() -> None:
    found = two_sided_p(np.array([np.nan, 1.0, 0.0, np.inf]), np.array([5.0, np.nan, 5.0, 5.0]))
    assert found == pytest.approx([np.nan, np.nan, 1.0, 0.0], nan_ok=True)
    assert two_sided_p(np.zeros(0), np.zeros(0)).size == 0


@pytest.mark.parametrize(
    ("df", "p", "bound"),
    [(1.0, 0.05, 12.706), (4.0, 0.05, 2.776), (8.0, 0.05, 2.306), (np.inf, 0.05, 1.960), (4.0, 0.001, 8.610)],
)
def test_the_bound_is_where_p_is_what_was_asked_for(df: float, p: float, bound: float) -> None:
    dfs = np.array([df])
    assert t_bound(dfs, p) == pytest.approx([bound], abs=5e-4)
    assert two_sided_p(t_bound(dfs, p), dfs) == pytest.approx([p])


@pytest.mark.parametrize(
    ("hits", "of", "lo", "hi"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_a_rate(hits: int, of: int, lo: float, hi: float) -> None:
    """The examples of R. Newcombe, Statistics in Medicine 17, 1998, p. 857, method 3."""
    assert rate_interval(hits, of) == pytest.approx((lo, hi), abs=5e-5)


def test_degrees_of_freedom_of_a_sum() -> None:
    equal = welch_df(np.array([[1.0], [1.0]]), np.array([[6.0], [6.0]]))
    one = welch_df(np.array([[1.0], [0.0]]), np.array([[6.0], [6.0]]))
    none = welch_df(np.zeros((2, 1)), np.full((2, 1), 6.0))
    assert [equal[0], one[0], none[0]] == pytest.approx([12.0, 6.0, np.inf])
