"""Tries backends of one framework in a process: ``python -m scripts._doctor.probe FD``.

A process of its own for each framework: one that is broken, or that hangs, hides no other.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from bench.channel import Refusal, inherited, serve
from kernels import registry
from kernels.api import Case
from kernels.plugins import one_line
from scripts._doctor.messages import Family, Tried, TryFamily

__all__ = ["main"]

_LENGTH = 1000


def main(fd: int) -> None:
    """Serve until the parent hangs up."""
    serve(inherited(fd), (TryFamily,), _family, lambda error: Refusal("failed", one_line(error)))


def _family(request: TryFamily) -> Family:
    return Family({name: _tried(name, request.device) for name in request.names}, _cards())


def _tried(name: str, device: str) -> Tried:
    begin = time.perf_counter()
    device = device or registry.devices(name)[0]
    try:
        backend = registry.load(name)
        case, reason = _servable(backend, device)
        if case is None:
            return Tried("refuses", reason)
        threads = backend.set_threads(0)
        slow = name == "torch_compile" and device == "cpu"  # its first C++ takes some ten seconds
        wrong = None if slow else _wrong(backend, case)
        versions = backend.versions()
    except registry.MissingBackendError as error:
        return Tried("missing", str(error))
    except registry.BrokenBackendError as error:
        return Tried("broken", str(error))
    except Exception as error:  # noqa: BLE001  whatever a framework raises is the answer
        return Tried("broken", one_line(error))
    if wrong:
        return Tried("broken", wrong)
    return Tried("runs", "", threads, time.perf_counter() - begin, versions)


def _servable(backend: Any, device: str) -> tuple[Case | None, str]:
    """A case that the backend runs on `device`, or why it runs none: of two placements, the reason for the first."""
    cases = [Case("relu", placement=placement, n=_LENGTH, device=device) for placement in ("new", "out")]
    reasons = [backend.why_not(case) for case in cases]
    if None not in reasons:
        return None, reasons[0]
    return cases[reasons.index(None)], ""


def _wrong(backend: Any, case: Case) -> str | None:
    """What is wrong with relu of some numbers; None if nothing is."""
    import numpy as np  # noqa: PLC0415  # a machine without it is a finding, too

    from kernels.numbers import host_arrays  # noqa: PLC0415

    host = host_arrays.aligned_empty(_LENGTH, np.dtype(np.float32))
    host[...] = np.linspace(-1, 1, _LENGTH, dtype=np.float32)
    wanted = np.where(host > 0, host, np.float32(0))
    out = host_arrays.output_array(case) if case.placement == "out" else None
    given = None if out is None else backend.adopt(out, case)
    call = backend.compile(case, backend.adopt(host, case), None, given)
    result = call()
    backend.sync(result)
    same = np.array_equal(backend.to_numpy(result), wanted)
    return None if same else f"relu of {_LENGTH} numbers from -1 to 1 is wrong; see scripts/crosscheck.py"


def _cards() -> tuple[str, ...]:
    """The CUDA devices that the framework which was imported sees."""
    torch = sys.modules.get("torch")
    if torch is None:
        return ()
    try:
        return tuple(str(torch.cuda.get_device_name(number)) for number in range(torch.cuda.device_count()))
    except Exception:  # noqa: BLE001  a half-imported torch has no cards
        return ()


if __name__ == "__main__":
    main(int(sys.argv[1]))
