"""The lines that do what is recommended, in the framework that is used now; tests run them as they are printed.

They are about arrays of the framework that are called x, dy, y (the result of a forward pass) and dx (of a backward
one), as far as the case has them, and, in PyTorch, a `model`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.text.commands import as_typed
from kernels.api import MAIN_OPS, Case

__all__ = ["KERNELS", "Code", "code_for", "framework_of", "plain_code"]

_FRAMEWORKS = {"torch": "torch", "jax": "jax", "numpy": "numpy", "numba": "numpy"}
"""Whose arrays a backend is used with, by the beginning of its name."""
KERNELS = "relu_bench.kernels" if as_typed("pytest bench/") != "pytest bench/" else "kernels"
"""What the kernels are imported as, here."""
_TORCH: Mapping[tuple[str, str, str], str] = {
    ("relu", "forward", "new"): "y = torch.relu(x)",
    ("relu", "forward", "out"): "torch.clamp_min(x, 0, out=y)",
    ("relu", "forward", "inplace"): "torch.relu_(x)",
    ("leaky_relu", "forward", "new"): "y = torch.nn.functional.leaky_relu(x, {slope})",
    ("leaky_relu", "forward", "out"): "torch.ops.aten.leaky_relu.out(x, {slope}, out=y)",
    ("leaky_relu", "forward", "inplace"): "torch.nn.functional.leaky_relu_(x, {slope})",
    ("relu", "backward", "new"): "dx = torch.ops.aten.threshold_backward(dy, x, 0)",
    ("relu", "backward", "out"): "torch.ops.aten.threshold_backward(dy, x, 0, grad_input=dx)",
    ("leaky_relu", "backward", "new"): "dx = torch.ops.aten.leaky_relu_backward(dy, x, {slope}, False)",
    ("leaky_relu", "backward", "out"): (
        "torch.ops.aten.leaky_relu_backward(dy, x, {slope}, False, grad_input=dx)"
    ),
    ("relu", "backward", "inplace"): "torch.ops.aten.threshold_backward(dy, x, 0, grad_input=dy)",
    ("leaky_relu", "backward", "inplace"): (
        "torch.ops.aten.leaky_relu_backward(dy, x, {slope}, False, grad_input=dy)"
    ),
}
_COMPILES = "The first call compiles, and the first with another shape does again."
_JAX_LEAKY = "lambda v: jax.numpy.where(v > 0, v, {slope} * v)"
"""The gradient of JAX's own at 0 is 1, everyone else's the slope."""
_SETTINGS = {
    "THP_MEM_ALLOC_ENABLE": "torch then asks for huge pages (2 MiB) for large results, one page fault in place of 512",
    "MALLOC_MMAP_THRESHOLD_": "glibc then keeps large blocks for the next call instead of returning them to the system",
}
"""What the environment variables do that are suggested (`scripts._recommend.commands`)."""


@dataclass(frozen=True, slots=True)
class Code:
    """`setup` once, then `call` for each tensor; `shell` before Python starts.

    `note` is a sentence on what they do.  `leaves` is whether the data goes through another framework, or our
    functions, which costs something that the run did not measure.
    """

    setup: tuple[str, ...]
    call: str
    shell: tuple[str, ...] = ()
    note: str = ""
    leaves: bool = False
    besides: tuple[str, ...] = ()
    """Another way to the same, for whole models."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The Python lines."""
        return (*self.setup, self.call, *self.besides)


def framework_of(backend: str) -> str | None:
    """torch, jax or numpy; None for a plugin, of which nothing is known."""
    return _FRAMEWORKS.get(backend.partition("_")[0])


def code_for(case: Case, use: str, now: str, environ: Mapping[str, str]) -> Code | None:
    """How who uses the backend `now` gets to `use`; None where nothing is known to work."""
    if case.op not in MAIN_OPS:
        return None  # the functions, and the lines here, are those two's
    theirs, ours = framework_of(now), framework_of(use)
    if theirs is None or ours is None or case.device != "cpu" or case.layout != "contiguous":
        return None
    if theirs == ours == "torch":
        found = _compiled(case) if use == "torch_compile" else plain_code(case, use)
    elif theirs == "torch":
        found = _from_torch(case, use)
    elif theirs == "jax":
        found = _from_jax(case, use)
    else:
        found = _functional(case, use)
    return found if found is None or not environ else _with(found, environ)


def plain_code(case: Case, backend: str) -> Code | None:
    """How the backend is called by those who use its framework anyway."""
    if case.op not in MAIN_OPS:
        return None
    framework = framework_of(backend)
    if backend == "torch_compile":
        return _compiled(case)
    if framework == "torch":
        call = _TORCH.get((case.op, case.direction, case.placement))
        return None if call is None else Code(("import torch",), call.format(slope=case.negative_slope))
    if framework == "jax":
        return _jitted(case)
    return _functional(case, backend) if framework == "numpy" else None


def _with(code: Code, environ: Mapping[str, str]) -> Code:
    told = [_SETTINGS[name] for name in environ if name in _SETTINGS]
    notes = [
        f"Set before Python starts: {'; '.join(told)}." if told else "Set before Python starts.",
        code.note,
    ]
    shell = tuple(f"export {name}={shlex.quote(value)}" for name, value in environ.items())
    return replace(code, shell=shell, note=" ".join(filter(None, notes)))


