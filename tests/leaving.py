"""A child process of a run that leaves another, in a session of its own: ``python -m tests.leaving FD``.

It writes both ids to the file that `LEFT` names, and goes on for ever.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.channel import inherited

__all__ = ["LEFT"]

LEFT = "RELU_BENCH_LEFT"
_FOR_EVER_S = 600

if __name__ == "__main__":
    channel = inherited(int(sys.argv[1]))
    left = subprocess.Popen(["sleep", str(_FOR_EVER_S)], start_new_session=True)
    file = Path(os.environ[LEFT])
    file.with_suffix(".part").write_text(f"{os.getpid()} {left.pid}", encoding="ascii")
    file.with_suffix(".part").rename(file)
    time.sleep(_FOR_EVER_S)
