"""A backend that is another one, but for what a derived class changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import registry
from kernels.api import Backend, Case

__all__ = ["Delegate"]


class Delegate:
    """Every method is the base backend's; a derived class has a name and overrides what differs."""

    name = ""

    def __init__(self, base: str) -> None:
        """`base` is the registry name of the backend that does the work."""
        self._base: Backend = registry.load(base)

    def why_not(self, case: Case) -> str | None:
        """The base's reason."""
        return self._base.why_not(case)

    def set_threads(self, count: int) -> int:
        """The base's count."""
        return self._base.set_threads(count)

    def adopt(self, host: np.ndarray, case: Case) -> Any:
        """The base's handle."""
        return self._base.adopt(host, case)

    def compile(self, case: Case, x: Any, dy: Any, out: Any) -> Callable[[], Any]:
        """The base's call."""
        return self._base.compile(case, x, dy, out)

    def sync(self, result: Any) -> None:
        """Wait as the base does."""
        self._base.sync(result)

    def to_numpy(self, result: Any) -> np.ndarray:
        """The base's array."""
        return self._base.to_numpy(result)

    def versions(self) -> dict[str, str]:
        """The base's."""
        return self._base.versions()