def _compiled(case: Case) -> Code | None:
    plain = _TORCH.get((case.op, case.direction, "new"))
    if plain is None:
        return None
    result, _, expression = plain.format(slope=case.negative_slope).partition(" = ")
    name, inputs = ("activate", ["x"]) if case.direction == "forward" else ("differentiate", ["dy", "x"])
    target = {"new": "", "out": result, "inplace": inputs[0]}[case.placement]
    body = f"{target}.copy_({expression})" if target else expression
    words = ", ".join([*inputs, *([result] if case.placement == "out" else [])])
    call = f"{name}({words})" if target else f"{result} = {name}({words})"
    return Code(("import torch", f"{name} = torch.compile(lambda {words}: {body})"), call, note=_COMPILES)


def _jitted(case: Case) -> Code | None:
    if case.placement != "new":
        return None
    slope = "" if case.op == "relu" else f", {case.negative_slope}"
    if case.direction == "forward":
        function = f"activate = jax.jit(lambda x: jax.nn.{case.op}(x{slope}))"
        return Code(("import jax", function), "y = activate(x)")
    forward = "jax.nn.relu" if case.op == "relu" else _JAX_LEAKY.format(slope=case.negative_slope)
    function = f"differentiate = jax.jit(lambda dy, x: jax.vjp({forward}, x)[1](dy)[0])"
    return Code(("import jax", function), "dx = differentiate(dy, x)")


def _called(case: Case, backend: str, wrap: str = "{}") -> str:
    """A call such as ``relu(x, backend="numba_jit")`` of the kernels; `wrap` makes an array of each argument."""
    function = case.op if case.direction == "forward" else f"{case.op}_backward"
    result = "y" if case.direction == "forward" else "dx"
    inputs = ["x"] if case.direction == "forward" else ["dy", "x"]
    words = [wrap.format(name) for name in inputs]
    words += [f"{case.negative_slope}"] if case.op == "leaky_relu" else []
    words += [] if backend == "numba_tuned" else [f'backend="{backend}"']
    target = {"new": "", "out": result, "inplace": inputs[0]}[case.placement]
    words += [f"out={wrap.format(target)}"] if target else []
    return f"kernels.{function}({', '.join(words)})"


def _import() -> str:
    package, _, name = KERNELS.rpartition(".")
    return f"from {package} import {name}" if package else f"import {name}"


def _functional(case: Case, backend: str) -> Code:
    call = _called(case, backend)
    assigned = {"forward": "y = ", "backward": "dx = "}[case.direction] if case.placement == "new" else ""
    return Code((_import(),), f"{assigned}{call}", leaves=True)


def _from_torch(case: Case, backend: str) -> Code | None:
    if backend == "numba_tuned" and case.direction == "forward" and case.placement != "out":
        slope = "" if case.op == "relu" else f", {case.negative_slope}"
        inplace = ", inplace=True" if case.placement == "inplace" else ""
        return Code(
            (f"from {KERNELS}.torch_module import {case.op}, replace_activations",),
            f"y = {case.op}(x{slope}{inplace})",
            note="For one tensor, or for every nn.ReLU and nn.LeakyReLU of a model; gradients pass through both.",
            leaves=True,
            besides=("replace_activations(model)",),
        )
    note = "No gradient passes through it: for inference, or inside an autograd.Function of your own."
    if framework_of(backend) == "jax":
        jitted = _jitted(case)
        if jitted is None or case.dtype == "float64":  # which JAX takes for float32, unless told otherwise
            return None
        result, _, call = jitted.call.partition(" = ")
        for name in ("dy", "x"):
            call = re.sub(rf"\b{name}\b", f"jax.dlpack.from_dlpack({name}.detach())", call)
        call = f"{result} = torch.from_dlpack({call})"
        return Code(("import torch", *jitted.setup), call, note=note, leaves=True)
    setup: tuple[str, ...] = (_import(), "import torch")
    wrap, back = "{}.detach().numpy()", "torch.from_numpy({})"
    if case.dtype == "bfloat16":  # which NumPy has from ml_dtypes, and torch does not hand over as that
        array = "array = lambda t: t.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)"
        setup = (_import(), "import ml_dtypes, torch", array)
        wrap, back = "array({})", 'torch.from_numpy({}.view("int16")).view(torch.bfloat16)'
    call = _called(case, backend, wrap)
    result = "y" if case.direction == "forward" else "dx"
    call = f"{result} = {back.format(call)}" if case.placement == "new" else call
    return Code(setup, call, note=note, leaves=True)


def _from_jax(case: Case, backend: str) -> Code | None:
    if case.placement != "new":
        return None
    if framework_of(backend) == "jax":
        return _jitted(case)
    call = _called(case, backend, "np.asarray({})")
    result = "y" if case.direction == "forward" else "dx"
    note = "It cannot stand inside a function that JAX compiles."
    setup = (_import(), "import jax.numpy as jnp", "import numpy as np")
    return Code(setup, f"{result} = jnp.asarray({call})", note=note, leaves=True)
