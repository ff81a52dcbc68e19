"""What NVIDIA's driver answers to `kernels.gpu.driver`, of a card that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["StandIn"]


class StandIn:
    """Stands for libcuda: `calls` has what was asked; `wait` is what its device waits with, `codes` what fails."""

    def __init__(self, wait: Callable[[], object] = lambda: None, **codes: int) -> None:
        self.calls: list[str] = []
        self.codes = codes
        self._wait = wait

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)

        def answer(*_: object) -> int:
            self.calls.append(name)
            if name == "cuCtxSynchronize":
                self._wait()
            return self.codes.get(name, 0)

        return answer
