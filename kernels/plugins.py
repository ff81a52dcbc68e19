"""From ``MODULE:CLASS``, or a user's function, to a checked backend, in this process or in one of its own.

A subprocess finds the name, so no framework is imported here.
"""

from __future__ import annotations

import difflib
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from kernels.api import Backend
from kernels.callable_spec import is_callable_spec

__all__ = [
    "answer",
    "instantiate",
    "name_in_subprocess",
    "nearest",
    "one_line",
    "replies",
    "reply",
    "split_spec",
]

_MEMBERS = ("why_not", "set_threads", "adopt", "compile", "sync", "to_numpy", "versions")
_NAME = re.compile(r"[^\s,:@=]+")
_COMPILER = re.compile(r"(\w[^\n]*)\s+Command:\s.*?\sOutput:\s", re.DOTALL)
"""How torch's Inductor tells of a compiler that failed: the kind of error, a command of thousands of characters, and
at last the compiler's own words."""
_TIMEOUT_S = 300
"""Longer than any framework takes to import, on a busy machine with cold caches."""
_MARK = "\x1erelu-bench-plugin\x1e"
_PROGRAM = """
import importlib, json, sys
sys.path[:] = json.loads(sys.argv[1])
importlib.import_module(sys.argv[2]).answer(*sys.argv[3:])
"""


def split_spec(spec: str) -> tuple[str, str]:
    """The module and the class of ``MODULE:CLASS``.  Raises ValueError."""
    module, colon, class_name = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    if not colon or not all(part.isidentifier() for part in [*module.split("."), class_name]):
        raise ValueError(f"{spec!r} is not MODULE:CLASS, as in mypackage.kernels:MyRelu")
    return module, class_name


def nearest(name: str, allowed: Iterable[str]) -> str | None:
    """The one of `allowed` that may have been meant, None where none is like `name`; ``torch`` begins torch_eager."""
    choices = list(allowed)
    begun = [choice for choice in choices if name and choice.startswith(f"{name}_")]
    found = begun or difflib.get_close_matches(name, choices, n=1)
    return found[0] if found else None


def instantiate(spec: str) -> Backend:
    """Import ``MODULE:CLASS``, build it without arguments, and check that it is a `Backend`.

    Or adopt the function of a whole `kernels.callable_spec.CallableSpec`.  Raises ValueError where the spec, the
    class, its methods or its name are wrong, and whatever importing and building it raises.
    """
    backend = _adopted(spec) if is_callable_spec(spec) else _made(spec)
    missing = [member for member in _MEMBERS if not callable(getattr(backend, member, None))]
    if missing:
        raise ValueError(
            f"{spec} is no Backend: it lacks the method {', '.join(missing)}; see kernels/api.py"
        )
    name = getattr(backend, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"{spec} has the name {name!r}; a name is a str without spaces and , : @ =")
    return backend


def _made(spec: str) -> Backend:
    module_name, class_name = split_spec(spec)
    module = importlib.import_module(module_name)
    made = getattr(module, class_name, None)
    if not isinstance(made, type):
        near = nearest(class_name, vars(module))
        hint = f"; did you mean {near!r}?" if near else ""
        raise ValueError(f"{module_name} has no class {class_name!r}{hint}")
    backend: Backend = made()
    return backend


def _adopted(spec: str) -> Backend:
    backend: Backend = importlib.import_module(f"{__package__}.callables").adopted(spec)
    return backend


def name_in_subprocess(spec: str) -> str:
    """The `.name` of the backend at ``MODULE:CLASS``.  Raises ValueError in one line."""
    what = f"plugin {spec}"
    verdict = replies(__name__, (spec,), what=what)[-1]
    if "error" in verdict:
        raise ValueError(f"{what}: {verdict['error']}")
    name: str = verdict["name"]
    return name


def replies(module: str, words: Sequence[str], *, what: str) -> list[Any]:
    """What ``answer(*words)`` of that module says by `reply` in a process of its own, which may die after the first.

    Raises ValueError in one line where it says nothing; `what` is named in it.
    """
    # A script's path lacks the current folder, where a plugin often lies.
    path = json.dumps([*(entry for entry in sys.path if isinstance(entry, str)), ""])
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, path, module, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"{what}: importing it took more than {_TIMEOUT_S} s") from None
    found = [part.partition("\n")[0] for part in done.stdout.split(_MARK)[1:]]
    if not found:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(f"{what}: importing it ended Python, exit status {done.returncode}: {last}")
    return [json.loads(each) for each in found]


def reply(value: object) -> None:
    """Print it behind a mark: foreign code may print things of its own."""
    sys.stdout.write(f"{_MARK}{json.dumps(value)}\n")
    sys.stdout.flush()


def answer(spec: str) -> None:
    """Reply with the name, or why there is none.  Runs in the process that `name_in_subprocess` starts."""
    try:
        verdict = {"name": instantiate(spec).name}
    except ModuleNotFoundError as error:
        verdict = {"error": f"no module named {error.name!r}; install it, or add its folder to PYTHONPATH"}
    except ValueError as error:
        verdict = {"error": " ".join(str(error).split())}
    except Exception as error:  # noqa: BLE001  a plugin may raise anything; it is passed on, not hidden
        verdict = {"error": one_line(error)}
    reply(verdict)


def one_line(error: BaseException) -> str:
    """The error's type and message on one line; of a compiler that failed, what it said and not how it was called."""
    text = str(error)
    called = _COMPILER.search(text)
    if called is not None:
        said = [line for line in text[called.end() :].splitlines() if line.strip()]
        text = called[1] + ": " + next((line for line in said if "error" in line.lower()), " ".join(said[:1]))
    return " ".join(f"{type(error).__name__}: {text}".split())
