"""The parts of `scripts/history.py`."""
