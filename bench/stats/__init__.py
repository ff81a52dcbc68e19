"""Arithmetic of samples: estimates, intervals, verdicts, comparisons, curves."""
