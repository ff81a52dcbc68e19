"""An op as expressions: what is right, how far from it an answer may be, and how each framework says it.

All backends of a framework serve an op from its `Expression`; one that lacks it says so (`Formula.lacks`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from kernels.ops import Array, Call, Target, Values

__all__ = [
    "EXACT",
    "LIBM",
    "TANH",
    "Allowed",
    "Expression",
    "Formula",
    "arrays_of",
    "aten_backward",
    "near",
    "target_of",
]

Make = Callable[..., Callable[..., Any]]
"""``make(framework, **parameters)``: the function of one parameter set, of x (and r), or of dy and x."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """How far an answer may be from the right one, rounded once to the dtype, in units of its last place (ULP).

    Two rounding models are honest in 16 bits, and `ulps16` allows for both: float32 throughout and one rounding at
    the end (NumPy, Numba and torch here), or a rounding at each step (XLA).
    """

    ulps: float
    ulps16: float = 4.0
    scale: Callable[..., Array] | None = None
    """Of wide x and the op's parameters by name: an ULP is one at this magnitude at least, where terms of that size
    cancel; of backward, times dy."""
    power: int = 0
    """The highest power of x that is formed on the way.  Where it could overflow, infinities included, nothing is
    judged; 0: everything is."""
    source: str = ""
    """Where the numbers come from."""


LIBM = "an exp, expm1 or tanh is within 2 in libm, SVML and Sleef (their documentation), and a few operations follow"
TANH = "XLA's tanh is a rational function of float32, off by a few, and 1 - tanh**2 is off by twice as many"
EXACT = Allowed(0.0, 0.0, source="one operation of IEEE 754, or none")


@dataclass(frozen=True, slots=True)
class Expression:
    """How a framework says an op.

    forward   ``make(framework, **parameters)`` gives a function of x, or of x and r
    backward  likewise a function of dy and x; JAX derives its own; of an op that learns, it gives dx and the sum
    term      Numba: likewise one element's part of that sum, of dy and x
    into      whether these functions take ``out=``, the array to write, which may be the one that is read
    narrow    NumPy: whether it is right in 16 bits as it stands; else float32 is computed, and rounded once
    """

    forward: Make | None
    backward: Make | None = None
    into: bool = True
    backward_into: bool = True
    narrow: bool = False
    term: Make | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Formula:
    """An op; the members of `kernels.ops.Op` follow from its expressions.

    reference   op(x) on arrays of float64 or longdouble; with ``**parameters``
    derivative  op'(x), likewise; None where there is no gradient, for the reason in `no_gradient`
    by_slope    of an op that learns: the derivative by its parameter, at x; backward gives the sum of dy times it, too
    kinks       where the derivative jumps: there it is a convention, and not judged
    traced      what torch.compile is given where it is not `torch`
    about       why an expression is missing, by framework
    spec        of a user's own: the file and the class
    warns       whether NumPy warns of ordinary numbers, as ``exp`` does where it overflows
    """

    reference: Callable[..., Array]
    forward: Allowed
    derivative: Callable[..., Array] | None = None
    backward: Allowed = EXACT
    no_gradient: str = ""
    by_slope: Callable[..., Array] | None = None
    kinks: tuple[float, ...] = ()
    warns: bool = True
    numpy: Expression | None = None
    numba: Expression | None = None
    jax: Expression | None = None
    torch: Expression | None = None
    traced: Expression | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    spec: str = ""

    def allowed(self, direction: str) -> Allowed:
        """The error that is allowed in a direction."""
        return self.forward if direction == "forward" else self.backward

    def lacks(self, framework: str, name: str, direction: str, placement: str) -> str | None:
        """What is missing to serve a case in a framework, in a sentence; None if nothing is.

        `framework` is ``numpy``, ``numba``, ``jax``, ``torch``, or ``compiled``: torch under torch.compile.
        """
        compiled, framework = framework == "compiled", framework.replace("compiled", "torch")
        expression: Expression | None = self.traced or self.torch if compiled else getattr(self, framework)
        if direction == "backward" and self.derivative is None:
            return (
                self.no_gradient
                or f"{name} gives no derivative, so it has no backward; use direction forward"
            )
        if expression is None or expression.forward is None:
            return f"{name} has no expression for {framework}{self._why(framework)}"
        backward = direction == "backward"
        if backward and expression.backward is None and framework != "jax":
            return f"{name} has no expression for {framework} in backward{self._why(framework)}"
        into = expression.backward_into if backward else expression.into
        if placement != "new" and not into and not compiled and framework in ("numpy", "torch"):
            return (
                f"what {framework} has for {name} {direction} writes into no given array; use placement new"
            )
        return None

    def _why(self, framework: str) -> str:
        return f": {self.about[framework]}" if framework in self.about else ""

    def _made(self, framework: str, direction: str, given: Any, values: Values) -> Callable[..., Any]:
        expression = getattr(self, framework)
        make: Make = expression.forward if direction == "forward" else expression.backward
        return make(given, **values)

    def scalar(self, direction: str, values: Values) -> Callable[..., Any]:
        """Of one element: ``(v)``, ``(v, r)``, or for backward ``(g, v)``, for Numba to compile."""
        return self._made("numba", direction, math, values)

    def scalar_term(self, values: Values) -> Callable[..., Any]:
        """``(g, v)``: an element's part of the gradient of the parameter, likewise."""
        assert self.numba is not None and self.numba.term is not None, "the op learns"  # noqa: PT018
        return self.numba.term(math, **values)

    def numpy_forward(self, x: Any, target: Target, values: Values) -> Call:
        """NumPy's call of op(x)."""
        return self._on_numpy("forward", arrays_of(x, None), target, values)

    def numpy_backward(self, x: Array, dy: Array, target: Target, values: Values) -> Call:
        """NumPy's call of dy * op'(x)."""
        return self._on_numpy("backward", (dy, x), target, values)

    def _on_numpy(self, direction: str, arrays: tuple[Array, ...], target: Target, values: Values) -> Call:
        assert self.numpy is not None, "lacks has been asked"
        function = self._made("numpy", direction, np, values)
        if arrays[0].itemsize == 2 and not self.numpy.narrow:
            return _rounded_once(function, arrays, target)
        return partial(function, *arrays) if target is None else partial(function, *arrays, out=target)

    def numpy_may_warn(self, values: Values) -> bool:
        """See `warns`."""
        return self.warns

    def jax_forward(self, jax: Any, values: Values) -> Callable[..., Any]:
        """JAX's function; JAX derives the gradient."""
        return self._made("jax", "forward", jax, values)

    def torch_forward(self, torch: Any, x: Any, target: Any, values: Values) -> Callable[[], Any]:
        """torch's call of op(x)."""
        function, arrays = self._made("torch", "forward", torch, values), arrays_of(x, None)
        return partial(function, *arrays) if target is None else partial(function, *arrays, out=target)

    def torch_backward(self, torch: Any, x: Any, dy: Any, target: Any, values: Values) -> Callable[[], Any]:
        """torch's call of dy * op'(x)."""
        function = self._made("torch", "backward", torch, values)
        return partial(function, dy, x) if target is None else partial(function, dy, x, out=target)

    def torch_traced(self, torch: Any, values: Values) -> Callable[..., Any]:
        """The function of x for torch.compile to trace."""
        return self._made("traced" if self.traced else "torch", "forward", torch, values)

    def torch_traced_backward(self, torch: Any, values: Values) -> Callable[[Any, Any], Any]:
        """The function of dy and x, likewise; it gives the pair where the op learns."""
        return self._made("traced" if self.traced else "torch", "backward", torch, values)


