"""Which ops there are, what error each is allowed, and which backend serves which of them.

Backends are asked, not run: crosscheck.py tells what they really compute.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

from bench.plan.option_values import axis_list
from kernels import registry
from kernels.api import AXIS_TABLE, DIRECTIONS, OPS, PLACEMENTS, Backend, Case, facts_of
from kernels.correctness.bounded import allowed_ulps
from kernels.numbers.floats import FORMATS
from kernels.op_facts import Parameter
from kernels.ops import op_of
from kernels.ops.formula import Formula
from kernels.own.op import load_ops
from kernels.specs.op import OP_FORM, all_checked
from scripts._shared import cli
from scripts._shared.render import as_markdown, to_terminal
from scripts._shared.sections import Block, Report, Section

__all__ = ["main"]

_EPILOG = """\
examples:
  python scripts/ops.py
  python scripts/ops.py --ops gelu,silu --backends numpy_ufunc,torch_eager --why
  python scripts/ops.py --op examples/own_op.py:Swish
  python scripts/ops.py --format markdown

exit status: 0; 2 for anything that cannot be done.
"""
_LEGEND = (
    "n, o, i: placements new, out, inplace, forward / backward; - where a backend does not serve them (--why).",
    "ULP: float32 and float64 / 16 bits, forward, then backward; 0 is exact under one rounding model (crosscheck.py).",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.

    Raises UsageError, of one line.
    """
    options = _parse(argv)
    try:
        own = all_checked(options.op)
        load_ops(own)
        known = [name for name in registry.names() if "cpu" in registry.devices(name)]
    except ValueError as error:
        raise cli.UsageError(str(error)) from error
    ops = options.ops or (() if own else OPS)
    for name in options.backends or ():
        if name not in known:
            raise cli.UsageError(f"argument --backends: {name!r} is not known; allowed: {', '.join(known)}")
    backends, missing = _loaded(options.backends or list(filter(registry.is_usual, known)))
    found = _report((*ops, *own), backends, missing, options.why)
    if options.format == "markdown":
        sys.stdout.write(as_markdown(found))
    else:
        to_terminal(found)
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    axis = AXIS_TABLE[0]
    parser.add_argument(
        "--ops", type=cli.option_type(axis_list(axis)), metavar="A,B", help="only these (default: all)"
    )
    parser.add_argument(
        "--op", action="append", default=[], metavar=OP_FORM, help="an op of your own (docs/ops.md)"
    )
    parser.add_argument(
        "--backends", type=cli.comma_list(), metavar="A,B", help="only these (default: all for the CPU)"
    )
    parser.add_argument("--why", action="store_true", help="say why a backend does not serve an op")
    parser.add_argument("--format", choices=("terminal", "markdown"), default="terminal", help="of the table")
    return parser.parse_args(argv)


def _loaded(names: Sequence[str]) -> tuple[dict[str, Backend], list[str]]:
    """The backends by name, and a sentence for each that is not there."""
    backends, missing = {}, []
    for name in names:
        try:
            backends[name] = registry.load(name)
        except ImportError as error:
            missing.append(f"{name}: {error}")
    return backends, missing


def _report(ops: Sequence[str], backends: dict[str, Backend], missing: Sequence[str], why: bool) -> Report:
    rows = [(op, *_facts(op), *(_served(backend, op) for backend in backends.values())) for op in ops]
    headers = ("op", "parameters", "ULP", *backends)
    section = Section("Ops and backends", headers, rows, (False,) * len(headers))
    blocks = [Block("", [section])]
    reasons = [*missing, *(_reasons(ops, backends) if why else ())]
    if reasons:
        blocks.append(Block("Why not", [], "\n".join(dict.fromkeys(reasons))))
    return Report(intro=[], blocks=blocks, legend=list(_LEGEND), problems=[])


def _facts(op: str) -> tuple[str, str]:
    case, formula = Case(op), op_of(op)
    slope = (f"negative_slope={case.negative_slope:g}",) if facts_of(op).sloped else ()
    parameters = "; ".join((*slope, *map(_offered, facts_of(op).params))) or "-"
    if not isinstance(formula, Formula):
        return parameters, "0"
    told = [
        f"{_units(formula, direction, 'float32')}/{_units(formula, direction, 'float16')}"
        for direction in DIRECTIONS
        if direction == "forward" or formula.derivative is not None
    ]
    return parameters, ", ".join("0" if each == "0/0" else each for each in told)


def _offered(parameter: Parameter) -> str:
    """Its usual value, and what --params takes besides."""
    fixed = parameter.low == parameter.high
    return f"{parameter.name}={parameter.usual:g}" + ("" if fixed else f" ({parameter.range_text})")


def _units(formula: Formula, direction: str, dtype: str) -> str:
    return f"{allowed_ulps(formula, direction, FORMATS[dtype]):g}"


def _served(backend: Backend, op: str) -> str:
    return "/".join(
        "".join(p[0] for p in PLACEMENTS if backend.why_not(Case(op, direction, p)) is None) or "-"
        for direction in DIRECTIONS
    )


def _reasons(ops: Sequence[str], backends: dict[str, Backend]) -> Iterator[str]:
    for op in ops:
        for name, backend in backends.items():
            for direction in DIRECTIONS:
                for placement in PLACEMENTS:
                    reason = backend.why_not(Case(op, direction, placement))
                    if reason is not None:
                        yield f"{name}: {reason}"


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
