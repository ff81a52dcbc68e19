"""The process that is measured: one backend, one case after another."""
