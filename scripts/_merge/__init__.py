"""The parts of `scripts/merge.py`."""
