"""The parts of `scripts/sweep.py`, and of `scripts/fleet.py`, which measures it."""