def near(x: Array) -> Array:
    """|x| where a float64's exp(-|x|) still counts beside 1, else 0: beyond, no terms of the size of x cancel."""
    size = np.abs(x)
    return np.where(size < 40, size, 0)


def arrays_of(x: Any, dy: Any) -> tuple[Any, ...]:
    """What a call reads: x, or (x, r) where `x` is a tuple, then `dy` unless it is None."""
    inputs = x if isinstance(x, tuple) else (x,)
    return inputs if dy is None else (*inputs, dy)


def target_of(placement: str, x: Any, dy: Any, out: Any) -> Any:
    """The array that a call writes, None for a new one; in place it is the last that the call reads."""
    return {"new": None, "out": out, "inplace": arrays_of(x, dy)[-1]}[placement]


def aten_backward(packet: Any, *rest: Any, through: Callable[[Any], Any] | None = None) -> Callable[..., Any]:
    """``(dy, x, out=None)`` of one of torch's gradients; `through` makes of x what that one is a function of."""
    into, new = packet.grad_input, packet.default

    def gradient(dy: Any, x: Any, out: Any = None) -> Any:
        seen = x if through is None else through(x)
        return new(dy, seen, *rest) if out is None else into(dy, seen, *rest, grad_input=out)

    return gradient


def _rounded_once(function: Callable[..., Array], arrays: tuple[Array, ...], target: Target) -> Call:
    """In float32, rounded to the arrays' 16 bits at the end."""
    dtype = arrays[0].dtype

    def new() -> Array:
        return function(*(array.astype(np.float32) for array in arrays)).astype(dtype)

    if target is None:
        return new
    given = target

    def into() -> Array:
        given[...] = function(*(array.astype(np.float32) for array in arrays))
        return given

    return into
