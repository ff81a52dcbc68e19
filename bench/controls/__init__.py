"""The control arms: copies of the same bytes, and an empty call."""
