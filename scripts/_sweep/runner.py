"""Runs the command of a shard beside a worker, tells every line of its journal, and ends when the worker does.

It is started by its path in a bare interpreter and imports little, not even pathlib, so that it starts in milliseconds.
Standard input brings one line of JSON, the order, maybe long after the start, and stays open: its end says that the
worker is gone, or wants the shard to stop.  Standard output gets ``NUMBER LINE`` for each line of the journal, and last
``end JSON``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time

_LOOK_S = 0.5
"""Between two looks at the journal: an experiment takes seconds, and each look some microseconds."""
_GRACE_S = 20.0
"""What a command that is told to stop may take to write what it has."""
_MOST_SAID = 2000
"""Bytes of what the command said last."""
_STDIN, _STDOUT = 0, 1


class Tail:
    """The lines of a growing journal, each told once."""

    def __init__(self, path: str) -> None:
        self._path, self._read, self._number = path, 0, 0

    def tell(self) -> None:
        """Say the lines that are new, as far as they are whole."""
        try:
            size = os.stat(self._path).st_size
        except OSError:
            return  # nothing has been written yet
        if size < self._read:  # written anew, without what was damaged
            self._read = self._number = 0
        if size == self._read:
            return
        with open(self._path, "rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._number += 1
                _say(b"%d %b" % (self._number, line))


def main() -> None:
    """Wait for the order, run it, tell how it ended."""
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the worker is gone, and wanted nothing more
    order = json.loads(line)
    with open(order["lock"], "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until what a lost worker had begun here has ended
        if _asked_to_stop():
            return
        with open(order["log"], "wb") as log:
            began_s = time.time()
            process = subprocess.Popen(
                order["command"],
                cwd=order["cwd"],
                env=order["environ"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[lock.fileno()],  # held for as long as the command lives, even without this process
            )
            code = _attend(process, Tail(order["journal"]))
        end = {
            "code": code,
            "began_s": began_s,
            "ended_s": time.time(),
            "said": _last_words(order["log"]),
        }
    _say(b"end %b\n" % json.dumps(end).encode())


def _asked_to_stop() -> bool:
    return bool(select.select([_STDIN], [], [], 0)[0])


def _attend(process: subprocess.Popen[bytes], journal: Tail) -> int:
    """Tell the journal until the command has ended, which it is asked to at the end of standard input."""
    ended, ends = os.pipe()
    threading.Thread(target=_notice, args=(process, ends), daemon=True).start()
    watched = [_STDIN, ended]
    while True:
        ready = select.select(watched, [], [], _LOOK_S)[0]
        journal.tell()
        if ended in ready:
            return process.wait()
        if _STDIN in ready:
            watched.remove(_STDIN)
            _stop(process)


def _notice(process: subprocess.Popen[bytes], ends: int) -> None:
    process.wait()
    os.write(ends, b".")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    later = threading.Timer(_GRACE_S, process.kill)
    later.daemon = True
    later.start()


def _last_words(log: str) -> str:
    with open(log, "rb") as file:
        file.seek(max(os.stat(log).st_size - _MOST_SAID, 0))
        return file.read().decode(errors="replace")


def _say(words: bytes) -> None:
    rest = memoryview(words)
    with contextlib.suppress(BrokenPipeError):  # the worker is gone; the end of standard input says so, too
        while rest:
            rest = rest[os.write(_STDOUT, rest) :]


if __name__ == "__main__":
    main()
