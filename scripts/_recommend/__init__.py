"""The parts of `scripts/recommend.py`."""
