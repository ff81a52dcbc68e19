"""The parts of `scripts/doctor.py`."""
