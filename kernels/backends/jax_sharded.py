"""jax.jit over a mesh: an array in equal parts, one on each host device, as of tensors larger than one device.

XLA makes several devices of one CPU when it is told so before it starts (``--xla_force_host_platform_device_count`` in
XLA_FLAGS).  So an arm's own process has as many devices as the case has threads, or as CPUs may be used; this process
has what it began with.  An op that is computed element by element needs nothing of the other parts: a compiled program
with a collective in it is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax._src import xla_bridge  # only for backends_are_initialized, which has no public name
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kernels.api import Case
from kernels.backends.jax_jit import JaxJit

__all__ = ["JaxSharded", "collectives_in"]

Array = np.ndarray[Any, Any]
_LINE = 64
"""Bytes that a part has to be a multiple of: JAX takes memory as it is where it begins so."""
_FLAG = "--xla_force_host_platform_device_count"
_TOLD = re.compile(rf"{_FLAG}=(\d+)")
_COLLECTIVES = (
    *("all-reduce", "all-gather", "all-to-all", "reduce-scatter"),
    *("collective-permute", "collective-broadcast", "ragged-all-to-all"),
)
"""What XLA's programs call an exchange between devices."""


class JaxSharded(JaxJit):
    """The functions of `jax_jit`, on arrays that lie in parts on several host devices."""

    name = "jax_sharded"

    def __init__(self) -> None:
        super().__init__()
        self._checked: set[int] = set()

    def why_not(self, case: Case) -> str | None:
        """One device is no mesh, parts are equal, and they are never written in place."""
        if case.device != "cpu":
            return f"it makes devices of the CPU, not of {case.device}: use --devices cpu"
        refused = super().why_not(case) or _undivided(case)
        if refused is not None:
            return refused
        count = case.threads or self._effective()
        if count < 2 and not case.threads:
            return (
                "JAX has one device here, and a mesh takes several; use --threads 2, or more, which makes them in a"
                " fresh process"
            )
        if case.n * case.itemsize % (count * _LINE):
            return (
                f"{case.n} elements cannot be cut into {count} equal parts of whole cache lines ({_LINE} bytes), and"
                " others would be copied; use another size, or --threads"
            )
        return None

    def set_threads(self, count: int) -> int:
        """Make as many host devices (0: one for each CPU), if JAX was not used yet; return how many there are."""
        super().set_threads(count)
        if not xla_bridge.backends_are_initialized():
            flags = _TOLD.sub("", os.environ.get("XLA_FLAGS", ""))
            os.environ["XLA_FLAGS"] = f"{flags} {_FLAG}={self._effective()}".strip()
        return self._effective()

    def _effective(self) -> int:
        """How many devices there are, or will be once JAX is used."""
        if xla_bridge.backends_are_initialized():
            return len(jax.devices("cpu"))
        told = _TOLD.search(os.environ.get("XLA_FLAGS", ""))
        return self._threads or (int(told[1]) if told else super()._effective())

    def adopt(self, host: Array, case: Case) -> jax.Array:
        """The parts of `host`, cut along its first axis, one on each device."""
        mesh = Mesh(np.array(jax.devices("cpu")), ("parts",))
        parts = PartitionSpec("parts")  # type: ignore[no-untyped-call]  # JAX gives it no hints
        with jax.enable_x64(True):
            handle: jax.Array = jax.device_put(host, NamedSharding(mesh, parts))
            return handle.block_until_ready()

    def bind(self, case: Case, x: jax.Array, dy: jax.Array | None, out: None) -> Callable[[], jax.Array]:
        """As that of `jax_jit`.  Raises RuntimeError if devices exchange anything."""
        call: Any = super().bind(case, x, dy, out)
        if id(call.func) not in self._checked:
            found = collectives_in(call.func.as_text())
            if found:
                raise RuntimeError(f"XLA's program exchanges data between devices: {', '.join(found)}")
            self._checked.add(id(call.func))
        bound: Callable[[], jax.Array] = call
        return bound

    def versions(self) -> dict[str, str]:
        """Those of `jax_jit`, and how many devices there are."""
        return {**super().versions(), "host_devices": str(self._effective())}


def _undivided(case: Case) -> str | None:
    """What parts cannot do each by itself, or are not seen to do."""
    if case.two_results:
        return (
            f"the gradient of the slope of {case.op} is a sum over all parts, which would have to be exchanged; use"
            " jax_jit"
        )
    if case.placement == "inplace":
        return "donated parts are not seen to be reused: use placement new"
    return None


def collectives_in(program: str) -> list[str]:
    """The collective operations in the text of a compiled program, each once."""
    return [name for name in _COLLECTIVES if re.search(rf"\b{name}(-start)?\(", program)]
