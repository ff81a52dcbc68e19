"""The process of one backend: ``python -m scripts._crosscheck.worker FD``, asked as `_crosscheck.messages` says."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from bench.arm.worker import load_backend, refusal
from bench.channel import inherited, serve
from kernels.api import Backend
from scripts._crosscheck.checking import About, check
from scripts._crosscheck.messages import Checked, Try

__all__ = ["main"]


class _Worker:
    """Loads a backend once, also where that fails."""

    def __init__(self) -> None:
        self._backend: Backend | Exception | None = None

    def answer(self, request: Try) -> Checked:
        """Try the case.  Raises whatever the backend does."""
        backend = self._loaded(request.backend, request.plugins)
        outcome = check(backend, request.case, request.seconds)
        # Asked afterwards: Numba knows its threading layer only when it has run.
        about = About(dict(backend.versions()), dict(getattr(backend, "deviations", {})))
        return Checked(outcome, about)

    def _loaded(self, name: str, plugins: Mapping[str, str]) -> Backend:
        if self._backend is None:
            try:
                self._backend = load_backend(name, plugins)
            except Exception as error:  # noqa: BLE001  # whatever a framework raises when imported is every case's outcome
                self._backend = error
        if isinstance(self._backend, Exception):
            raise self._backend
        return self._backend


def main(fd: int) -> None:
    """Serve until the parent hangs up."""
    serve(inherited(fd), (Try,), _Worker().answer, refusal)


if __name__ == "__main__":
    main(int(sys.argv[1]))
