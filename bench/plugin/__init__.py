"""pytest's side: options, one pytest item per cell, the replay into pytest-benchmark, what is printed."""
