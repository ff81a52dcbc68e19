"""The introductory article's network in every framework: Linear, activation, Linear.

An implementation is found under the name of its framework's backend, so that ``--backends torch_eager``
means the same for networks as for activations.  Importing this package imports no framework; `load` does.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from kernels.api import Backend
from kernels.networks.case import NetworkCase

__all__ = ["NETWORKS", "NetworkCase", "load"]

NETWORKS: Mapping[str, str] = {
    "numpy_ufunc": f"{__name__}.numpy_ufunc:NumpyMlp",
    "numba_jit": f"{__name__}.numba_jit:NumbaMlp",
    "jax_jit": f"{__name__}.jax_jit:JaxMlp",
    "torch_eager": f"{__name__}.torch_eager:TorchEagerMlp",
    "torch_compile": f"{__name__}.torch_compile:TorchCompileMlp",
}
"""The networks there are, by the registry name of the backend that they belong to: ``MODULE:CLASS``."""

_loaded: dict[str, Backend] = {}


def load(name: str) -> Backend:
    """The network of the backend called `name`; always the same instance.

    Raises ValueError where that backend has none, and whatever importing the framework raises.
    """
    if name not in NETWORKS:
        raise ValueError(f"{name} has no network; allowed: {', '.join(NETWORKS)}")
    if name not in _loaded:
        module, _, class_name = NETWORKS[name].partition(":")
        _loaded[name] = getattr(importlib.import_module(module), class_name)()
    return _loaded[name]
