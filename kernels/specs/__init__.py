"""What options name of a user's own (a function, an op).  Another process looks at it: nothing is imported here."""
