"""Which activations a PyTorch program runs: counted in its first steps, and its steps timed afterwards."""
