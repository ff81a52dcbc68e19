"""A child process and its parent talk through a socket: framed messages, one answer to each request.

A frame is the number of the request, the length of its text, and the text: JSON, as `bench.codec` writes it.  The
parent trusts nothing of it, since a child runs foreign code, which can write what it likes.  A length has a limit;
every wait has a deadline, also within a frame; what is not the answer to the request is refused.  Standard library
only.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import re
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args, get_origin

from bench.codec import MessageError, decode, encode

__all__ = [
    "MOST_BYTES",
    "Channel",
    "Frame",
    "Refusal",
    "Request",
    "answer_in",
    "inherited",
    "send_request",
    "serve",
]

A_co = TypeVar("A_co", covariant=True)
R = TypeVar("R", bound="Request[Any]")

MOST_BYTES = 1 << 20
"""No message is longer; the longest that is meant, a crosscheck's outcome, has some ten thousand bytes."""
_HEADER = struct.Struct("!QQ")
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


class Request(Generic[A_co]):
    """What a child is asked: a dataclass whose base names the type of the answer, as in ``Request[Prepared]``."""

    __slots__ = ()
    answer_type: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        for base in vars(cls).get("__orig_bases__", ()):
            if issubclass(get_origin(base), Request):
                (cls.answer_type,) = get_args(base)

    @property
    def name(self) -> str:
        """As reasons name it: ``device_time`` for DeviceTime."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Instead of an answer: a status of `bench.records.schema.STATUSES`, and the reason."""

    status: Literal["failed", "oom", "skipped"]
    reason: str


_DONE = b"+"
"""The text of an answer begins with it; the answer follows."""
_REFUSED = b"-"
"""The text begins with it where there is no answer; a `Refusal` follows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message as it comes: the number of the request that it belongs to, and its text."""

    number: int
    text: bytes


class Channel:
    """One end of a socket."""

    def __init__(self, end: socket.socket, most_bytes: int = MOST_BYTES) -> None:
        self._socket, self._most = end, most_bytes
        self._read = bytearray()

    def fileno(self) -> int:
        """The socket's, for `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def send(self, number: int, text: bytes, deadline: float = float("inf")) -> None:
        """Send a frame.  Raises MessageError if it is too long, OSError if the other end is gone or reads nothing."""
        if len(text) > self._most:
            raise MessageError(f"a message of {len(text)} bytes; at most {self._most} are allowed")
        seconds = deadline - time.monotonic()
        self._socket.settimeout(None if seconds == float("inf") else max(seconds, 1e-3))
        try:
            self._socket.sendall(_HEADER.pack(number, len(text)) + text)
        finally:
            self._socket.settimeout(None)  # as long as one is set, MSG_DONTWAIT waits

    def take(self) -> Frame | None:
        """Read what is there, without waiting; a frame if it is whole now.

        Raises EOFError where the other end hung up, MessageError if the frame is too long, OSError.
        """
        while wanted := self._missing():
            try:
                piece = self._socket.recv(wanted, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            if not piece:
                raise EOFError
            self._read += piece
        number, size = _HEADER.unpack_from(self._read)
        text = bytes(self._read[_HEADER.size : _HEADER.size + size])
        self._read.clear()
        return Frame(number, text)

    def _missing(self) -> int:
        """Bytes to read until there is a header, or a whole frame."""
        if len(self._read) < _HEADER.size:
            return _HEADER.size - len(self._read)
        size: int = _HEADER.unpack_from(self._read)[1]
        if size > self._most:
            raise MessageError(f"a message of {size} bytes; at most {self._most} are allowed")
        return _HEADER.size + size - len(self._read)

    def receive(self, deadline: float = float("inf")) -> Frame:
        """The next frame.  Raises TimeoutError at the deadline (`time.monotonic`), and as `take`."""
        while True:
            frame = self.take()
            if frame is not None:
                return frame
            if not self.waits(deadline - time.monotonic()):
                raise TimeoutError

    def waits(self, seconds: float) -> bool:
        """Whether there is something to read, after so many seconds at most."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(None if seconds == float("inf") else max(seconds, 0.0) * 1000))


def send_request(channel: Channel, number: int, request: Request[Any], deadline: float) -> None:
    """Ask.  Raises MessageError, OSError."""
    kind = type(request)
    channel.send(number, kind.__name__.encode() + b" " + encode(kind, request), deadline)


def answer_in(frame: Frame, number: int, request: Request[A_co]) -> A_co | Refusal:
    """The answer to that request.  Raises MessageError if the frame holds anything else."""
    if frame.number != number:
        raise MessageError(f"an answer to request {frame.number}; this is {number}")
    kinds = {_DONE: request.answer_type, _REFUSED: Refusal}
    if frame.text[:1] not in kinds:
        raise MessageError(f"no answer: {frame.text[:40]!r}")
    answer: A_co | Refusal = decode(kinds[frame.text[:1]], frame.text[1:])
    return answer


def inherited(fd: int) -> Channel:
    """In a child: the channel on the socket that it was started with.

    From here on it dies with its parent, all that it starts is known as its own (see `bench.run.guardian`), and if
    memory runs out, the kernel ends it and not its parent.
    """
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        prctl(_PR_SET_CHILD_SUBREAPER, 1)
        with contextlib.suppress(OSError):  # /proc may be closed to us
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    faulthandler.enable()
    os.set_inheritable(fd, False)  # what this process starts has no business here
    return Channel(socket.socket(fileno=fd))


def serve(
    channel: Channel,
    kinds: Sequence[type[R]],
    answer: Callable[[R], object],
    refusal: Callable[[BaseException], Refusal],
    answered: Callable[[], None] = lambda: None,
) -> None:
    """Be the child: answer requests of these kinds until the parent hangs up.

    What `answer` raises is told by `refusal`.  Once an answer is sent, `answered` is called.
    """
    by_name = {kind.__name__: kind for kind in kinds}
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            frame = channel.receive()
            text = _answered(frame.text, by_name, answer, refusal)
            channel.send(frame.number, text)
            answered()


def _answered(
    text: bytes,
    by_name: dict[str, type[R]],
    answer: Callable[[R], object],
    refusal: Callable[[BaseException], Refusal],
) -> bytes:
    name, _, arguments = text.partition(b" ")
    try:
        kind = by_name[name.decode()]
        made = _DONE + encode(kind.answer_type, answer(decode(kind, arguments)))
        if len(made) > MOST_BYTES:
            raise MessageError(f"an answer of {len(made)} bytes; at most {MOST_BYTES} are allowed")
    except BaseException as error:  # noqa: BLE001  # whatever foreign code raises is told to the parent
        made = _REFUSED + encode(Refusal, refusal(error))
    return made
