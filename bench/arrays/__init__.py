"""The memory that calls work on: inputs, rings of buffers, where they lie, what they take."""
