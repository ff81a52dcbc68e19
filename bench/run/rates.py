"""What visits take, from those that were made: for each unit of their size, and at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.run.visit_sizes import Rates, Size

__all__ = ["Seen", "mean_of_at_most", "rates"]

_USUAL = 0.1
"""What is usual counts as much as this share of a visit like those to come: it stands until there was one."""

_TURNS = 20
"""So often one part is found from the other: neither changes much any more then."""

Seen = tuple[float, Size, float]
"""What a visit counts, its size, and the seconds that it took."""


def rates(seen: Sequence[Seen], usual: Rates | None) -> Rates:
    """Of what is fixed and of what grows: both the same where nobody knows what is usual."""
    if usual is not None:
        return _apart([each for each in seen if each[1].usual == usual], usual)
    units = sum(counts * size.units for counts, size, _ in seen)
    rate = sum(counts * took_s for counts, _, took_s in seen) / units if units else 0.0
    return rate, rate


def _apart(seen: Sequence[Seen], usual: Rates) -> Rates:
    """Each of both is the mean of what the other leaves of visits for it; neither is less than nothing.

    The more of a visit a part is, the more the visit tells of it: that a small network took longer than usual is no
    rule for large ones, nor the other way round.
    """
    shares = [
        (counts, size.fixed * usual[0] / size.at(usual), took_s / size.at(usual))
        for counts, size, took_s in seen
    ]
    of_fixed = _sums(shares)
    of_grows = _sums((counts, 1.0 - share, times) for counts, share, times in shares)
    fixed = grows = 1.0
    for _ in range(_TURNS):
        fixed = _mean(of_fixed, grows)
        grows = _mean(of_grows, fixed)
    return fixed * usual[0], grows * usual[1]


def _sums(seen: Iterable[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Of (what a visit counts, a part's share of it, how many times as long as usual it took).

    They are over what each tells of the part: its share, that of the other part, and the times.
    """
    own, other, took = _USUAL, 0.0, _USUAL
    for counts, share, times in seen:
        tells = counts * share**3
        own, other, took = own + tells * share, other + tells * (1.0 - share), took + tells * times
    return own, other, took


def _mean(sums: tuple[float, float, float], times: float) -> float:
    """How many times as long as usual a part takes where the other takes so many times as long."""
    own, other, took = sums
    return max(took - other * times, 0.0) / own


def mean_of_at_most(most: float, seen: Iterable[tuple[float, bool, float]]) -> float:
    """The mean of min(x, `most`), of (x, whether it is longer than that, what it counts)."""
    ordered = sorted(seen)
    left = sum(counts for _, _, counts in ordered)
    mean, longer, last = 0.0, 1.0, 0.0
    for value, is_longer, counts in ordered:
        if value >= most:
            break
        mean, last = mean + longer * (value - last), value
        if not is_longer:
            longer *= max(1.0 - counts / left, 0.0)
        left -= counts
    return mean + longer * (most - last) if longer else mean
