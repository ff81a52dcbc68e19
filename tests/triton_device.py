"""What Triton hands to its launcher, plainly and with the compiled kernel kept.

A driver of a device that is none stands in, by Triton's own interface for drivers: kernels are compiled for sm_80, and
a launch is written down.
"""

# mypy: disable-error-code="import-untyped,import-not-found"

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

from kernels.gpu.triton_kernels import BLOCK, backward, forward, kept, launcher

launched: list[tuple[Any, ...]] = []


class Launcher:
    """Takes the place of what calls cuLaunchKernel."""

    def __init__(self, src: Any, metadata: Any) -> None:
        self._name = metadata.name

    def __call__(self, *given: Any) -> None:
        grid, stream, function, arguments = given[:3], given[3], given[4], given[8:]
        seen = [a.data_ptr() if isinstance(a, torch.Tensor) else a for a in arguments]
        launched.append((self._name, grid, stream, function, seen))


class Driver(DriverBase):  # type: ignore[misc]  # Triton has no types
    """One device, on whose stream 7 all is launched."""

    launcher_cls = Launcher
    utils = SimpleNamespace(
        get_device_properties=lambda _: {"max_shared_mem": 1 << 16},
        load_binary=lambda name, *_: ("module", f"function of {name}", 16, 0, 1024),
        unload_module=lambda _: None,
    )

    @classmethod
    def is_active(cls) -> bool:
        return True

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 80, 32)

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")

    def get_benchmarker(self) -> None:
        """None."""

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _: int) -> int:
        return 7


def checked() -> int:
    """The launches that were compared."""
    triton.runtime.driver.set_active(Driver())
    count = 0
    for kernel, arrays in ((forward, 2), (backward, 3)):
        for n in (1 << 10, BLOCK, 2 * BLOCK + 3):
            given = [torch.zeros(n) for _ in range(arrays)]
            fixed: dict[str, Any] = {"SLOPE": 0.01, "LEAKY": True, "WORDS": ""}
            launched.clear()
            launcher(kernel, n, **fixed)(*given)
            plain = list(launched)
            call = kept(kernel, given, n, 7, **fixed)
            launched.clear()
            call()
            assert launched == plain, (launched, plain)
            assert len(launched) == (n > BLOCK) + 1
            count += 1
    return count
