"""The process of one arm: ``python -m bench.arm.worker FD``.

Answers the requests of `bench.messages` on a socket.  Environment variables of a variant are set
by the parent before this process exists, so the allocator and every library see them from the start.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bench.arm.server import ArmServer
from bench.channel import Refusal, Request, inherited, serve
from bench.machine.pausing import pause
from bench.messages import ARM_REQUESTS, ArmRequest, Open, Sample
from bench.plan.experiments import CONTROLS
from kernels import registry
from kernels.api import Backend
from kernels.own.op import load_ops
from kernels.plugins import instantiate, one_line
from kernels.specs.op import is_op_spec

__all__ = ["Worker", "load_backend", "main", "refusal", "server_of"]

_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "RESOURCE_EXHAUSTED",  # XLA
    "CUDA_ERROR_OUT_OF_MEMORY",  # the driver, by way of numba.cuda
)


def load_backend(name: str, plugins: Mapping[str, str]) -> Backend:
    """The backend called `name`; `plugins` maps names to ``MODULE:CLASS``, or to a user's own op."""
    for plugin, spec in plugins.items():
        if not is_op_spec(spec):
            registry.register(spec, plugin)
    load_ops(plugins)
    return registry.load(name)


def server_of(wanted: Open) -> ArmServer:
    """A server for that backend or control, which is not imported yet."""

    def load() -> Backend:
        if wanted.is_control:
            load_ops(wanted.plugins)
            return instantiate(CONTROLS[wanted.backend])
        return load_backend(wanted.backend, wanted.plugins)

    plugin = wanted.backend in wanted.plugins
    return ArmServer(load, wanted.seed, wanted.cache_bytes, control=wanted.is_control, plugin=plugin)


def refusal(error: BaseException) -> Refusal:
    """What was raised, in one line: failed, oom, or skipped where nothing is installed."""
    text = one_line(error)
    own = text.partition(": ")[2]
    if isinstance(error, registry.MissingBackendError):
        return Refusal("skipped", own)
    if isinstance(error, registry.BrokenBackendError):
        return Refusal("failed", own)
    oom = isinstance(error, MemoryError) or any(mark in text for mark in _OUT_OF_MEMORY)
    return Refusal("oom" if oom else "failed", text[:500])


class Worker:
    """What answers in this process: nothing but `Open` at first, then a server."""

    def __init__(self) -> None:
        self._server: ArmServer | None = None
        self._pauses = False

    def answer(self, request: Request[object]) -> object:
        """The answer to any of `ARM_REQUESTS`."""
        if isinstance(request, Open):
            self._server = server_of(request)
            return self._server.load()
        if not isinstance(request, ArmRequest) or self._server is None:
            raise TypeError(f"{request.name!r} cannot be answered before an arm is open")
        answer = request.call(self._server)
        self._pauses = isinstance(answer, Sample) and answer.pauses
        return answer

    def answered(self) -> None:
        """Stop until the next request, where the last one asked for that."""
        if self._pauses:
            self._pauses = False
            pause()


def main(fd: int) -> None:
    """Serve requests until the parent hangs up."""
    worker = Worker()
    serve(inherited(fd), ARM_REQUESTS, worker.answer, refusal, worker.answered)


if __name__ == "__main__":
    main(int(sys.argv[1]))
