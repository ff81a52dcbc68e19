"""The parts of `scripts/training_step.py`."""
