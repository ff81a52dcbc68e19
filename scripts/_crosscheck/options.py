"""The options of crosscheck.py, and the combinations that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from bench.plan.callables import CALLABLE_FORM, CALLABLE_HELP
from bench.plan.option_values import ALL, axis_list, list_of, params, refuse_params
from kernels.api import AXIS_TABLE, DIRECTIONS, DTYPES, MAIN_OPS, PLACEMENTS, Axis, Case
from kernels.op_facts import params_for
from kernels.specs.op import OP_FORM
from scripts._shared import cli

__all__ = ["TRIED", "combinations", "parsed"]

_EPILOG = """\
Tried are: lengths around the vector width and one that runs in parallel, every special value at every
position of the short ones, all 65,536 patterns of the 16-bit types (random patterns of the others),
slopes 0.01, 1.5, -0.5, 0, 0.2, 1, inf and nan, strided, transposed and misaligned arrays, and whether
the input and the result of the call before stay as they were. What --seconds did not allow, or the
backend refused, stands in the column `untried`.

examples:
  python scripts/crosscheck.py
  python scripts/crosscheck.py --backends jax_jit,torch_eager --dtypes float32 --csv matrix.csv
  python scripts/crosscheck.py --plugin examples.numexpr_relu:NumexprRelu --backends numexpr --seconds 60
  python scripts/crosscheck.py --ops all --dtypes float32 --placements new
  python scripts/crosscheck.py --op examples/own_op.py:Swish --seconds 0.2
  python scripts/crosscheck.py --ops elu --params alpha=0.5,alpha=2
  python scripts/crosscheck.py --ops leaky_relu --directions backward --placements new,inplace

exit status: 0 if every backend keeps the policy; 1 if one breaks it, or fails, crashes or hangs, or if
nothing could be tried; 2 for anything that cannot be done.
"""


TRIED = {"op": MAIN_OPS, "direction": DIRECTIONS, "placement": PLACEMENTS, "dtype": DTYPES}
"""The axes of what is tried, and what is tried where nothing is said."""


def combinations(options: argparse.Namespace, own: Iterable[str]) -> list[Case]:
    """A case for each combination that is asked for; `own` are users' ops.  Raises UsageError."""
    named = () if options.ops is None and own else options.ops or TRIED["op"]
    ops = (*named, *own)
    try:
        refuse_params(options.params, ops)
    except ValueError as error:
        raise cli.UsageError(f"argument --params: {error}") from error
    return [
        Case(op, direction, placement, dtype, device=device, params=chosen)
        for op in ops
        for chosen in params_for(op, options.params)
        for direction, placement, device, dtype in product(
            options.directions, options.placements, options.devices, options.dtypes
        )
    ]


def parsed(argv: Sequence[str] | None, description: str) -> argparse.Namespace:
    """The options of a command line."""
    parser = cli.Parser(description=description, epilog=_EPILOG)
    parser.add_argument(
        "--backends", type=cli.comma_list(), metavar="A,B", help="default: all, and each --plugin, --callable"
    )
    for axis in (axis for axis in AXIS_TABLE if axis.name in TRIED):
        parser.add_argument(
            f"--{axis.option}",
            type=cli.option_type(axis_list(axis)),
            default=None if axis.own else TRIED[axis.name],
            metavar="A,B",
            help=f"of {', '.join(axis.values)} (default: {_default(axis)})",
        )
    parser.add_argument(
        "--params",
        type=cli.option_type(partial(list_of, params)),
        default=(),
        metavar="A,B",
        help="of the ops, as in alpha=0.5 (default: their usual ones; scripts/ops.py lists them)",
    )
    parser.add_argument(
        "--devices", type=cli.devices, default=("cpu",), metavar="A,B", help="cpu (default), cuda, cuda:0 …"
    )
    parser.add_argument(
        "--op", action="append", default=[], metavar=OP_FORM, help="try this op of your own (docs/ops.md)"
    )
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="try this backend too, beside --backends; may be given again",
    )
    parser.add_argument("--callable", action="append", default=[], metavar=CALLABLE_FORM, help=CALLABLE_HELP)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every combination there, one a row")
    parser.add_argument(
        "--seconds",
        type=cli.number(0, 1e6),
        default=1.0,
        metavar="S",
        help="for the trials of a combination that can be left out (default 1)",
    )
    parser.add_argument(
        "--timeout",
        type=cli.number(0, 1e6),
        default=300.0,
        metavar="S",
        help="a combination that takes longer is ended (default 300)",
    )
    return parser.parse_args(argv)


def _default(axis: Axis) -> str:
    return ALL if TRIED[axis.name] == axis.values else ", ".join(TRIED[axis.name])
