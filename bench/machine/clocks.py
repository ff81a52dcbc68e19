"""The clocks of the harness, taken before a backend is imported, which could replace them in `time`.

`clock` is monotonic and the same in all processes of a machine, so that the coordinator can hold a
worker's readings against its own.
"""

from time import perf_counter as clock
from time import process_time as cpu_clock
from time import thread_time as thread_clock

__all__ = ["clock", "cpu_clock", "thread_clock"]
