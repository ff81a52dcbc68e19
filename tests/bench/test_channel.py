"""The socket to a child that may send anything: no wait is longer than its deadline, and no lie is believed."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.channel import MOST_BYTES, Channel, Refusal, Request, answer_in, send_request, serve
from bench.codec import MessageError


@dataclass(frozen=True, slots=True)
class Double(Request[int]):
    number: int


@dataclass(frozen=True, slots=True)
class SayMuch(Request[str]):
    size: int


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def frame(number: int, text: bytes, size: int | None = None) -> bytes:
    return struct.pack("!QQ", number, len(text) if size is None else size) + text


def soon() -> float:
    return time.monotonic() + 0.05


@pytest.mark.parametrize("sent", [b"", b"abc", frame(1, b"+1", size=2)[:-1], frame(1, b"", size=MOST_BYTES)])
def test_silence_ends_at_the_deadline_wherever_it_begins(
    ends: tuple[Channel, socket.socket], sent: bytes
) -> None:
    channel, theirs = ends
    theirs.sendall(sent)
    with pytest.raises(TimeoutError):
        channel.receive(soon())


def test_a_frame_that_is_there_is_taken_at_one_look(ends: tuple[Channel, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(frame(7, b"text") + frame(8, b"")[:-1])
    taken = ours.take()
    assert taken is not None
    assert (taken.number, taken.text) == (7, b"text")
    assert ours.take() is None


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 2**62, 2**64 - 1])
def test_a_length_beyond_the_limit_is_refused_at_once(ends: tuple[Channel, socket.socket], size: int) -> None:
    channel, theirs = ends
    theirs.sendall(frame(1, b"", size=size))
    with pytest.raises(MessageError, match=f"a message of {size} bytes; at most"):
        channel.receive(time.monotonic() + 60)


def test_half_a_frame_and_the_end_is_the_end(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(frame(1, b"+1")[:-1])
    theirs.close()
    with pytest.raises(EOFError):
        channel.receive(time.monotonic() + 60)


def test_a_reader_that_reads_nothing_is_not_waited_for(ends: tuple[Channel, socket.socket]) -> None:
    channel, _ = ends
    with pytest.raises(TimeoutError):  # more than any socket takes in
        channel.send(1, b"x" * MOST_BYTES, soon())


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, b"+1"), (3, b"+1"), (2, b""), (2, b"1"), (2, b"+"), (2, b'+"1"'), (2, b"+1.5"), (2, b"-1")],
)
def test_what_is_not_the_answer_to_the_request_is_refused(
    ends: tuple[Channel, socket.socket], number: int, text: bytes
) -> None:
    channel, theirs = ends
    theirs.sendall(frame(number, text))
    with pytest.raises(MessageError):
        answer_in(channel.receive(soon()), 2, Double(1))


def test_a_refusal_of_an_unknown_status_is_refused(ends: tuple[Channel, socket.socket]) -> None:
    channel, theirs = ends
    theirs.sendall(frame(1, b'-{"status":"ok","reason":""}'))
    with pytest.raises(MessageError):
        answer_in(channel.receive(soon()), 1, Double(1))


def answered(request: Request[object]) -> object:
    if isinstance(request, SayMuch):
        return "x" * request.size
    assert isinstance(request, Double)
    if request.number == 13:
        raise ValueError("no such number")
    return 2 * request.number if request.number else "zero"


@pytest.fixture
def served() -> Iterator[Channel]:
    """A channel to a thread that serves; it ends when we hang up."""
    ours, theirs = socket.socketpair()

    def refusal(error: BaseException) -> Refusal:
        return Refusal("failed", f"{type(error).__name__}: {error}")

    def work() -> None:
        serve(Channel(theirs), (Double, SayMuch), answered, refusal)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    channel = Channel(ours)
    yield channel
    channel.close()
    thread.join(10)
    theirs.close()
    assert not thread.is_alive()


def ask(channel: Channel, number: int, request: Request[object]) -> object:
    send_request(channel, number, request, time.monotonic() + 60)
    return answer_in(channel.receive(time.monotonic() + 60), number, request)


def test_requests_are_answered_or_refused(served: Channel) -> None:
    assert ask(served, 1, Double(4)) == 8
    assert ask(served, 2, Double(13)) == Refusal("failed", "ValueError: no such number")
    assert ask(served, 3, Double(5)) == 10


def test_an_answer_that_is_none_is_told_as_a_failure(served: Channel) -> None:
    wrong, long = ask(served, 1, Double(0)), ask(served, 2, SayMuch(MOST_BYTES))
    assert isinstance(wrong, Refusal)
    assert "'zero' is no whole number" in wrong.reason
    assert isinstance(long, Refusal)
    assert "at most" in long.reason
    assert ask(served, 3, Double(1)) == 2


def test_what_is_no_request_is_refused(served: Channel) -> None:
    for number, text in enumerate((b"", b"Triple {}", b"Double", b'Double {"number":"x"}', b"\xff {}")):
        served.send(number, text)
        assert served.receive(time.monotonic() + 60).text.startswith(b"-")
