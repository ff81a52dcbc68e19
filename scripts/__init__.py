"""Readers and drivers: each module answers one question (``python scripts/NAME.py --help``)."""

import bench  # noqa: F401  # first of all: it says so if `kernels` is another distribution's
