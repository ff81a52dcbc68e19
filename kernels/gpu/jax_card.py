"""What a harness needs of a CUDA card that JAX works on.

XLA has no timing events and cannot write into a given array.  What its kernels take on a card its profiler tells.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernels.gpu.card import Array, Index, ordinal, why_not_there

__all__ = ["JaxCard", "device_of", "why_no_card", "worked_s"]

_L2_BYTES = 64 << 20
"""JAX does not tell; as many as the largest cards had until 2025."""

_PLANE, _STREAM = "/device:GPU:", "Stream"
"""What a card, and what works on it in turn, are called in a profile."""


def why_no_card(name: str, device: str) -> str | None:
    """None if JAX sees the card `device`, else a reason that names those it sees."""
    none = f"jax {jax.__version__} sees none; pip install 'jax[cuda13]', and look at nvidia-smi"
    return why_not_there(name, device, len(_cards()), none)


def device_of(device: str) -> jax.Device:
    """JAX's own name of ``cpu``, ``cuda`` or ``cuda:1``."""
    number = ordinal(device)
    return jax.devices("cpu")[0] if number is None else _cards()[number]


def _cards() -> list[jax.Device]:
    try:
        return list(jax.devices("cuda"))
    except RuntimeError:  # JAX's way of saying that there is no such platform
        return []


class JaxCard:
    """`kernels.gpu.card.Card`, as far as JAX goes."""

    def __init__(self, device: str) -> None:
        self._device = device_of(device)
        self._flush: jax.Array | None = None

    def update(self, handle: Any, host: Array) -> bool:
        """JAX arrays are immutable."""
        return False

    def copy(self, handle: Any, pristine: Any) -> bool:
        """As above."""
        return False

    def put(self, handle: Any, index: Index, values: Array) -> bool:
        """As above."""
        return False

    def take(self, handle: Any, index: Index) -> Array:
        """Gathered on the card; outside of this context indexes would be 32 bits wide."""
        with jax.enable_x64(True):
            return np.asarray(handle[tuple(jax.device_put(axis, self._device) for axis in index)])

    def waiter(self) -> None:
        """None is needed: XLA launches from threads of its own, so only the result itself can be waited for."""

    def hold(self, times: int = 1) -> None:
        """Nothing: without events there is no use for it."""

    def mark(self) -> None:
        """XLA launches on streams of its own and shows no events."""

    def passed(self, mark: Any) -> bool:
        """Never asked for, as there are no marks."""
        raise NotImplementedError("JAX has no events")

    def seconds(self, start: Any, end: Any) -> float:
        """Never asked for, as there are no marks."""
        raise NotImplementedError("JAX has no events")

    def profile(self, run: Callable[[], object], calls: int) -> float | None:
        """By JAX's own profiler, which asks CUPTI when each kernel began and ended."""
        options = jax.profiler.ProfileOptions()
        options.host_tracer_level = options.python_tracer_level = 0
        with tempfile.TemporaryDirectory() as folder:
            try:
                jax.profiler.start_trace(folder, profiler_options=options)
            except RuntimeError:  # somebody else profiles, or may not
                return None
            try:
                run()
            finally:
                jax.profiler.stop_trace()  # type: ignore[no-untyped-call]  # JAX's own
            files = [str(path) for path in Path(folder).rglob("*.xplane.pb")]
            profiles = [jax.profiler.ProfileData.from_file(file) for file in files]
            return worked_s(profiles, calls)

    def flush(self, nbytes: int) -> None:
        """Add to an array of that size."""
        if self._flush is None or self._flush.size != nbytes:
            self._flush = jax.device_put(jnp.zeros(nbytes, jnp.uint8), self._device)
        self._flush = (self._flush + jnp.uint8(1)).block_until_ready()

    def cache_bytes(self) -> int:
        """An upper bound on the card's L2."""
        return _L2_BYTES

    def trim(self) -> None:
        """Nothing but our own: XLA's allocator gives nothing back."""
        self._flush = None

    def free_bytes(self) -> int | None:
        """What XLA's allocator may still take."""
        stats = self._device.memory_stats() or {}
        if "bytes_limit" not in stats:
            return None
        return int(stats["bytes_limit"] - stats.get("bytes_in_use", 0))

    def peak_bytes(self, *, reset: bool = False) -> int | None:
        """The most since the process began: XLA's count cannot be reset."""
        peak = (self._device.memory_stats() or {}).get("peak_bytes_in_use")
        return None if peak is None else int(peak)


def worked_s(profiles: Iterable[Any], calls: int) -> float | None:
    """Seconds of all that ran on the streams of cards, of `jax.profiler.ProfileData`; None of fewer than `calls`."""
    ran_ns = [
        event.duration_ns
        for profile in profiles
        for plane in profile.planes
        if plane.name.startswith(_PLANE)
        for line in plane.lines
        if line.name.startswith(_STREAM)  # other lines sum the same up, by module and step
        for event in line.events
    ]
    return sum(ran_ns) / 1e9 if len(ran_ns) >= calls else None
