"""Which activations does my PyTorch program run, how often, and what share of its time do they take?

Runs the program as `python PROGRAM ARGS…` would, and writes what it saw to a file.  `pytest bench/ --cases FILE` then
measures the same calls.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.text.commands import command_line
from bench.text.units import count_text, number_text, percent_text, seconds_text
from kernels.recorder.cases_file import Recording, Used, write_recording
from scripts._shared import cli
from scripts._shared.remarks import clean
from scripts._shared.render import to_terminal
from scripts._shared.sections import Block, Report, Section
from scripts._shared.steps import FEWEST, faults_text, saved_by_swapping, step_time, swapped_text

__all__ = ["main"]

_ROOT = Path(__file__).resolve().parent.parent
"""Where `bench/` is."""
_EPILOG = """\
The calls of the first three steps are counted, forward and backward, and later steps are timed, without being looked
at. A step is one of an optimizer (torch.optim), or the forward of the outermost module where nothing trains. Counted
are the calls that torch itself runs: of a model under torch.compile those that it would run without, since a compiler
fuses activations with their neighbours. What runs in other threads or processes is not seen. JAX programs are not
recorded: jax.jit fuses activations, too.

--swap runs turns of four timed steps with our kernels in place of nn.ReLU and nn.LeakyReLU (calls of functions stay as
they are), and so measures in the program itself what they would save. Results stay the same, bit for bit, but for the
sign of zero in float16 and bfloat16.

--check does that, runs `pytest bench/ --cases` for the same calls, and ends with the answer of recommend.py: "predicted
a to b, found c to d", and whether what was found is within. It takes a minute or two; the machine must be quiet.

examples:
  python scripts/record.py train.py --epochs 1
  python scripts/record.py --swap --output cases.json train.py
  python scripts/record.py --check examples/activation_stack.py --steps 200
  python scripts/record.py -m package.train

`pytest bench/ --cases cases.json` measures what was recorded, and `python scripts/recommend.py --cases cases.json` then
says what other activations would bring to a step.

