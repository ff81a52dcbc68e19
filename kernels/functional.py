"""The kernels as plain functions on NumPy arrays.

A backend sees one-dimensional contiguous arrays.  An input is copied once if it is not C-contiguous, or not
aligned as the backend asks (its optional attribute ``alignment``, in bytes; 64 where it does not say).  The result
is copied once for such an `out`, for ``jax_jit`` in place (JAX cannot write into NumPy's memory), and for a plugin
without the optional method ``bind``: `compile` promises a first execution, and a function should not do its work
twice, so ``bind(case, x, dy, out)`` is `compile` without it.

NaN, signed zeros and subnormals follow the backend, and so do gradients where x is 0 or NaN, which are conventions.
A subclass of ndarray is taken for the array that it is: a result is a plain one, without units or names.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any

import ml_dtypes
import numpy as np

from kernels.api import DTYPES, Backend, Case
from kernels.numbers.host_arrays import ALIGNMENT, aligned_empty, np_dtype
from kernels.registry import load

__all__ = ["leaky_relu", "leaky_relu_backward", "relu", "relu_backward"]

Array = np.ndarray[Any, Any]
_DTYPES = {np_dtype(name): name for name in DTYPES}


def relu(x: Any, *, backend: str = "numba_tuned", out: Array | None = None) -> Array:
    """max(x, 0), NaN passing through.

    `x`: an array of any shape and strides, of dtype float16, bfloat16 (ml_dtypes), float32 or float64.
    Returns a new C-contiguous array of x's shape and dtype, or `out`, filled: an array of that shape and
    dtype that is either apart from x in memory or x itself, which is then overwritten.

    Raises TypeError for another dtype; ValueError for an `out` of another shape, read-only or
    overlapping x, for an unknown backend and for what the backend cannot do; ImportError for a backend
    whose framework is not installed.
    """
    return _run("relu", 0.0, backend, x=_checked("x", x), dy=None, out=out)


def leaky_relu(
    x: Any, negative_slope: float = 0.01, *, backend: str = "numba_tuned", out: Array | None = None
) -> Array:
    """x where x > 0, else x * negative_slope; arguments, result and errors as for `relu`.

    Raises TypeError if `negative_slope` is not a real number.
    """
    return _run("leaky_relu", _slope(negative_slope), backend, x=_checked("x", x), dy=None, out=out)


def relu_backward(dy: Any, x: Any, *, backend: str = "numba_tuned", out: Array | None = None) -> Array:
    """The gradient with respect to x of ``sum(dy * relu(x))``: dy where x > 0, else 0; where x is NaN, dy or 0.

    Which of the two is the backend's convention: ``g(NaN)`` in the table of scripts/crosscheck.py.
    `dy` and `x` agree in shape and dtype.  Returns a new array, or `out`, which may be dy itself (then
    overwritten) and shares no memory with x; otherwise as for `relu`.
    """
    return _run("relu", 0.0, backend, x=_checked("x", x), dy=_checked("dy", dy), out=out)


def leaky_relu_backward(
    dy: Any,
    x: Any,
    negative_slope: float = 0.01,
    *,
    backend: str = "numba_tuned",
    out: Array | None = None,
) -> Array:
    """dy where x > 0, else dy * negative_slope; where x is 0 or NaN, either.  Otherwise as for `relu_backward`."""
    slope = _slope(negative_slope)
    return _run("leaky_relu", slope, backend, x=_checked("x", x), dy=_checked("dy", dy), out=out)


def _run(op: str, slope: float, backend: str, *, x: Array, dy: Array | None, out: Array | None) -> Array:
    if dy is not None:
        _agree("dy", dy, x)
    changed = x if dy is None else dy
    placement = "new" if out is None else _placement(out, x, dy, changed)
    direction = "forward" if dy is None else "backward"
    case = Case(op, direction, placement, _DTYPES[x.dtype], x.size, negative_slope=slope)
    chosen = load(backend)
    binds = hasattr(chosen, "bind")
    _demand(chosen, case)
    if not binds and placement != "new":
        case = replace(case, placement="new")
        _demand(chosen, case)
    if x.size == 0:
        return np.empty(x.shape, x.dtype) if out is None else out
    with np.errstate(all="ignore"):  # NaN and infinities are ordinary values here
        result = _call(chosen, case, x, dy, out if case.placement == "out" else None)
    if out is None:
        return (result if result.flags.writeable else result.copy()).reshape(x.shape)
    if _address(result) != _address(out):
        np.copyto(out, result.reshape(out.shape))
    return out


def _call(backend: Backend, case: Case, x: Array, dy: Array | None, out: Array | None) -> Array:
    """Run once, on flat arrays; the flat result lies in the array to be written where that could be used."""
    alignment = getattr(backend, "alignment", ALIGNMENT)
    if out is not None and not _usable(out, alignment):
        out = aligned_empty(out.shape, out.dtype)
    handles = [
        None if array is None else backend.adopt(_flat(array, alignment), case) for array in (x, dy, out)
    ]
    result = getattr(backend, "bind", backend.compile)(case, *handles)()
    backend.sync(result)
    return backend.to_numpy(result).reshape(-1)


def _demand(backend: Backend, case: Case) -> None:
    reason = backend.why_not(case)
    if reason is not None:
        raise ValueError(
            f"{backend.name} cannot do {case.op} {case.direction}, placement {case.placement}: {reason}"
        )


def _checked(name: str, value: Any) -> Array:
    """`value` as an array of a dtype that is served."""
    allowed = f"allowed are arrays of {', '.join(DTYPES)} in native byte order; convert with astype"
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array; {allowed}")
    if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
        raise TypeError(f"{name} is a {_framework(value)}; allowed are NumPy arrays{_ways(value)}")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is no array ({error}); {allowed}") from None
    if array.dtype not in _DTYPES:
        shown = array.dtype.str if array.dtype.kind in "fU" else array.dtype  # str shows the byte order
        raise TypeError(f"{name} is of dtype {shown}; {allowed}")
    return array


def _framework(value: Any) -> str:
    """``torch.Tensor``.  The result would be none, so arrays of other frameworks are refused, not converted."""
    kind = type(value)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _ways(value: Any) -> str:
    if _framework(value).startswith("torch."):
        return f": give x.numpy(), or call {__package__}.torch_module.relu or leaky_relu, which take tensors"
    return ": give numpy.asarray(x)"


def _slope(value: Any) -> float:
    if not isinstance(value, Real | ml_dtypes.bfloat16):
        raise TypeError(
            f"negative_slope is {value!r} ({type(value).__name__}); it is a real number, as in 0.01"
        )
    return float(value)


def _agree(name: str, array: Array, x: Array) -> None:
    if array.dtype != x.dtype:
        raise TypeError(f"{name} is of dtype {array.dtype}, x of {x.dtype}; they have to agree")
    if array.shape != x.shape:
        raise ValueError(f"{name} has the shape {array.shape}, x has {x.shape}; they have to agree")


def _placement(out: Any, x: Array, dy: Array | None, changed: Array) -> str:
    """Check `out`, and tell writing into it from overwriting `changed`."""
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out is a {type(out).__name__}; it has to be a numpy.ndarray (or None)")
    _agree("out", out, x)
    if not out.flags.writeable:
        raise ValueError("out is read-only; give an array that may be written")
    if out.size and any(
        stride == 0 and size > 1 for stride, size in zip(out.strides, out.shape, strict=True)
    ):
        raise ValueError("out holds several elements at one address (a broadcast view); give a plain array")
    same = _address(out) == _address(changed) and out.strides == changed.strides
    others = {"x": x, "dy": dy} if not same else {"x": x} if dy is not None else {}
    for name, array in others.items():
        if array is not None and _overlap(out, array):
            allowed = "x" if dy is None else "dy"
            raise ValueError(
                f"out overlaps {name} in memory; give {allowed} itself (in place) or an array apart from it"
            )
    return "inplace" if same else "out"


def _overlap(one: Array, other: Array) -> bool:
    try:
        return np.shares_memory(one, other, max_work=10_000)  # type: ignore[arg-type]  # the stubs know 0 and -1 only
    except np.exceptions.TooHardError:  # undecided: their bounds do overlap
        return True


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _usable(array: Array, alignment: int) -> bool:
    return array.flags.c_contiguous and array.flags.aligned and _address(array) % alignment == 0


def _flat(array: Array, alignment: int) -> Array:
    """A one-dimensional view of `array`, or of an aligned contiguous copy where it is not usable itself."""
    if not _usable(array, alignment):
        copy = aligned_empty(array.shape, array.dtype)
        copy[...] = array
        array = copy
    return array.reshape(-1)
