"""pytest's side: options, an item a cell, the replay into pytest-benchmark, what is printed."""
