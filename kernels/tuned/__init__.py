"""The engine room of numba_tuned."""
