"""Backends that change their own process as no library should, and are right: it costs nobody anything."""

from __future__ import annotations

import atexit
import ctypes
import gc
import locale
import mmap
import os
import resource
import signal
import sys
import threading
import time
from pathlib import Path

from tests.attackers import LEFT, Attacker

__all__ = ["MEDDLERS"]

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 4, 15, 36  # linux/prctl.h
_FOR_EVER_S = 600


class Wanders(Attacker):
    """Every relative path means something else, and nobody may read what it makes."""

    name = "wanders"

    def attack(self) -> None:
        os.chdir("/")
        os.umask(0o777)


class StepsAside(Attacker):
    """Is nicer than the others, on one CPU."""

    name = "steps_aside"

    def attack(self) -> None:
        os.nice(1)
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


class SpeaksAnotherLanguage(Attacker):
    name = "speaks_another_language"

    def attack(self) -> None:
        locale.setlocale(locale.LC_ALL, "C")
        os.environ.clear()


class WantsLittle(Attacker):
    """No file can be written or left as a core from here on; of what it is, it says lines."""

    name = "wants_little"

    def versions(self) -> dict[str, str]:
        return {"a\nb": "=1+1\x1b[2J\n2"}

    def attack(self) -> None:
        for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
            resource.setrlimit(limit, (0, 0))


class Lingers(Attacker):
    """An exit handler, a thread and a finaliser that take their time, should the process end by itself."""

    name = "lingers"

    def __del__(self) -> None:
        time.sleep(_FOR_EVER_S)

    def attack(self) -> None:
        atexit.register(time.sleep, _FOR_EVER_S)
        threading.Thread(target=time.sleep, args=(_FOR_EVER_S,)).start()


class Hides(Attacker):
    """From debuggers, under another name, and from its parent's death."""

    name = "hides"

    def attack(self) -> None:
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_DUMPABLE, 0)
        prctl(_PR_SET_NAME, b") R 1 1 (")
        prctl(_PR_SET_PDEATHSIG, 0)
        prctl(_PR_SET_CHILD_SUBREAPER, 0)
        with Path(os.environ[LEFT]).open("a", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


class Ticks(Attacker):
    """System calls are interrupted over and over."""

    name = "ticks"

    def attack(self) -> None:
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)


class HearsNothing(Attacker):
    name = "hears_nothing"

    def attack(self) -> None:
        for number in signal.valid_signals() - {
            signal.SIGKILL,
            signal.SIGSTOP,
            signal.SIGSEGV,
            signal.SIGBUS,
        }:
            signal.signal(number, signal.SIG_IGN)


class IsShallow(Attacker):
    """Python does not collect its garbage, and may hardly call."""

    name = "is_shallow"

    def attack(self) -> None:
        gc.disable()
        sys.setrecursionlimit(150)
        sys.setswitchinterval(10.0)


class ReachesForInputs(Attacker):
    """Maps whatever files its parents hold, to write to them: shared inputs are sealed."""

    name = "reaches_for_inputs"

    def attack(self) -> None:
        for folder in Path("/proc").glob("[0-9]*/fd"):
            try:
                files = [each for each in folder.iterdir() if "memfd:relu_bench" in os.readlink(each)]  # noqa: PTH115
            except OSError:
                continue
            for each in files:
                try:
                    with each.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
                        memory[:] = bytes(len(memory))
                except OSError:
                    continue


MEDDLERS: tuple[type[Attacker], ...] = (
    Wanders,
    StepsAside,
    SpeaksAnotherLanguage,
    WantsLittle,
    Lingers,
    Hides,
    Ticks,
    HearsNothing,
    IsShallow,
    ReachesForInputs,
)
