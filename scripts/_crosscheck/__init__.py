"""The parts of `scripts/crosscheck.py`."""
