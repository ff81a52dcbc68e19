"""jax.jit of jax.nn, on the CPU or a CUDA card.

It is compiled ahead of time inside ``jax.enable_x64``.  The compiled object keeps float64 outside that context, where a
jitted function would quietly fall back to float32, and the process's configuration stays as it was.

Placement ``inplace`` means donation.  XLA reuses a donated buffer only if it owns it.  So those inputs are adopted as
copies, and the call that `compile` returns consumes them: it can be made once for each handle.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
import numpy as np
from jax._src import xla_bridge  # only for backends_are_initialized, which has no public name

from kernels.api import Case
from kernels.forks import Fork, refusal
from kernels.gpu.jax_card import JaxCard, device_of, why_no_card
from kernels.ops import op_of, why_not
from kernels.ops.formula import arrays_of
from kernels.ops.learnt import jax_gradients, keeping

__all__ = ["JaxJit"]

Array = np.ndarray[Any, Any]
_FORK = Fork(xla_bridge.backends_are_initialized)
_STARTED_WITH = os.environ.get("NPROC")  # XLA reads it when its CPU client is made


class JaxJit:
    """jax.nn's functions and their VJPs, in XLA."""

    name = "jax_jit"
    distribution = "jax"
    alignment = 1  # an array that is not aligned to 64 bytes is copied by JAX
    deviations: Mapping[str, str] = MappingProxyType(
        {
            "subnormals": "XLA flushes them on the CPU, except in float16; leaky_relu may return one unscaled",
            "grad(0)": "jax.nn.leaky_relu takes the positive side where x >= 0, so its gradient at 0 is 1",
        }
    )

    def __init__(self) -> None:
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._threads = 0

    def why_not(self, case: Case) -> str | None:
        """No strides, no given output, a pool whose size is fixed at first use, and none in a forked process."""
        if case.device != "cpu" and (missing := why_no_card(self.name, case.device)) is not None:
            return missing
        if (off := _turned_off(case.device)) is not None:
            return off
        if case.placement == "out":
            return "JAX arrays are immutable: no result can be written into a given array; use placement new"
        if case.layout != "contiguous":
            return f"JAX arrays have no strides: layout {case.layout} would be copied first; use contiguous"
        if xla_bridge.backends_are_initialized() and case.threads not in (0, self._effective()):
            return (
                f"JAX fixed its pool at {self._effective()} threads when it was first used, "
                f"{case.threads} are asked for; use a fresh process (--isolation process)"
            )
        return why_not("jax", case.op, case.direction, case.placement)

    def set_threads(self, count: int) -> int:
        """Size XLA's pool, if JAX was not used yet in this process; return the size in effect."""
        if not xla_bridge.backends_are_initialized():
            self._threads = count
            wanted = str(count) if count else _STARTED_WITH
            if wanted is None:
                os.environ.pop("NPROC", None)
            else:
                os.environ["NPROC"] = wanted
        return self._effective()

    def _effective(self) -> int:
        inherited = int(_STARTED_WITH) if _STARTED_WITH and _STARTED_WITH.isdecimal() else 0
        return self._threads or inherited or _usable_cpus()

    def adopt(self, host: Array, case: Case) -> jax.Array:
        """Zero-copy where `host` is aligned to 64 bytes; a copy for placement inplace (XLA owns it) and on a card."""
        device = device_of(case.device)
        with jax.enable_x64(True):
            if case.placement == "inplace":
                return jnp.array(host, copy=True, device=device)
            handle: jax.Array = jax.device_put(host, device)
            return handle.block_until_ready()

    def card(self, device: str) -> JaxCard:
        """What a harness needs of the card."""
        return JaxCard(device)

    def bind(self, case: Case, x: jax.Array, dy: jax.Array | None, out: None) -> Callable[[], jax.Array]:
        """As `compile`, without the first execution (but tracing and compiling happen here)."""
        # repr tells -0.0 from 0.0 and finds NaN again
        arrays, values = arrays_of(x, dy), repr(case.values)
        key = (
            op_of(case.op),
            case.direction,
            case.placement,
            case.dtype,
            case.device,
            values,
            arrays[0].shape,
        )
        run = self._compiled.get(key)
        if run is None:
            run = self._compiled[key] = _lower(case, arrays[0])
        return keeping(case, partial(run, *arrays))  # of one execution: both are there when one is

    def compile(self, case: Case, x: jax.Array, dy: jax.Array | None, out: None) -> Callable[[], jax.Array]:
        """Trace, compile and run once; for inplace on scratch, since the call consumes its input.

        Raises RuntimeError if XLA does not reuse the donated buffer.
        """
        call = self.bind(case, x, dy, out)
        if case.placement != "inplace":
            call().block_until_ready()
        return call

    def sync(self, result: jax.Array) -> None:
        """Wait for the result."""
        result.block_until_ready()

    def to_numpy(self, result: jax.Array) -> Array:
        """A read-only view of the result."""
        view: Array = np.asarray(result)
        return view

    def versions(self) -> dict[str, str]:
        """The versions of jax and jaxlib."""
        return {"jax": jax.__version__, "jaxlib": jaxlib.version.__version__}


def _turned_off(device: str) -> str | None:
    """Which of JAX's own settings keeps this from being what its users run; None if none does."""
    if _FORK.happened:
        return refusal("JAX")
    told = partial(
        getattr, jax.config
    )  # it makes its attributes when it is imported, unknown to type checkers
    if told("jax_disable_jit"):
        return "JAX_DISABLE_JIT turns jax.jit off: unset it"
    for name in ("jax_debug_nans", "jax_debug_infs"):
        if told(name):
            return f"{name.upper()} looks at every result and makes an error of some: unset it"
    platforms = str(told("jax_platforms") or "")
    if device == "cpu" and platforms and "cpu" not in platforms.split(","):
        return f"JAX_PLATFORMS={platforms} leaves the CPU out: unset it, or add cpu"
    return None


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lower(case: Case, like: jax.Array) -> Callable[..., Any]:
    """The compiled kernel for arrays shaped like `like`."""
    make = op_of(case.op).jax_forward
    forward = make(jax, case.values)

    def backward(x: jax.Array, dy: jax.Array) -> jax.Array:
        gradient: jax.Array = jax.vjp(forward, x)[1](dy)[0]
        return gradient

    gradients = jax_gradients(jax, make, case.values) if case.two_results else backward
    function = forward if case.direction == "forward" else gradients
    count = case.arrays
    donate = (count - 1,) if case.placement == "inplace" else ()
    with jax.enable_x64(True):
        run = jax.jit(function, donate_argnums=donate).lower(*[like] * count).compile()
        if donate and like.size:
            _check_donation(
                run, [*[like] * (count - 1), jnp.ones(like.shape, like.dtype, device=like.device)]
            )
    return run


def _check_donation(run: Callable[..., Any], arguments: list[jax.Array]) -> None:
    """Run once on arguments of which the last is scratch, to be donated."""
    address = arguments[-1].unsafe_buffer_pointer()
    result: jax.Array = jax.tree.leaves(run(*arguments))[0]
    if result.block_until_ready().unsafe_buffer_pointer() != address:
        raise RuntimeError(
            "XLA did not reuse the donated buffer, so this is no in-place call; use placement new"
        )
