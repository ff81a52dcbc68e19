"""ReLU and LeakyReLU in every framework, behind one interface.

Importing this package imports no framework, not even NumPy: the functions arrive at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kernels.api import Backend, Case
from kernels.registry import available, load

if TYPE_CHECKING:
    from kernels.functional import leaky_relu, leaky_relu_backward, relu, relu_backward
    from kernels.recorder.session import recording

__all__ = [
    "Backend",
    "Case",
    "available",
    "leaky_relu",
    "leaky_relu_backward",
    "load",
    "recording",
    "relu",
    "relu_backward",
]

_FUNCTIONS = ("leaky_relu", "leaky_relu_backward", "relu", "relu_backward")


def __getattr__(name: str) -> Any:
    if name == "recording":
        from kernels.recorder.session import recording as value
    elif name in _FUNCTIONS:
        from kernels import functional

        value = getattr(functional, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FUNCTIONS, "recording"})
