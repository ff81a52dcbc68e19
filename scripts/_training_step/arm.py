"""One arm of scripts/training_step.py: a small network, which takes steps when asked.

Two networks.  ``mlp``: Linear layers of one width with an activation after each, where matrix products take most
of the time.  ``elementwise``: ``h = activation(h + shift)`` again and again, as in a residual network
without its convolutions, where nothing but memory traffic takes time.
"""

from __future__ import annotations

import gc
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kernels.torch_module import TunedLeakyReLU, TunedReLU
from scripts._training_step.messages import Kept, Peak, Spec

__all__ = ["ACTIVATIONS", "BASELINE", "NETWORKS", "NOTHING", "Trainer"]

NETWORKS = ("mlp", "elementwise")
BASELINE = "nn"
"""The arm that the others are compared with: torch's own module."""
NOTHING = "no activation"
"""The arm without an activation: what the rest of the step takes."""

_Make = Callable[[float], nn.Module]
ACTIVATIONS: Mapping[str, Mapping[str, _Make]] = {
    "relu": {
        BASELINE: lambda _: nn.ReLU(),
        "nn, inplace": lambda _: nn.ReLU(inplace=True),
        "tuned": lambda _: TunedReLU(),
        "tuned, inplace": lambda _: TunedReLU(inplace=True),
        NOTHING: lambda _: nn.Identity(),
    },
    "leaky_relu": {
        BASELINE: nn.LeakyReLU,
        "nn, inplace": lambda slope: nn.LeakyReLU(slope, inplace=True),
        "tuned": TunedLeakyReLU,
        "tuned, inplace": lambda slope: TunedLeakyReLU(slope, inplace=True),
        NOTHING: lambda _: nn.Identity(),
    },
}
"""By op and arm: the activation, made for a slope."""


class _Shifted(nn.Module):
    """``activation(h + shift)``; the addition keeps nothing for its gradient."""

    def __init__(self, width: int, activation: nn.Module) -> None:
        super().__init__()
        self.shift = nn.Parameter(0.1 * torch.randn(width))
        self.activation = activation

    def forward(self, h: Tensor) -> Tensor:
        result: Tensor = self.activation(h + self.shift)
        return result


def _network(spec: Spec, activation: Callable[[], nn.Module]) -> nn.Module:
    if spec.network == "elementwise":
        return nn.Sequential(*(_Shifted(spec.width, activation()) for _ in range(spec.depth)))
    hidden = [(nn.Linear(spec.width, spec.width), activation()) for _ in range(spec.depth)]
    return nn.Sequential(*(layer for pair in hidden for layer in pair), nn.Linear(spec.width, 10))


class Trainer:
    """A network, its data, and one step of plain SGD."""

    def __init__(self, spec: Spec) -> None:
        if spec.threads:
            torch.set_num_threads(spec.threads)
        torch.manual_seed(0)
        self._made: list[nn.Module] = []

        def activation() -> nn.Module:
            self._made.append(ACTIVATIONS[spec.op][spec.arm](spec.slope))
            return self._made[-1]

        self._model = _network(spec, activation)
        self._x = torch.randn(spec.batch, spec.width)
        self._target = torch.randint(10, (spec.batch,)) if spec.network == "mlp" else None
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=1e-3)

    def _loss(self) -> Tensor:
        y = self._model(self._x)
        return y.mean() if self._target is None else nn.functional.cross_entropy(y, self._target)

    def step(self) -> float:
        """The loss before one step of training."""
        self._optimizer.zero_grad()
        loss = self._loss()
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        self._optimizer.step()
        return loss.item()

    def warm_up(self) -> float:
        """Two steps; the last loss.  From here on the peak memory counts."""
        for _ in range(2):
            loss = self.step()
        gc.collect()
        _reset_peak()
        return loss

    def timed_step(self) -> float:
        """Seconds that one step takes."""
        start = time.perf_counter()
        self.step()
        return time.perf_counter() - start

    def peak(self) -> Peak:
        """Bytes of physical memory at most, since `warm_up` where the kernel can tell, and what says so."""
        return _peak()

    def kept(self) -> Kept:
        """What one forward pass keeps."""
        seen: dict[int, Tensor] = {}  # alive, so that no address comes twice
        inside: set[int] = set()
        others: set[int] = set()
        nodes: set[Any] = set()  # those of activations
        active = [m for m in self._made if not isinstance(m, nn.Identity)]  # whose result is another's
        handles = [m.register_forward_hook(lambda *a: nodes.add(a[-1].grad_fn)) for m in active]
        loss = self._loss()
        for handle in handles:
            handle.remove()
        for node in _graph(loss):
            for tensor in _saved(node):
                address = tensor.untyped_storage().data_ptr()
                seen[address] = tensor
                (inside if node in nodes else others).add(address)
        parameters = {p.untyped_storage().data_ptr() for p in self._model.parameters()}
        sizes = {a: t.untyped_storage().nbytes() for a, t in seen.items() if a not in parameters}
        del loss
        return Kept(
            sum(sizes.values()),
            sum(size for address, size in sizes.items() if address in inside),
            sum(size for address, size in sizes.items() if address in inside - others),
        )


def _graph(result: Tensor) -> Iterator[Any]:
    """The nodes of autograd's graph."""
    found: set[Any] = set()
    waiting: list[Any] = [result.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting += [following for following, _ in node.next_functions]
            yield node


def _saved(node: Any) -> list[Tensor]:
    """What a node keeps.  Hooks of saved tensors would say so as well, but under them ours keep what torch's do."""
    names = [name for name in dir(node) if name.startswith("_saved_")] + ["saved_tensors"]
    kept = (getattr(node, name, None) for name in names)
    every = (each if isinstance(each, list | tuple) else [each] for each in kept)
    return [each for some in every for each in some if isinstance(each, Tensor)]


_CLEAR = Path("/proc/self/clear_refs")
"""Writing here resets the peak of memory (Linux)."""
_STATUS = Path("/proc/self/status")
"""The peak of memory is read here (Linux)."""


def _reset_peak() -> None:
    try:
        _CLEAR.write_text("5")  # proc_pid_clear_refs(5): reset the peak resident set size
    except OSError:
        return  # not Linux, or not allowed; the peak is then that of the whole process


def _peak() -> Peak:
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return Peak(int(found[1]) << 10, "VmHWM")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Peak(most if sys.platform == "darwin" else most << 10, "ru_maxrss")
