"""Backends outside the suite's own table, to measure beside it and to start one's own from."""
