"""Kernels that go over an array in other ways give the same results: a part of `tests.card_checks`."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

from kernels.api import DIRECTIONS, Backend, Case
from kernels.correctness import policy
from kernels.numbers import host_arrays
from scripts._card.sweep import plans_of

__all__ = ["plans"]


def _of(backend: Backend, case: Case) -> list[Any]:
    """The ways that a run on a card times; of Triton with blocks so small that some are whole."""
    found = list(plans_of(backend.name, case).values())
    return [replace(plan, block=64) for plan in found[:2]] if backend.name == "triton_jit" else found[::5]


def plans(backend: Any) -> int:
    """Whole vectors, single ones and elements at the end, into a poisoned array."""
    device, count = "cuda" if backend.name == "numba_cuda" else "cpu", 0
    for direction, dtype in product(DIRECTIONS, ("bfloat16", "float64")):
        case = Case("leaky_relu", direction, "out", dtype, 197, device=device)
        hosts = [host_arrays.host_array(case) for _ in range(case.arrays)]
        for seed, host in enumerate(hosts):
            host_arrays.fill(host, "special", seed)
        x, dy = hosts[0], hosts[1] if case.arrays == 2 else None
        given = host_arrays.output_array(case)
        for plan in _of(backend, case):
            host_arrays.poison(given)
            handles = [None if host is None else backend.adopt(host, case) for host in (x, dy, given)]
            result = backend.to_numpy(backend.bind(case, *handles, plan=plan)())
            assert policy.judge(case, x, dy, result).problem is None, (case, plan)
            count += 1
    return count
