"""The parts of `scripts/card.py`."""
