"""A question asked from Python: functions of a user's own compared on an array of theirs, and runs read."""
