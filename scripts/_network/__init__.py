"""The parts of `scripts/network.py`."""
