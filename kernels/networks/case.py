"""What a case is where a network is measured instead of an activation.

It reuses the activation columns, so that both stand in one file: `op` is the network, `layout` its widths, `n` the
elements of the input batch.  Imports the standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kernels.api import AXIS_TABLE, OPS, USUAL, Axis, Case, facts_of

__all__ = [
    "ABLATED",
    "NETWORK_DIRECTIONS",
    "NETWORK_OPS",
    "SLOPED_OPS",
    "WIDTHS",
    "NetworkCase",
    "case_of",
    "is_allowed",
    "parse_widths",
    "why_not",
    "words_of",
]

NETWORK_OPS = ("mlp_relu", "mlp_leaky_relu")
SLOPED_OPS = (*(op for op in OPS if facts_of(op).sloped), "mlp_leaky_relu")
"""Those that have a negative slope."""
ABLATED = "mlp_identity"
"""The network without its activation: what is measured beside it, to see what the activation costs."""
NETWORK_DIRECTIONS = ("forward", "train_step")
WIDTHS = re.compile(r"([1-9]\d{0,5})-([1-9]\d{0,5})-([1-9]\d{0,5})", re.ASCII)
"""Input, hidden and output width, as in ``10-5-3``."""

_OWN: Mapping[str, tuple[str, ...]] = {"op": (*NETWORK_OPS, ABLATED), "direction": NETWORK_DIRECTIONS}
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    axis.name: _OWN.get(axis.name, (USUAL[axis.name],))
    for axis in AXIS_TABLE
    if axis.values and axis.name != "layout"
}
"""What a network's case may be: it has words of its own on two axes, and the usual one on the others."""


def words_of(axis: Axis) -> tuple[str, ...]:
    """The words that stand in an axis' column: those of activations, then those of networks."""
    own = _OWN.get(axis.name, ())
    return tuple(dict.fromkeys(word for word in (*axis.values, *own) if word != ABLATED))


def is_allowed(axis: Axis, word: str) -> bool:
    """Whether `word` may stand in an axis' column: a user's own op, and for `layout` a network's widths, besides."""
    return (
        axis.allows(word)
        or word in words_of(axis)
        or (axis.name == "layout" and WIDTHS.fullmatch(word) is not None)
    )


def parse_widths(text: str) -> tuple[int, int, int]:
    """The three widths in ``10-5-3``.  Raises ValueError, saying what came and what is allowed."""
    match = WIDTHS.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} are no widths; allowed: input-hidden-output, each 1 to 999999, as in 10-5-3"
        )
    return int(match[1]), int(match[2]), int(match[3])


@dataclass(frozen=True, slots=True)
class NetworkCase(Case):
    """Linear(a, b), activation, Linear(b, c) on a batch of ``n / a`` rows; `layout` is ``a-b-c``.

    `direction` is ``forward``, or ``train_step``: loss (mean squared error), gradients and one step of SGD.
    `negative_slope` belongs to mlp_leaky_relu and is set to 0.0 for the others.

    Raises ValueError, naming the field, the value and what is allowed.
    """

    layout: str = "10-5-3"
    n: int = 10

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} of a network is {value!r}; allowed: {', '.join(allowed)}")
        first = parse_widths(self.layout)[0]
        if not isinstance(self.n, int) or self.n < first or self.n % first:
            raise ValueError(f"n is {self.n!r}; it counts the input batch: a multiple of its width {first}")
        if not isinstance(self.threads, int) or self.threads < 0:
            raise ValueError(f"threads is {self.threads!r}; allowed: 0 (the default) or more")
        if self.op != "mlp_leaky_relu":
            object.__setattr__(self, "negative_slope", 0.0)

    @property
    def widths(self) -> tuple[int, int, int]:
        """Input, hidden and output width."""
        return parse_widths(self.layout)

    @property
    def batch(self) -> int:
        """Rows of the input."""
        return self.n // self.widths[0]

    @property
    def activation(self) -> str | None:
        """The name of the activation's op; None where there is none."""
        return None if self.op == ABLATED else self.op.removeprefix("mlp_")

    @property
    def slope(self) -> float:
        """What a negative element is multiplied by: 1.0 where there is no activation."""
        return 1.0 if self.op == ABLATED else self.negative_slope

    @property
    def arrays(self) -> int:
        """The batch, and in training its targets."""
        return 1 if self.direction == "forward" else 2

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        a, b, c = self.widths
        return a * b + b + b * c + c

    @property
    def flops(self) -> int:
        """Multiplications and additions of a call's matrix products.

        A training step makes each layer's product, as large a one for its weights' gradient, and one more
        to go back through the second layer.
        """
        a, b, c = self.widths
        forward = 2 * self.batch * (a * b + b * c)
        return forward if self.direction == "forward" else 2 * forward + 2 * self.batch * b * c

    @property
    def bytes_moved(self) -> int:
        """Bytes of inputs and parameters read once, and of results written once, parameters among them."""
        outputs = self.batch * self.widths[2]
        if self.direction == "forward":
            return (self.n + self.parameters + outputs) * self.itemsize
        return (self.n + outputs + 2 * self.parameters + 1) * self.itemsize

    @property
    def learning_rate(self) -> float:
        """``min(1e-5 * outputs in the batch, 0.01)``: small enough that no step diverges or has no effect.

        It is so small that weights still move after the ten thousands of steps of a timed batch, and so
        the harness can see from where they are how many steps were made.  It rises with the batch
        (P. Goyal et al., Accurate, large minibatch SGD, 2017).  What a step costs does not depend on it.
        """
        return min(1e-5 * self.batch * self.widths[2], 0.01)

    @property
    def label(self) -> str:
        """Short and unique among the networks of a run: ``mlp_relu-forward-10-5-3-b32``."""
        parts = [self.op, self.direction, self.layout, f"b{self.batch}"]
        if self.threads:
            parts.append(f"t{self.threads}")
        if self.op == "mlp_leaky_relu" and self.negative_slope != NetworkCase(self.op).negative_slope:
            parts.append(f"slope{self.negative_slope!r}")
        return "-".join(parts)


def case_of(**axes: object) -> Case:
    """The case with these columns: a network's or an activation's, as its `op` says.

    Raises ValueError as the two classes do.
    """
    kind = NetworkCase if axes.get("op") in _ALLOWED["op"] else Case
    return kind(**axes)  # type: ignore[arg-type]  # the class checks what it is given


def why_not(name: str, case: Case) -> str | None:
    """What keeps the network called `name` from any case but a network's on the CPU; None if nothing does."""
    if not isinstance(case, NetworkCase):
        return f"{name} is a network; op is {case.op!r}, allowed: {', '.join(_ALLOWED['op'])}"
    return None if case.device == "cpu" else f"networks run on the CPU only; device is {case.device!r}"
