"""Backends that write to the socket on which their process is asked, or do other harm, instead of working."""

from __future__ import annotations

import mmap
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from tests.honest import Array, HonestNumpy

__all__ = ["ATTACKS", "LEFT", "MARK", "Attacker"]

MARK = "RELU_BENCH_ATTACKED"
"""Names a file that is there if the coordinator has run code of an attacker's."""
LEFT = "RELU_BENCH_LEFT"
"""Names a file to which attackers add the ids of processes that are to outlive them."""
_FOR_EVER_S = 600


class _Code:
    """A pickle of this one writes the file when it is read."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return Path.touch, (Path(os.environ[MARK]),)


def frame(number: int, text: bytes) -> bytes:
    return struct.pack("!QQ", number, len(text)) + text


class Attacker(HonestNumpy):
    """Attacks while it is prepared, which is the second request to its process; then it hangs, or goes on."""

    hangs: ClassVar[bool] = False

    def compile(self, case: Any, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Array]:
        self.attack()
        if self.hangs:
            time.sleep(_FOR_EVER_S)
        return super().compile(case, x, dy, out)

    def attack(self) -> None:
        raise NotImplementedError

    def say(self, text: bytes) -> None:
        os.write(int(sys.argv[1]), text)


class SaysGarbage(Attacker):
    name = "says_garbage"

    def attack(self) -> None:
        self.say(os.urandom(64) + bytes(64))


class SaysHugeLength(Attacker):
    name = "says_huge_length"

    def attack(self) -> None:
        self.say(struct.pack("!QQ", 2, 1 << 62))


class SaysHalfAFrame(Attacker):
    name = "says_half_a_frame"
    hangs = True

    def attack(self) -> None:
        self.say(frame(2, b"+" + b"x" * 100)[:50])


class SaysThreeBytes(Attacker):
    name = "says_three_bytes"
    hangs = True

    def attack(self) -> None:
        self.say(b"\0\0\0")


class SaysAnotherMessage(Attacker):
    name = "says_another_message"

    def attack(self) -> None:
        self.say(frame(2, b'+{"problem":null,"compile_report":{},"device_peak_bytes":null}'))


class SaysAnAnswerTooMany(Attacker):
    """Answers the request before once more."""

    name = "says_an_answer_too_many"

    def attack(self) -> None:
        self.say(frame(1, b'+{"import_s":0.0,"versions":{}}'))


class SaysPickle(Attacker):
    name = "says_pickle"

    def attack(self) -> None:
        code = pickle.dumps(("done", _Code()))
        self.say(struct.pack("!i", len(code)) + code)  # as multiprocessing's connections have it


class SaysPickleInAFrame(Attacker):
    name = "says_pickle_in_a_frame"

    def attack(self) -> None:
        self.say(frame(2, b"+" + pickle.dumps(_Code())))


class SaysDeepJson(Attacker):
    name = "says_deep_json"

    def attack(self) -> None:
        self.say(frame(2, b"+" + b"[" * 100_000))


class HangsUp(Attacker):
    name = "hangs_up"
    hangs = True

    def attack(self) -> None:
        os.close(int(sys.argv[1]))


class StopsItself(Attacker):
    name = "stops_itself"

    def attack(self) -> None:
        while True:
            os.kill(os.getpid(), signal.SIGSTOP)


class PrintsForEver(Attacker):
    name = "prints_for_ever"

    def attack(self) -> None:
        while True:
            print("chatter " * 100)
            time.sleep(0.001)


class SaysTooMuch(Attacker):
    """Describes itself at a length that is no answer any more."""

    name = "says_too_much"

    def versions(self) -> dict[str, str]:
        return {f"package{number}": "1" * 100 for number in range(20_000)}

    def attack(self) -> None:
        """Nothing more."""


class LeavesADaemon(Attacker):
    """Dies; what it has started is in a session of its own, has no variable of ours, and holds the socket open."""

    name = "leaves_a_daemon"

    def attack(self) -> None:
        os.set_inheritable(int(sys.argv[1]), True)
        daemon = subprocess.Popen(
            ["sleep", str(_FOR_EVER_S)],
            start_new_session=True,
            close_fds=False,
            env={"PATH": os.environ["PATH"]},
        )
        with Path(os.environ[LEFT]).open("a", encoding="ascii") as file:
            file.write(f"{daemon.pid}\n")
        os._exit(9)


class RaisesAtLength(Attacker):
    name = "raises_at_length"

    def attack(self) -> None:
        raise ValueError("=1+1 \x1b[2J\u202e " + "Command: y" * 100_000)


class RaisesWithoutText(Attacker):
    name = "raises_without_text"

    class Error(Exception):
        def __str__(self) -> str:
            os.close(-1)
            return ""

    def attack(self) -> None:
        raise self.Error


class ExitsPolitely(Attacker):
    name = "exits_politely"

    def attack(self) -> None:
        sys.exit(3)


class EatsMemory(Attacker):
    """Up to its limit, and goes on.  It touches no page: to write two gigabytes may take longer than it is given."""

    name = "eats_memory"

    def attack(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        held = []
        while True:
            try:
                held.append(mmap.mmap(-1, 16 << 20))
            except (MemoryError, OSError):
                time.sleep(0.01)


class ClosesEveryFile(Attacker):
    name = "closes_every_file"

    def attack(self) -> None:
        os.closerange(0, 256)


class SetsAnAlarm(Attacker):
    name = "sets_an_alarm"
    hangs = True

    def attack(self) -> None:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0.001)


class SaysAnAnswerAhead(Attacker):
    name = "says_an_answer_ahead"

    def attack(self) -> None:
        self.say(frame(3, b"+0.5"))


class RaisesANameOfLines(Attacker):
    name = "raises_a_name_of_lines"

    def attack(self) -> None:
        raise type("Error\n\x1b[2J,=1+1", (BaseException,), {})("\0\n\r\u2028" * 3)


class HasLessThanNoThreads(Attacker):
    name = "has_less_than_no_threads"

    def set_threads(self, count: int) -> int:
        return -1

    def attack(self) -> None:
        """Nothing more."""


class HasVersionsOfAnotherKind(Attacker):
    name = "has_versions_of_another_kind"

    def versions(self) -> Any:
        return [1]

    def attack(self) -> None:
        """Nothing more."""


NO_ANSWER = r"sent what is no answer to 'prepare': .*; the process was ended"
ATTACKS: dict[type[Attacker], tuple[str, str]] = {
    SaysGarbage: ("failed", NO_ANSWER),
    SaysHugeLength: ("failed", r"'prepare': a message of 4611686018427387904 bytes; at most 1048576 are"),
    SaysHalfAFrame: ("timeout", "no answer to 'prepare' within --cell-timeout"),
    SaysThreeBytes: ("timeout", "no answer to 'prepare' within --cell-timeout"),
    SaysAnotherMessage: ("failed", NO_ANSWER),
    SaysAnAnswerTooMany: ("failed", "an answer to request 1; this is 2"),
    SaysPickle: ("failed", NO_ANSWER),
    SaysPickleInAFrame: ("failed", NO_ANSWER),
    SaysDeepJson: ("failed", r"'prepare': no JSON \(RecursionError\)"),
    HangsUp: ("crashed", "closed its connection in 'prepare' and did not end"),
    StopsItself: ("crashed", "was stopped in 'prepare', and again after it had been told to go on"),
    PrintsForEver: ("timeout", "no answer to 'prepare' within --cell-timeout"),
    SaysTooMuch: ("failed", "versions: 20000 items are not 0 to 64"),
    LeavesADaemon: ("crashed", "exit status 9 in 'prepare'"),
    RaisesAtLength: ("failed", r"^ValueError: =1\+1 \?\[2J\? Command: y"),
    RaisesWithoutText: ("failed", "Error: its text raises OSError"),
    ExitsPolitely: ("failed", "SystemExit: 3"),
    EatsMemory: ("oom", "2.00 GiB of address space that it may have in use"),
    ClosesEveryFile: ("crashed", "'prepare'"),
    SetsAnAlarm: ("crashed", "killed by SIGALRM in 'prepare'"),
    SaysAnAnswerAhead: ("failed", "an answer to request 3; this is 2"),
    RaisesANameOfLines: ("failed", r"^Error \?\[2J,=1\+1: \? \? \?$"),
    HasLessThanNoThreads: ("failed", "set_threads returned -1; wanted the count in effect, 0 to"),
    HasVersionsOfAnotherKind: ("failed", r"versions returned \[1\]; wanted a dict by name"),
}
"""What becomes of the cell, and what its reason says."""
