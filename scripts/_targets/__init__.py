"""The parts of `scripts/targets.py`."""
