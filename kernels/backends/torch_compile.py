"""torch.compile (Inductor: C++ on the CPU, Triton on a card) of the same operations.

Each case gets a code object of its own, because Dynamo keeps its compiled graphs and its limit of recompilations
by code object.  So no case can push another past that limit, and none is ever run eagerly.
"""

from __future__ import annotations

import importlib.util
import os
import sysconfig
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch._dynamo.eval_frame import _debug_get_cache_entry_list
from torch._dynamo.utils import counters
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch._inductor.runtime.cache_dir_utils import cache_dir

from kernels.api import Case
from kernels.backends.torch_eager import TorchEager
from kernels.ops import op_of, why_not
from kernels.ops.formula import arrays_of
from kernels.ops.learnt import keeping

with warnings.catch_warnings():  # it uses torch's own deprecated functions, and would at the first call
    warnings.simplefilter("ignore", DeprecationWarning)
    import torch._inductor.compile_fx

__all__ = ["Graph", "TorchCompile"]

Tensor = torch.Tensor
Function = Callable[..., Tensor]


class TorchCompile(TorchEager):
    """One static graph a case: no dynamic shapes, no graph breaks, no falling back to eager."""

    name = "torch_compile"

    def __init__(self) -> None:
        super().__init__()
        self._graphs: dict[tuple[Any, ...], Graph] = {}
        self._last: Graph | None = None

    def why_not(self, case: Case) -> str | None:
        """None on a CPU with a C++ compiler, and on a card with Triton, for an op with an expression in torch."""
        reason = self.why_no_device(case) or why_not("compiled", case.op, case.direction, case.placement)
        if reason is None and (torch._dynamo.config.disable or os.environ.get("TORCHDYNAMO_DISABLE") == "1"):
            reason = "TORCH_COMPILE_DISABLE or TORCHDYNAMO_DISABLE turns torch.compile off: unset it"
        return reason or (_no_compiler() if case.device == "cpu" else _no_triton())

    def bind(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """The call on these tensors; its first execution compiles, if this case is new."""
        tensors = [*arrays_of(x, dy), *([] if out is None else [out])]
        return keeping(case, partial(self._graph(case, tensors).run, *tensors))

    def compile(self, case: Case, x: Tensor, dy: Tensor | None, out: Tensor | None) -> Callable[[], Tensor]:
        """Trace, compile and run once, on the tensors themselves.

        Raises RuntimeError if torch ran the function eagerly instead.
        """
        call = self.bind(case, x, dy, out)
        graph = self._last
        assert graph is not None, "bind has just set it"
        before = _cache_hits()
        call()
        if graph.cache_hit is None:
            graph.cache_hit = _cache_hits() > before
        if graph.count() == 0:
            raise RuntimeError("torch.compile made no graph and ran eagerly; look at TORCH_LOGS=+dynamo")
        return call

    def compile_report(self) -> dict[str, int | bool]:
        """How the last compiled case stands now: its graphs, and the recompilations among them.

        `cache_hit`: the kernel came from Inductor's on-disk cache.
        """
        count = self._last.count() if self._last else 0
        return {
            "cache_hit": bool(self._last and self._last.cache_hit),
            "graphs": count,
            "recompiles": max(count - 1, 0),
            "eager_fallback": count == 0,
        }

    def _graph(self, case: Case, tensors: list[Tensor]) -> Graph:
        shapes = tuple((tuple(tensor.shape), tensor.stride()) for tensor in tensors)
        # Dynamo guards on the thread count, and Inductor writes it into its OpenMP pragmas
        threads = torch.get_num_threads()
        values = repr(case.values)  # tells -0.0 from 0.0 and finds NaN again
        key = (
            op_of(case.op),
            case.direction,
            case.placement,
            case.dtype,
            case.device,
            values,
            threads,
            shapes,
        )
        if key not in self._graphs:
            self._graphs[key] = Graph(_source(case))
        self._last = self._graphs[key]
        return self._last


class Graph:
    """A function compiled for one case, and what Dynamo knows of it."""

    def __init__(self, source: Function) -> None:
        assert isinstance(source, FunctionType), "a lambda"
        self._code = source.__code__.replace()
        own = FunctionType(self._code, source.__globals__, source.__name__, None, source.__closure__)
        self.run: Function = torch.compile(own, dynamic=False, fullgraph=True)
        self.cache_hit: bool | None = None

    def count(self) -> int:
        """The compiled versions that there are: 0 is eager, more than 1 a recompilation."""
        return len(_debug_get_cache_entry_list(self._code))


def _source(case: Case) -> Function:
    """The function to compile, of the tensors that the case has: x[, dy][, out]."""
    op, values = op_of(case.op), case.values
    if case.direction == "forward":
        kernel = op.torch_traced(torch, values)
        forward: dict[str, Function] = {
            "new": lambda x: kernel(x),  # noqa: PLW0108  it has to be a Python function
            "out": lambda x, out: out.copy_(kernel(x)),
            "inplace": lambda x: x.copy_(kernel(x)),
        }
        if case.arrays == 2:
            forward = {
                "new": lambda x, r: kernel(x, r),  # noqa: PLW0108  as above
                "out": lambda x, r, out: out.copy_(kernel(x, r)),
                "inplace": lambda x, r: r.copy_(kernel(x, r)),
            }
        return forward[case.placement]
    gradient = op.torch_traced_backward(torch, values)
    if case.two_results:
        return _of_both(gradient, case.placement)
    backward: dict[str, Function] = {
        "new": lambda x, dy: gradient(dy, x),
        "out": lambda x, dy, out: out.copy_(gradient(dy, x)),
        "inplace": lambda x, dy: dy.copy_(gradient(dy, x)),
    }
    return backward[case.placement]


def _of_both(gradients: Callable[[Tensor, Tensor], Any], placement: str) -> Function:
    """The same where there are two gradients, dx and one number."""

    def into(x: Tensor, dy: Tensor, target: Tensor) -> Any:
        dx, by_slope = gradients(dy, x)
        return target.copy_(dx), by_slope

    both: dict[str, Function] = {
        "new": lambda x, dy: gradients(dy, x),
        "out": lambda x, dy, out: into(x, dy, out),  # noqa: PLW0108  as above
        "inplace": lambda x, dy: into(x, dy, dy),
    }
    return both[placement]


def _cache_hits() -> int:
    return int(counters["aot_autograd"]["autograd_cache_hit"] + counters["inductor"]["fxgraph_cache_hit"])


def _no_triton() -> str | None:
    if importlib.util.find_spec("triton") is None:
        return "torch_compile needs Triton on a card: pip install triton"
    return None


def _no_compiler() -> str | None:
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return "torch_compile needs Python's headers (Python.h): apt-get install python3-dev"
    for name, folder in (("TMPDIR", tempfile.gettempdir()), ("TORCHINDUCTOR_CACHE_DIR", cache_dir())):
        if len(folder.split()) > 1:
            return (
                f"torch.compile fails where a path has a space: set {name} to another folder than {folder!r}"
            )
    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, OSError):
        given = os.environ.get("CXX", "")
        if len(given.split()) > 1:
            return f"torch.compile takes a program and no options: CXX is {given!r}, set it to {given.split()[0]!r}"
        return "torch_compile needs a C++ compiler (g++ or clang++ on PATH, or CXX): apt-get install g++"
    return None
