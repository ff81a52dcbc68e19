"""The functions of ``--callable``, checked and made known to the registry: for ``pytest bench/`` and for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.plan.experiments import CONTROLS
from kernels import registry
from kernels.api import OPS, USUAL, is_own
from kernels.plugins import NAME, NAME_RULE
from kernels.specs.function import CallableSpec, parse_callable

__all__ = ["CALLABLE_FORM", "CALLABLE_HELP", "adopted"]

CALLABLE_FORM = "[KIND:]FILE:FUNCTION"
CALLABLE_HELP = (
    "measure this function of x, or of x and out, too, on arrays of numpy (default), torch, jax, triton or cuda, "
    "or a C symbol with c: (docs/own.md); may be given again"
)


def adopted(
    texts: Sequence[str],
    asked: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    ops: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Each function's name with its whole text, which stands for it wherever a plugin's MODULE:CLASS may stand.

    `asked` are the ops that are measured, `dtypes` those of the elements; each function is tried with one of them, the
    usual one if it is among them, `ops` the user's own with what stands for each.  Raises ValueError in one line.
    """
    usual = str(USUAL["dtype"])
    dtype = usual if usual in dtypes or not dtypes else dtypes[0]
    asked = [op for op in asked if op in OPS or is_own(op)]
    own = [op for op in asked if is_own(op)]
    found: dict[str, CallableSpec] = {}
    try:
        for text in texts:
            spec = parse_callable(text, (*OPS, *own), asked)
            _check_name(spec.name, text)
            found[registry.register(str(spec), spec.name)] = spec
        _refuse([*found.values()], dtype, ops or {})
    except ValueError:
        registry.forget(found)
        raise
    return {name: str(spec) for name, spec in found.items()}


def _refuse(specs: Sequence[CallableSpec], dtype: str, ops: Mapping[str, str]) -> None:
    if specs:
        from kernels.own import refuse  # noqa: PLC0415  # NumPy, which a plan without functions does not need

        refuse(specs, dtype, ops)


def _check_name(name: str, text: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError(f"{text}: {name[:80]!r} cannot be a name; {NAME_RULE}")
    if name not in CONTROLS and name not in registry.names():
        return
    there = "a control arm" if name in CONTROLS else registry.spec_of(name)
    rest = text.rpartition("=")[2]
    raise ValueError(f"{text}: {name!r} is the name of {there}; put another one in front, as in mine={rest}")
