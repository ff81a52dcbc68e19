"""The process of one backend: ``python -m scripts._crosscheck.worker FD``.

Reads (case, seconds) from the socket and answers with (`Outcome`, `About`), until the parent hangs up.
"""

from __future__ import annotations

import faulthandler
import sys
from multiprocessing.connection import Connection

from bench.arm.worker import load_backend, reason_of
from kernels.api import Backend, Case
from scripts._crosscheck.checking import About, Outcome, check

__all__ = ["main"]


def main(fd: int) -> None:
    """Serve until the parent hangs up.  The first message names the backend and the plugins."""
    faulthandler.enable()
    connection = Connection(fd)
    name, plugins = connection.recv()
    backend: Backend | Outcome
    try:
        backend = load_backend(name, plugins)
    except Exception as error:  # noqa: BLE001  # whatever a framework raises when imported is this backend's outcome
        backend = Outcome(*reason_of(error))
    while True:
        try:
            case, seconds = connection.recv()
        except EOFError:
            return
        connection.send(
            (backend, About()) if isinstance(backend, Outcome) else _answer(backend, case, seconds)
        )


def _answer(backend: Backend, case: Case, seconds: float) -> tuple[Outcome, About]:
    try:
        outcome = check(backend, case, seconds)
        # Asked afterwards: Numba knows its threading layer only when it has run.
        return outcome, About(dict(backend.versions()), dict(getattr(backend, "deviations", {})))
    except Exception as error:  # noqa: BLE001  # whatever a backend raises is the outcome of this combination alone
        return Outcome(*reason_of(error)), About()


if __name__ == "__main__":
    main(int(sys.argv[1]))
