"""The harness: how an experiment is run and recorded.  Imports `kernels`, never `scripts`."""
