"""A program under observation: its first steps with every activation counted, the later ones only timed.

Counting sees each operator that torch runs, below autograd and so in the backward pass as well (a
`TorchDispatchMode`), and slows a program; so the steps that are timed run without it.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import optimizer
from torch.utils import _python_dispatch as dispatch

from kernels.recorder.activations import Seen, call_of, is_backward, is_plain
from kernels.recorder.cases_file import Recording, Steps, write_recording
from kernels.recorder.pages import MOST_BYTES, Price, Spent, now
from kernels.recorder.swapping import Swapping
from kernels.recorder.tally import Event, fresh_bytes, summed
from kernels.recorder.watch import Watch

__all__ = ["Session", "recording"]

COUNTED = 3
"""Steps in which calls are counted: more than one, since the first may differ."""
_FORWARDS = 4
"""Forward passes without any backward after which a program counts as one that infers."""
_FORWARDS_OF_ONE_STEP = 256
"""Forward passes without a step of an optimizer after which no more gradients are taken to be accumulated."""
_TIMED = 200
"""Steps that are timed at most: their median is known long before."""


class Session:
    """What is seen of a program between `begin` and `end`, which the thread calls that runs it."""

    def __init__(self, program: str, *, swap: bool = False) -> None:
        self.program = program
        self._swap = swap
        self._swapping = self._fresh_swapping()
        self._events: list[Event] = []
        self._names: dict[int, str] = {}
        self._stack: list[nn.Module] = []
        self._roots: list[nn.Module] = []
        self._saved: dict[int, str] = {}
        self._forwards = self._optimized = 0
        self._trains = False
        self._begun: Spent | None = None
        self._timed: list[Spent] = []
        self._price = Price()
        self._hooks: list[Any] = []
        self._watch = Watch(self._note)
        self._counting = self._by_forwards = False
        self._threads = torch.get_num_threads()

    def _fresh_swapping(self) -> Swapping | None:
        return Swapping(random.Random(0)) if self._swap else None

    def begin(self) -> None:
        """Watch from now on."""
        self._step_hook = optimizer.register_optimizer_step_post_hook(self._optimizer_stepped)
        self._start_counting()

    def _start_counting(self) -> None:
        modules = torch.nn.modules.module
        self._hooks = [
            modules.register_module_forward_pre_hook(self._entered),
            modules.register_module_forward_hook(self._left, always_call=True),
        ]
        self._watch.__enter__()  # type: ignore[no-untyped-call]
        self._counting = True

    def end(self) -> Recording:
        """Watch no more; what was seen."""
        self._stop_counting()
        for hook in (*self._hooks, self._step_hook):
            hook.remove()
        if self._swapping is not None:
            self._swapping.back()
        by_optimizer = self._optimized > 0
        what = (
            "optimizer.step" if by_optimizer else f"forward of {_kind(self._roots)}" if self._forwards else ""
        )
        many = self._optimized if by_optimizer else self._forwards
        used, unmeasured = summed(self._events, by_optimizer=by_optimizer, steps=min(many, COUNTED) or 1)
        return Recording(
            self.program,
            torch.__version__,
            _was_compiled(),
            self._steps(what or "the whole program", min(many, COUNTED)),
            used,
            unmeasured,
        )

    def _steps(self, what: str, counted: int) -> Steps:
        swapping, fault_s = self._swapping, self._price.fault_s
        if swapping is None:
            seconds, faults = [step.s for step in self._timed], [step.page_faults for step in self._timed]
            return Steps(what, counted, tuple(seconds), (), _median(faults), None, fault_s)
        theirs, ours = swapping.pairs()
        return Steps(
            what,
            counted,
            tuple(theirs),
            tuple(ours),
            swapping.page_faults(ours=False),
            swapping.page_faults(ours=True),
            fault_s,
        )

    @property
    def swapped(self) -> int:
        """How many modules were swapped by turns."""
        return self._swapping.modules if self._swapping is not None else 0

    def _note(self, seen: Seen, result: Any, spent: Spent) -> None:
        self._trains |= is_backward(seen.name)
        call = call_of(seen, self._threads)
        if call is None:
            return
        if call.direction == "backward":
            kept = [self._saved.get(each.data_ptr()) for each in seen.args[1:] if is_plain(each)]
            where = next(filter(None, kept), "")
        else:
            where = self._names.get(id(self._stack[-1]), "") if self._stack else ""
            # Autograd keeps relu's result and leaky_relu's input: by them the gradient's call finds its module.
            for kept in (seen.args[0], result):
                if is_plain(kept):
                    self._saved[kept.data_ptr()] = where
        on_cpu = call.device == "cpu"
        dropping_s = _dropping_s(result) if on_cpu and call.placement == "new" else 0.0
        # Outside of a forward pass, a gradient's call belongs to the last one.
        forwards = self._forwards if self._stack else max(self._forwards - 1, 0)
        seconds = spent.s + dropping_s if on_cpu else None
        self._events.append(Event(call, where, forwards, self._optimized, seconds, spent.page_faults))

    def _entered(self, module: nn.Module, _: Any) -> None:
        if not self._stack:
            self._enter_root(module)
        self._stack.append(module)

    def _enter_root(self, module: nn.Module) -> None:
        if not any(module is root for root in self._roots):
            self._roots.append(module)
            kind = type(module).__name__
            self._names |= {id(each): name or kind for name, each in module.named_modules()}

    def _left(self, _: nn.Module, __: Any, ___: Any) -> None:
        if self._stack:
            self._stack.pop()
        if self._stack:
            return
        self._forwards += 1
        if not self._optimized and self._forwards >= (_FORWARDS_OF_ONE_STEP if self._trains else _FORWARDS):
            self._switch_to_timing(self._roots[-1])

    def _optimizer_stepped(self, *_: Any) -> None:
        self._optimized += 1
        if self._counting and self._optimized >= COUNTED:
            self._switch_to_timing(None)
        elif not self._counting and self._by_forwards:
            self._begin_again()
        elif not self._counting:
            self._timed_step()

    def _switch_to_timing(self, root: nn.Module | None) -> None:
        """From counting to timing; `root`: the module whose forward is a step, None for steps of an optimizer."""
        if not self._stop_counting():
            return
        for hook in self._hooks:
            hook.remove()
        self._stack.clear()
        self._hooks = []
        self._by_forwards = root is not None
        if root is not None:
            self._hooks = [
                root.register_forward_pre_hook(self._forward_begins),
                root.register_forward_hook(self._forward_ends),
            ]
        self._price.nbytes = min(fresh_bytes(self._events), MOST_BYTES)
        if self._swapping is not None:
            self._swapping.begin(self._roots)

    def _begin_again(self) -> None:
        """It trains after all, and the forward passes so far were a trial: from this step on it is counted anew."""
        for hook in self._hooks:
            hook.remove()
        if self._swapping is not None:
            self._swapping.back()
        self._swapping = self._fresh_swapping()
        self._events, self._timed, self._begun, self._price = [], [], None, Price()
        self._optimized, self._by_forwards, self._trains = 0, False, True
        self._start_counting()

    def _stop_counting(self) -> bool:
        """Whether no mode of ours watches any more; not where the program has put one of its own on top."""
        if self._counting and dispatch._get_current_dispatch_mode_stack()[-1:] == [self._watch]:
            self._watch.__exit__(None, None, None)  # type: ignore[no-untyped-call]
            self._counting = False
        return not self._counting

    def _forward_begins(self, *_: Any) -> None:
        self._begun = now()

    def _forward_ends(self, *_: Any) -> None:
        self._forwards += 1
        self._keep()

    def _timed_step(self) -> None:
        self._keep()
        self._begun = now()

    def _keep(self) -> None:
        if self._begun is None:
            return
        spent = now().since(self._begun)
        if self._swapping is not None:
            self._swapping.stepped(spent)
        elif len(self._timed) < _TIMED:
            self._timed.append(spent)
        self._price.step_ended()


def _dropping_s(result: Any) -> float:
    """What letting go of a tensor like `result` takes here.

    The program does so after its calls, the benchmark within them; for a large tensor it is much of what `new` costs.
    """
    whole = result[0] if isinstance(result, tuple) else result  # prelu's backward has two
    spare = torch.empty_like(whole).zero_()
    begin = time.perf_counter()
    del spare
    return time.perf_counter() - begin


def _median(found: list[int]) -> float | None:
    return float(statistics.median(found)) if found else None


def _kind(roots: list[nn.Module]) -> str:
    return type(roots[-1]).__name__ if roots else "a module"


def _was_compiled() -> bool:
    """Whether torch.compile compiled anything; what counts that is imported only where it is at work."""
    utils: Any = sys.modules.get("torch._dynamo.utils")
    return bool(utils is not None and utils.counters["frames"])


@contextmanager
def recording(path: str | Path, *, swap: bool = False) -> Iterator[Session]:
    """Record the activations that torch runs in this thread in the block, and write them to the JSON file `path`.

    The first three steps are counted (`optimizer.step`, or the outermost module's forward where nothing trains), the
    later ones timed.  `swap`: timed steps run by turns with our kernels in place of nn.ReLU and nn.LeakyReLU.
    Raises OSError if the file cannot be written.
    """
    session = Session("", swap=swap)
    session.begin()
    try:
        yield session
    finally:
        write_recording(Path(path), session.end())
