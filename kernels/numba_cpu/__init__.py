"""What the backends of Numba on the CPU have in common."""
