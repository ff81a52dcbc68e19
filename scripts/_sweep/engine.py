"""Dask as the sweep sees it: machines that are there, shards that are started, and what they send."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts._shared.cli import UsageError
from scripts._sweep.machine import RESOURCE, Told, tell
from scripts._sweep.shard import Order, ShardEnd, run_shard, stop_shards

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Ended", "Engine", "Grown"]


@dataclass(frozen=True, slots=True)
class Grown:
    """A line of a shard's journal has come."""

    shard: str
    host: str
    number: int
    line: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """A shard has ended: with `end`, or without one, for a reason."""

    key: str
    end: ShardEnd | None
    reason: str = ""


class Engine:
    """One sweep on one scheduler."""

    def __init__(self, client: Client, sweep: str) -> None:
        self._client, self._sweep = client, sweep
        self._events: queue.SimpleQueue[Grown | Ended | None] = queue.SimpleQueue()
        self._futures: dict[str, Future[ShardEnd]] = {}
        self._told: dict[str, Told | str] = {}
        """What each worker told, by its address; in words why it told nothing."""
        client.subscribe_topic(Order(sweep, "", ()).topic, self._grown)

    def machines(self) -> tuple[dict[str, Told], list[str]]:
        """The machines there are, by host, and a sentence for each worker that is of no use.  Raises UsageError."""
        try:
            there = self._client.nthreads()
            new = [address for address in there if address not in self._told]
            answers = self._client.run(tell, workers=new, on_error="return") if new else {}
        except OSError as error:
            raise UsageError(
                f"the scheduler is gone ({error}); start it and its workers again, and go on with the same --run-id"
            ) from error
        if new:
            self._told |= {address: _told(address, answers.get(address)) for address in new}
        found: dict[str, Told] = {}
        trouble = []
        for address in sorted(there):
            told = self._told[address]
            if isinstance(told, str):
                trouble.append(told)
            elif told.host in found:
                trouble.append(
                    f"{address} is a second worker on {told.host}, where it would be heard; end one"
                )
            else:
                found[told.host] = told
        return found, trouble

    def wait_for(self, count: int, wait_s: float) -> tuple[dict[str, Told], list[str]]:
        """`machines`, once there are so many workers, or the time is up."""
        with contextlib.suppress(TimeoutError):
            self._client.wait_for_workers(count, timeout=wait_s)
        return self.machines()

    def start(self, key: str, order: Order, hosts: Collection[str]) -> None:
        """Have one of the hosts measure a shard."""
        future = self._client.submit(
            run_shard,
            order,
            key=f"{order.topic} {key} {time.time_ns()}",
            workers=sorted(hosts),
            resources={RESOURCE: 1},
            pure=False,
        )
        self._futures[key] = future
        future.add_done_callback(lambda done: self._events.put(_ended(key, done)))

    def give_up(self, key: str) -> None:
        """Wait for that shard no longer."""
        future = self._futures.pop(key, None)
        if future is not None:
            future.cancel()

    def next(self, wait_s: float) -> Grown | Ended | None:
        """What happened next, if anything does in that time."""
        try:
            event = self._events.get(timeout=wait_s)
        except queue.Empty:
            return None
        if isinstance(event, Ended) and self._futures.pop(event.key, None) is None:
            return None  # given up before
        return event

    def wake(self) -> None:
        """Have `next` come back, with nothing; from any thread."""
        self._events.put(None)

    def stop(self) -> None:
        """Have all machines stop what they measure for this sweep."""
        for key in tuple(self._futures):
            self.give_up(key)
        self._client.run(stop_shards, self._sweep, on_error="ignore")

    def _grown(self, event: tuple[float, Mapping[str, Any]]) -> None:
        sent = event[1]  # and by which worker
        self._events.put(Grown(sent["shard"], sent["host"], sent["number"], sent["line"]))


def _told(address: str, answer: object) -> Told | str:
    if not isinstance(answer, Told):
        why = str(answer).splitlines()[0] if str(answer or "") else "it gave no answer"
        return f"{address} cannot be used: {why}; start it in a checkout, with PYTHONPATH set to it"
    if answer.machines != 1:
        return f"{address} offers {answer.machines:g} of {RESOURCE}; start it with --resources {RESOURCE}=1"
    return answer


def _ended(key: str, future: Future[ShardEnd]) -> Ended:
    """In a thread of the future's own; its result is fetched there, too."""
    from distributed import KilledWorker  # noqa: PLC0415  # an extra

    if future.status == "finished":
        return Ended(key, future.result())
    if future.status == "error":
        error = future.exception()
        if isinstance(error, KilledWorker):
            return Ended(key, None, "its worker died each time that it was tried")
        return Ended(key, None, f"{type(error).__name__}: {error}".splitlines()[0])
    return Ended(key, None, f"the scheduler has {future.status} it")
