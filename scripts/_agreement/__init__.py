"""The parts of `scripts/agreement.py`."""
