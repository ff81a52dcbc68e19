"""Backends made of others, that scripts measure: slowed, forward and backward as one call, then summed."""
