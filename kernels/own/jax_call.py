"""A function of JAX arrays under jax.jit, compiled ahead of time as `kernels.backends.jax_jit` compiles its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

__all__ = ["jitted"]


def jitted(function: Callable[..., Any], arrays: Sequence[jax.Array]) -> Callable[..., Any]:
    """The compiled function for arrays like these; float64 stays float64."""
    with jax.enable_x64(True):
        return jax.jit(function).lower(*arrays).compile()
