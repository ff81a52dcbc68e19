"""The network under jax.jit, on the CPU.

A training step donates the weights, as real training does: XLA writes the new ones over the old.  `sync`
waits for the loss and for the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from kernels.api import Case
from kernels.backends.jax_jit import JaxJit
from kernels.networks import case as network
from kernels.networks.case import NetworkCase
from kernels.networks.weights import initial, pack
from kernels.ops import op_of

__all__ = ["JaxMlp"]

Array = np.ndarray[Any, Any]
Parameters = tuple[jax.Array, ...]


class JaxMlp(JaxJit):
    """jax.nn and jax.value_and_grad, compiled ahead of time."""

    def why_not(self, case: Case) -> str | None:
        """A pool whose size is fixed at first use."""
        # The parent knows activations: it is asked about one with the same threads.
        return network.why_not(self.name, case) or super().why_not(Case("relu", threads=case.threads))

    def bind(self, case: Case, x: jax.Array, dy: jax.Array | None, out: None) -> Callable[[], Any]:
        """The call on fresh weights (tracing and compiling happen here)."""
        assert isinstance(case, NetworkCase), "why_not has refused any other"
        cpu = jax.devices("cpu")[0]
        # A copy that XLA owns: what it does not own it cannot be given back
        weights = tuple(jnp.array(part, copy=True, device=cpu) for part in initial(case))
        key = (case.label,)
        if key not in self._compiled:
            self._compiled[key] = _lower(case, weights, x, dy)
        run = self._compiled[key]
        return partial(run, weights, x) if dy is None else _train_step(run, weights, x, dy)

    def compile(self, case: Case, x: jax.Array, dy: jax.Array | None, out: None) -> Callable[[], Any]:
        """Trace, compile and run once on weights of its own; the call that is returned starts from fresh ones."""
        self.sync(self.bind(case, x, dy, out)())
        return self.bind(case, x, dy, out)

    def sync(self, result: Any) -> None:
        """Wait for the outputs, or for the loss and the weights."""
        if isinstance(result, tuple):
            jax.block_until_ready(result)  # type: ignore[no-untyped-call]  # JAX's own
        else:
            result.block_until_ready()

    def to_numpy(self, result: Any) -> Array:
        """The outputs; of a training step one vector, `weights.pack`."""
        if not isinstance(result, tuple):
            return super().to_numpy(result)
        loss, weights = result
        return pack(loss, weights)


def _forward(case: NetworkCase, weights: Parameters, x: jax.Array) -> jax.Array:
    w1, b1, w2, b2 = weights
    h = x @ w1.T + b1
    if case.activation is not None:
        h = op_of(case.activation).jax_forward(jax, {"negative_slope": case.negative_slope})(h)
    return h @ w2.T + b2


def _lower(case: NetworkCase, weights: Parameters, x: jax.Array, dy: jax.Array | None) -> Callable[..., Any]:
    forward, rate = partial(_forward, case), case.learning_rate
    if dy is None:
        return jax.jit(forward).lower(weights, x).compile()

    def loss_of(weights: Parameters, x: jax.Array, target: jax.Array) -> jax.Array:
        return jnp.square(forward(weights, x) - target).mean()

    def step(weights: Parameters, x: jax.Array, target: jax.Array) -> tuple[jax.Array, Parameters]:
        loss, gradients = jax.value_and_grad(loss_of)(weights, x, target)
        return loss, tuple(w - rate * g for w, g in zip(weights, gradients, strict=True))

    return jax.jit(step, donate_argnums=0).lower(weights, x, dy).compile()


def _train_step(
    run: Callable[..., Any], weights: Parameters, x: jax.Array, target: jax.Array
) -> Callable[[], Any]:
    def call() -> tuple[jax.Array, Parameters]:
        nonlocal weights
        loss, weights = run(weights, x, target)
        return loss, weights

    return call
