"""Readers and drivers: each module answers one question (``python scripts/NAME.py --help``)."""
