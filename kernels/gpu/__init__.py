"""What the backends on CUDA cards have in common."""