exit status: that of the program where it is not 0 (2 if it raised); with --check, that of pytest
or recommend.py where it is not 0; 2 for anything that cannot be done.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`; returns the exit status.  Raises UsageError, of one line."""
    options = _parse(argv)
    if importlib.util.find_spec("torch") is None:
        raise cli.UsageError(
            "torch is not installed, and PyTorch programs are what is recorded: pip install torch"
        )
    from scripts._record.program import observe  # noqa: PLC0415  # brings torch

    program, *arguments = options.program
    recording, ending, swapped = observe(program, arguments, module=options.m, swap=options.swap)
    if recording.used or recording.unmeasured:
        try:
            write_recording(options.output, recording)
        except OSError as error:
            raise cli.UsageError(f"--output {options.output}: cannot be written: {error.strerror}") from error
        to_terminal(_report(recording, options.output, swapped if options.swap else None))
        sys.stdout.flush()
    if ending.error:
        kept = (
            f"; what was seen until then is in {options.output}"
            if recording.used
            else "; nothing was recorded"
        )
        raise cli.UsageError(f"{program} ended with {clean(ending.error)}{kept}")
    if not recording.used and not recording.unmeasured:
        raise cli.UsageError(
            f"{program} ran no activation in this thread that torch has a function for; nothing was written"
        )
    if options.check and not ending.status:
        return _checked(options.output, options.results)
    return ending.status


def _checked(cases: Path, results: Path) -> int:
    """Measure the calls that were recorded, and say what they predict beside what was found; the exit status."""
    where = ["--cases", str(cases.resolve()), "--results", str(results.resolve())]
    for command in (
        ["-m", "pytest", "bench/", *where, "--backends", "torch_eager,numba_tuned", "-q"],
        ["scripts/recommend.py", *where],
    ):
        status = subprocess.run([sys.executable, *command], cwd=_ROOT, check=False).returncode
        if status:
            return status
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.Parser(description=__doc__ or "", epilog=_EPILOG)
    parser.add_argument(
        "--output", type=cli.writable, default=Path("cases.json"), metavar="FILE", help="(default cases.json)"
    )
    parser.add_argument(
        "--swap", action="store_true", help="time steps with our kernels, too, by turns: at least 50 steps"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="as --swap, then measure the same calls, and say whether swapping saved what they predict",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where --check writes its run"
    )
    parser.add_argument("-m", action="store_true", help="PROGRAM is a module, as with python -m")
    parser.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="PROGRAM ARGS…", help="the program, and its own options"
    )
    options = parser.parse_args(argv)
    options.swap |= options.check
    if not options.program:
        parser.error("no program was named; name a Python file, and what it takes: train.py --epochs 1")
    name = options.program[0]
    if name.startswith("-"):
        parser.error(f"{name} is no option here, and no program; options of ours stand before the program")
    if not options.m and not Path(name).is_file():
        parser.error(f"{name!r} is no file; name the Python file of the program, or a module after -m")
    if options.m and not _is_module(name):
        parser.error(f"-m {name}: there is no module of that name here")
    return options


def _is_module(name: str) -> bool:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
    finally:
        sys.path.pop(0)


def _report(recording: Recording, output: Path, swapped: int | None) -> Report:
    steps = recording.steps
    time = step_time(steps.seconds)
    intro = [
        f"A step ({clean(steps.what)}) takes {seconds_text(time.value)}, of {count_text(len(steps.seconds), 'step')}."
        if time
        else f"Steps were not timed: after {steps.counted} counted ones at least {FEWEST} more are needed, "
        f"there were {len(steps.seconds)}."
    ]
    if swapped is not None:
        intro.append(_swapped(recording, swapped))
    faults = faults_text(steps, recording.used)
    intro += [] if faults is None else [faults]
    if recording.compiled:
        intro.append(
            "torch.compile was at work: there a compiler fuses activations, and there is little to save."
        )
    intro += [
        f"Not measured here: {number_text(each.calls)} calls a step of {clean(each.op)}: {clean(each.why)}."
        for each in recording.unmeasured
    ]
    headers = ("activation", "placement", "dtype", "shape", "calls", "each", "of a step", "where")
    rows = [_row(used, None if time is None else time.value) for used in recording.used]
    right = (False, False, False, True, True, True, True, False)
    section = Section("", headers, rows, right)
    what_next = f"written: {output}\nmeasure them:  {command_line('pytest', 'bench/', '--cases', output)}"
    return Report(intro, [Block("Activations of a step", [section], what_next)])


def _row(used: Used, step_s: float | None) -> tuple[str, ...]:
    slope = f" {used.negative_slope:g}" if used.op == "leaky_relu" else ""
    known = used.seconds is not None
    return (
        " ".join(filter(None, (f"{used.op}{slope}", used.params, used.direction))),
        used.placement,
        used.dtype,
        " x ".join(map(str, used.shape)),
        number_text(used.calls),
        seconds_text(used.seconds) if used.seconds is not None else "",
        percent_text(used.calls * (used.seconds or 0.0) / step_s) if step_s and known else "",
        ", ".join(_where(used.where)),
    )


def _where(names: Sequence[str]) -> Iterator[str]:
    most = 3
    yield from (clean(name) or "(no module)" for name in names[:most])
    if len(names) > most:
        yield f"and {len(names) - most} more"


def _swapped(recording: Recording, modules: int) -> str:
    if not modules:
        return "--swap: the model has no nn.ReLU and no nn.LeakyReLU of torch's; nothing was swapped."
    saved = saved_by_swapping(recording.steps.seconds, recording.steps.ours)
    what = f"--swap: with ours in {count_text(modules, 'module')}"
    if saved is None:
        return f"{what} too few steps were timed to say what that saves."
    pairs = count_text(len(recording.steps.ours), "pair")
    return f"{what} {swapped_text(saved)}; {pairs} of turns."


if __name__ == "__main__":
    cli.run(main, (cli.UsageError,))
