"""The `pytest bench/` command that would measure what the runs at hand do not tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bench.plan.option_values import option_flag
from bench.text.commands import command_line
from bench.text.sizes import format_size
from kernels.api import AXIS_TABLE, Case

__all__ = ["command", "variant_option", "variants_for"]

_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MALLOC_TOP_PAD_": "268435456",
}
_SUGGESTED: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "torch_eager": {"thp": {"THP_MEM_ALLOC_ENABLE": "1"}, "malloc": _ALLOCATOR},
    "torch_compile": {"thp": {"THP_MEM_ALLOC_ENABLE": "1"}, "malloc": _ALLOCATOR},
    "jax_jit": {"malloc": _ALLOCATOR},
    "numpy_ufunc": {"malloc": _ALLOCATOR},
    "numba_jit": {"malloc": _ALLOCATOR},
    "numba_parallel": {"malloc": _ALLOCATOR},
}
"""Settings known to matter to results that a call allocates: huge pages, and glibc keeping its memory."""


def command(
    case: Case,
    placements: Sequence[str],
    *,
    threads: str = "",
    variants: Sequence[str] = (),
    options: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """What measures `case` at `placements`, ready for a shell; `threads` replaces the case's, `options` are others."""
    words = ["pytest", "bench/"]
    values = {
        "ops": case.op,
        "directions": case.direction,
        "placements": ",".join(placements),
        "dtypes": case.dtype,
        "sizes": format_size(case.n),
    }
    usual = Case(case.op)
    for axis in AXIS_TABLE:
        value = getattr(case, axis.name)
        if axis.option not in values and value != getattr(usual, axis.name):
            values[axis.option] = str(value)
    if threads:
        values["threads"] = threads
    values |= options
    for option, value in values.items():
        words += [option_flag(option), value]
    for variant in variants:
        words += ["--variant", variant]
    return command_line(*words)


def variants_for(backend: str) -> Mapping[str, Mapping[str, str]]:
    """Names and environment variables of the settings that are worth a try with `backend`."""
    return _SUGGESTED.get(backend, {})


def variant_option(name: str, backend: str, environ: Mapping[str, str]) -> str:
    """The value of ``--variant`` for a setting of one backend."""
    return f"{name}@{backend}:{','.join(f'{key}={value}' for key, value in environ.items())}"
