"""What the recommended lines cost in the user's framework, there and back, beside what is used now.

Both run by turns in a process that has both frameworks and their thread pools, and that again in another process: the
run itself measured neither the conversion nor two pools beside each other.  It is a quick look, of seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.api import ITEMSIZES, Case
from kernels.numbers import host_arrays
from scripts._recommend.code import Code
from scripts._shared.pairs import Gain, Timed, gain

__all__ = ["tried"]

_PROCESSES = 2
_SECONDS = 1.0
"""Of rounds in each process."""
_BATCH_S = 5e-3
_FEWEST_ROUNDS, _MOST_ROUNDS = 5, 60
_LIMIT_S = 90.0
"""A process that takes longer has lost its way: start-up, compiling and rounds are seconds."""
_ARRAYS = 8
"""Of the case's size, that a trial may hold at once."""
_MOST_BYTES = 4 << 30
Lines = tuple[list[str], str]
"""What is done once, and the call."""


def tried(case: Case, framework: str, now: Code, use: Code) -> Gain | None:
    """The lines `use` beside the lines `now`, of arrays of `framework`; None where they do not run here."""
    if _ARRAYS * case.n * ITEMSIZES[case.dtype] > _MOST_BYTES or case.threads:
        return None
    asked = {
        "framework": framework,
        "dtype": case.dtype,
        "n": case.n,
        "now": [list(now.setup), now.call],
        "use": [list(use.setup), use.call],
    }
    rounds: dict[str, dict[tuple[int, int], float]] = {"now": {}, "use": {}}
    for process in range(_PROCESSES):
        found = _asked(asked)
        if found is None:
            return None
        for name, seconds in found.items():
            rounds[name] |= {(process, number): float(each) for number, each in enumerate(seconds)}
    return gain(Timed(rounds["use"]), Timed(rounds["now"]))


def _asked(question: dict[str, Any]) -> dict[str, list[float]] | None:
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            command, input=json.dumps(question), capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
        return dict(json.loads(done.stdout)) if done.returncode == 0 else None
    except (subprocess.TimeoutExpired, TypeError, ValueError, RecursionError):
        return None


def _arrays(framework: str, dtype: str, n: int) -> dict[str, Any]:
    host = {
        name: np.random.default_rng(seed).standard_normal(n, np.float32).astype(host_arrays.np_dtype(dtype))
        for seed, name in enumerate(("x", "dy", "y", "dx"))
    }
    if framework == "torch":
        import torch  # noqa: PLC0415  # only what is used now

        kind = getattr(torch, dtype)
        return {name: torch.from_numpy(each.astype(np.float32)).to(kind) for name, each in host.items()}
    if framework == "jax":
        import jax.numpy as jnp  # noqa: PLC0415  # as above

        return {name: jnp.asarray(each) for name, each in host.items()}
    return host


def _compiled(lines: Lines, names: dict[str, Any], framework: str) -> Callable[[], None]:
    """The lines as a function; what they assign stays in `names`, as in a user's module."""
    setup, call = lines
    exec("\n".join(setup), names)  # our own lines, from `scripts._recommend.code`
    code = compile(call, "<code>", "exec")
    if framework != "jax":
        return lambda: exec(code, names)  # as above
    import jax  # noqa: PLC0415  # its calls return before their results are there

    def waited() -> None:
        exec(code, names)  # as above
        jax.block_until_ready((names["y"], names["dx"]))  # type: ignore[no-untyped-call]  # jax's own

    return waited


def _once(call: Callable[[], None], count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - begun) / count


def _measured(question: dict[str, Any]) -> dict[str, list[float]]:
    arrays = _arrays(question["framework"], question["dtype"], question["n"])
    calls = {name: _compiled(question[name], dict(arrays), question["framework"]) for name in ("now", "use")}
    for _ in range(3):
        warm = {name: _once(call, 1) for name, call in calls.items()}  # compiles, starts threads, fills pools
    counts = {name: max(1, int(_BATCH_S / max(seconds, 1e-9))) for name, seconds in warm.items()}
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + _SECONDS
    for number in range(_MOST_ROUNDS):
        if number >= _FEWEST_ROUNDS and time.perf_counter() > end:
            break
        for name in sorted(calls, reverse=number % 2 == 1):
            rounds[name].append(_once(calls[name], counts[name]))
    return rounds


if __name__ == "__main__":
    print(json.dumps(_measured(json.load(sys.stdin))))
