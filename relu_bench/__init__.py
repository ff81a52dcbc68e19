"""ReLU and LeakyReLU in every framework, under the one name that is ours wherever it is installed.

Installed, our packages lie in here: `relu_bench.kernels`, `relu_bench.bench`, `relu_bench.scripts`.  In a checkout
they lie beside this folder, and the names in here stand for the same modules as `kernels`, `bench` and `scripts`.
Importing this package imports no framework, not even NumPy: the functions arrive at first use.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.functions.comparing import compare
    from bench.functions.runs import read_runs
    from kernels import (
        Backend,
        Case,
        available,
        leaky_relu,
        leaky_relu_backward,
        load,
        relu,
        relu_backward,
    )

__all__ = [
    "Backend",
    "Case",
    "available",
    "compare",
    "leaky_relu",
    "leaky_relu_backward",
    "load",
    "read_runs",
    "relu",
    "relu_backward",
]

_ASKING = {"compare": "comparing", "read_runs": "runs"}
"""The modules of `bench.functions` with what is not of `kernels`."""

if not Path(__file__).with_name("kernels").is_dir():
    from relu_bench import _checkout

    _checkout.install()


def __getattr__(name: str) -> Any:
    if name in ("api", "torch_module"):
        return import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "compare":
        said = import_module(f"{__name__}.bench.machine.needed").refusal(f"{__name__}.compare")
        if said is not None:
            raise ImportError(said)
    asks = name in _ASKING
    where = f"{__name__}.bench.functions.{_ASKING[name]}" if asks else f"{__name__}.kernels"
    value = getattr(import_module(where), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "api", "torch_module"})
