"""Where compilers keep what they made, and what their code depends on; asked without importing them."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels import api

__all__ = ["CACHES", "Cache", "Place"]

KERNELS = Path(api.__file__).parent
_NAME = "relu_bench_compiled.json"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a compiler's `files`, a pattern, and the record of what is in them."""

    root: Path
    files: str
    record: Path

    @property
    def is_used(self) -> bool:
        """Whether there are any: without them the record says nothing."""
        return any(self.root.glob(self.files))


@dataclass(frozen=True, slots=True)
class Cache:
    """A compiler's: the packages and the files of `KERNELS` that its code depends on, and where it lies.

    `place` is asked with the environment variables of the process that compiles; None: nobody knows.
    """

    packages: tuple[str, ...]
    sources: tuple[str, ...]
    place: Callable[[Mapping[str, str]], Place | None]
    by_checkout: bool
    """Whether each checkout has its own, in whatever folder."""

    def source(self) -> Iterator[bytes]:
        """What stands in the files, and in which checkout, where that matters."""
        yield str(KERNELS).encode() if self.by_checkout else b""
        for pattern in self.sources:
            for path in sorted(KERNELS.glob(pattern)):
                yield path.read_bytes()


def _numba(environ: Mapping[str, str]) -> Place | None:
    """Where Numba looks for a place (`kernels.numba_cpu.disk_cache`): the folder named, the source's, the user's."""
    given = environ.get("NUMBA_CACHE_DIR")
    if not given and os.access(KERNELS, os.W_OK):
        return Place(KERNELS, "*/__pycache__/*.nbi", KERNELS / "__pycache__" / _NAME)
    try:
        root = Path(given or Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "numba"))
    except RuntimeError:  # there is no home
        return None
    return Place(root, "*/*.nbi", root / _NAME)


def _inductor(environ: Mapping[str, str]) -> Place:
    """In a temporary folder, it is gone when the machine starts anew."""
    given = environ.get("TORCHINDUCTOR_CACHE_DIR")
    user = re.sub(r'[\\/:*?"<>|]', "_", _user())  # as torch's default_cache_dir has it
    root = Path(given) if given else Path(tempfile.gettempdir(), f"torchinductor_{user}")
    return Place(root, "fxgraph/*/*", root / _NAME)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ModuleNotFoundError, OSError):  # a user without a name, as in containers
        return f"uid_{os.getuid()}" if hasattr(os, "getuid") else "unknown_user"


_OF_NUMBA = Cache(
    ("numba", "llvmlite"),
    ("numba_cpu/*.py", "tuned/*.py", "ops/*.py", "networks/numba*.py"),
    _numba,
    by_checkout=True,
)
_OF_TORCH = Cache(
    ("torch", "triton"),
    ("backends/*torch*.py", "ops/*.py", "networks/torch*.py"),
    _inductor,
    by_checkout=False,
)
CACHES: dict[str, Cache] = {
    "numba_jit": _OF_NUMBA,
    "numba_parallel": _OF_NUMBA,
    "numba_tuned": _OF_NUMBA,
    "torch_compile": _OF_TORCH,
}
"""By the backend that fills it."""
