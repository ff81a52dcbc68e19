"""numba.cuda, imported so that it compiles: beside NumPy 2.5, and with a toolkit that has libNVVM.

numba-cuda up to 0.30.4, its last, imports a module at the first compilation that asks NumPy for ``row_stack``, which
NumPy 2.5 has removed.  libNVVM compiles kernels.  numba.cuda looks for it in wheels, in conda's folders, and where
CUDA_HOME says.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numba import config

__all__ = ["SIMULATED", "import_cuda", "row_stack", "toolkit"]

SIMULATED = bool(config.ENABLE_CUDASIM)  # type: ignore[attr-defined]  # set when Numba is imported
_USUAL = "/usr/local/cuda"
"""Where NVIDIA's installer puts a toolkit."""


def import_cuda() -> Any:
    """The module numba.cuda; untyped, since by its type it would be what it is made of, or the simulator."""
    found = toolkit()
    if found is not None:
        os.environ["CUDA_HOME"] = str(found)
    cuda = import_module("numba.cuda")
    if not SIMULATED:
        with row_stack(), contextlib.suppress(ImportError):  # Numba's own numba.cuda has no such module
            import_module("numba.cuda.np.arrayobj")
    return cuda


@contextlib.contextmanager
def row_stack() -> Iterator[None]:
    """Inside, NumPy has ``row_stack``: the other name of ``vstack`` that it was."""
    names = vars(np)
    if "row_stack" in names:
        yield
        return
    names["row_stack"] = np.vstack
    try:
        yield
    finally:
        del names["row_stack"]


def toolkit(environ: Mapping[str, str] = os.environ, usual: str = _USUAL) -> Path | None:
    """The first CUDA toolkit with a folder nvvm: that of CUDA_HOME, of CUDA_PATH, of nvcc, or in its usual place."""
    nvcc = shutil.which("nvcc", path=environ.get("PATH", ""))
    around = str(Path(nvcc).resolve().parent.parent) if nvcc else ""
    places = (environ.get("CUDA_HOME", ""), environ.get("CUDA_PATH", ""), around, usual)
    return next((Path(place) for place in places if place and Path(place, "nvvm").is_dir()), None)
