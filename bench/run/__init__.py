"""The coordinator: a run, its experiments, their rounds, the arms' processes, the rows."""
