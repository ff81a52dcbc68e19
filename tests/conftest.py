"""Hypothesis draws the same examples every time: what passes here passes in CI."""

from hypothesis import settings

settings.register_profile("same-examples", derandomize=True, deadline=None)
settings.load_profile("same-examples")
