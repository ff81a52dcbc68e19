"""The parts of `scripts/trust.py`."""
