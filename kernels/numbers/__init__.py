"""The float formats, distances in ULP, inputs, and host arrays."""
