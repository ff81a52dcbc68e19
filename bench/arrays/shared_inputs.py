"""Inputs that the arms of an experiment share: generated once and held once, in memory that nobody can write.

An arm maps them privately.  All pages are everybody's, but for those that the arm itself writes special values into.
The memory has no name in any folder, so nothing is left behind, however a run ends.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import dataclass

import numpy as np

from kernels.api import Case
from kernels.numbers import host_arrays

__all__ = ["NOWHERE", "SharedInputs", "Where", "can_share", "filled", "inputs_key", "mapped"]

_SHARED_FROM = 1 << 20
"""Bytes of an array from which it is shared: smaller ones are generated as quickly as they are mapped."""


@dataclass(frozen=True, slots=True)
class Where:
    """The files to map x and dy from; empty where there is none."""

    x: str = ""
    dy: str = ""


NOWHERE = Where()


def can_share(case: Case) -> bool:
    """Whether this case's inputs are shared on this system: where files can lie in memory, without a name."""
    return hasattr(os, "memfd_create") and case.n * case.itemsize >= _SHARED_FROM


def inputs_key(case: Case) -> tuple[object, ...]:
    """What x depends on."""
    return case.n, case.dtype, case.layout, case.data


def filled(case: Case, name: str, seed: int) -> np.ndarray:
    """x, or dy: standard normal, of the next seed."""
    array = host_arrays.host_array(case)
    _fill(array, case, name, seed)
    return array


def mapped(case: Case, path: str) -> np.ndarray:
    """The array in the file of that path, to be written to like any: nobody else sees it.  Raises OSError."""
    file = os.open(path, os.O_RDONLY)
    try:
        memory = mmap.mmap(file, 0, access=mmap.ACCESS_COPY)
    finally:
        os.close(file)
    return _on(memory, case)


class SharedInputs:
    """What a coordinator holds for its arms: the inputs that were asked for last."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._key: tuple[object, ...] = ()
        self._files: dict[str, int] = {}

    def where(self, case: Case) -> Where:
        """Where the case's inputs are, generated where they are not there yet."""
        if not can_share(case):
            return Where()
        if self._key != inputs_key(case):
            self.close()
            self._key = inputs_key(case)
        names = ("x",) if case.arrays == 1 else ("x", "dy")
        return Where(**{name: self._path(case, name) for name in names})

    def _path(self, case: Case, name: str) -> str:
        if name not in self._files:
            self._files[name] = _sealed(case, name, self._seed)
        return f"/proc/{os.getpid()}/fd/{self._files[name]}"

    def close(self) -> None:
        """Let go of them; who has mapped them keeps them."""
        for file in self._files.values():
            os.close(file)
        self._files, self._key = {}, ()


def _sealed(case: Case, name: str, seed: int) -> int:
    """A file without a name that has the array, and that nobody can write to any more."""
    file = os.memfd_create("relu_bench inputs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(file, _nbytes(case))
    with mmap.mmap(file, 0) as memory:
        _fill(_on(memory, case), case, name, seed)
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
    return file


def _nbytes(case: Case) -> int:
    """Of the memory that an input takes, with the gaps of a strided one."""
    return case.n * case.itemsize * (2 if case.layout == "strided" else 1)


def _on(memory: mmap.mmap, case: Case) -> np.ndarray:
    """The case's array on that memory."""
    return host_arrays.host_array(case, lambda shape, dtype: np.frombuffer(memory, dtype).reshape(shape))


def _fill(array: np.ndarray, case: Case, name: str, seed: int) -> None:
    host_arrays.fill(array, *((case.data, seed) if name == "x" else ("normal", seed + 1)))
