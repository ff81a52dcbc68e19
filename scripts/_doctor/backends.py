"""Which backends run here, tried in a process for each framework, and the C++ compiler of torch.compile."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.machine.finding import OK, PROBLEM, WARNING, Finding
from bench.plan.option_values import device_kind
from bench.run.process import ArmError, ChildProcess
from kernels import registry
from scripts._doctor.messages import Family, Tried, TryFamily

__all__ = ["cardless", "cards", "compiler", "families", "findings", "on_device", "try_family"]

_TIMEOUT_S = 60.0
_SOURCE = (
    '#include <Python.h>\n#include <omp.h>\nextern "C" int threads() { return omp_get_max_threads(); }\n'
)


def families() -> dict[str, list[str]]:
    """The backends by what ``import`` calls their framework; a plugin is a family of its own.

    Those that need a card are left out where there is none (`cardless` names them), and those that only who names them
    measures.
    """
    found: dict[str, list[str]] = {}
    for name in filter(registry.is_usual, registry.names()):
        if name in cardless():
            continue
        builtin = registry.BUILTINS.get(name)
        found.setdefault(builtin.top if builtin else name, []).append(name)
    return found


@functools.cache
def cardless() -> tuple[str, ...]:
    """The backends that run on CUDA devices only, on a machine that shows none; else nothing."""
    if Path("/dev/nvidiactl").exists() or _driver_lists():
        return ()
    return tuple(name for name in registry.names() if "cpu" not in registry.devices(name))


def on_device(device: str, timeout_s: float) -> list[Finding]:
    """One for each backend that is made for such a device: does it compile a kernel there, and is that right?

    All are tried at once, for so many seconds at most, each in a process of its own: a compiler that takes long
    hides nobody else.
    """
    usual = filter(registry.is_usual, registry.names())
    names = [name for name in usual if device_kind(device) in registry.devices(name)]
    with ThreadPoolExecutor(len(names)) as pool:
        tried = list(pool.map(lambda name: try_family([name], device, timeout_s), names))
    return [_finding(*each, device) for family in tried for each in family.backends.items()]


def try_family(names: Sequence[str], device: str = "", timeout_s: float = _TIMEOUT_S) -> Family:
    """What came of each of `names`, in a process of their own, on `device` or where each of them is at home."""
    process = ChildProcess(f"{__package__}.probe")
    try:
        return process.call(TryFamily(tuple(names), device), timeout_s)
    except ArmError as error:
        late = f"no answer within {timeout_s:.0f} s"
        reason = late if error.status == "timeout" else f"its process ended with {error.reason}"
        return Family({name: Tried("broken", reason) for name in names})
    finally:
        process.close()


def findings(family: Family) -> Iterator[Finding]:
    """One for each backend of a family, and one for Numba's threading layer."""
    for name, found in family.backends.items():
        yield _finding(name, found)
        layer = found.versions.get("numba_threading_layer")
        if layer is not None:
            yield _layer(layer)


def _finding(name: str, found: Tried, device: str = "") -> Finding:
    """About a backend; where nobody asked about `device`, one that needs a card is none the worse without."""
    label, state, reason = f"backend {name}" + (f" on {device}" if device else ""), found.state, found.reason
    figures = {"backend": name, "device": device, "state": state, "threads": found.threads}
    if state == "runs":
        versions = ", ".join(f"{key} {value}" for key, value in found.versions.items())
        said = f"runs, threads {found.threads}, tried in {found.seconds:.1f} s ({versions})"
        return Finding(label, OK, said, figures=figures)
    if not device and "cpu" not in registry.devices(name) and state in ("missing", "refuses"):
        return Finding(label, OK, f"only for CUDA devices: {reason}", figures=figures)
    told, _, mend = reason.partition(": ")
    if state == "missing":
        return Finding(label, WARNING, told, "it is skipped", mend, figures)
    if state == "refuses":
        return Finding(label, WARNING, f"cannot run: {reason}", "it is skipped", mend or reason, figures)
    told, known, mend = reason.partition("; mend it: ")
    return Finding(
        label, PROBLEM, told, "its cells fail or are skipped", mend if known else registry.mend(name), figures
    )


def _layer(layer: str) -> Finding:
    label = "Numba threads"
    figures = {"threading_layer": layer}
    if layer in ("tbb", "omp"):
        return Finding(label, OK, f"threading layer {layer}", figures=figures)
    if layer == "workqueue":
        effect = "numba_parallel starts its threads with Numba's own simple pool, which costs some microseconds more"
        mend = "install OpenMP (apt-get install libgomp1) or TBB (python -m pip install tbb)"
        return Finding(label, WARNING, "threading layer workqueue, the last resort", effect, mend, figures)
    return Finding(label, OK, f"threading layer {layer}", figures=figures)


def compiler() -> Finding:
    """Compiles and links a small library with OpenMP and Python's headers, as torch.compile does."""
    name = os.environ.get("CXX") or "g++"
    path = shutil.which(name) or shutil.which("clang++")
    effect = "torch_compile is skipped"
    if path is None and len(name.split()) > 1:
        said = f"CXX is {name!r}, and torch.compile takes a program without options"
        return Finding("C++ compiler", WARNING, said, effect, f"export CXX={shlex.quote(name.split()[0])}")
    if len(tempfile.gettempdir().split()) > 1:
        said = f"the temporary folder is {tempfile.gettempdir()!r}, and torch.compile fails where a path has a space"
        return Finding("C++ compiler", WARNING, said, effect, "set TMPDIR to a path without spaces")
    if path is None:
        said = f"no {name} and no clang++ on PATH"
        return Finding("C++ compiler", WARNING, said, effect, "apt-get install g++, or set CXX")
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "probe.cpp"), Path(folder, "probe.so")
        source.write_text(_SOURCE, encoding="utf-8")
        command = [
            path,
            "-shared",
            "-fPIC",
            "-fopenmp",
            f"-I{sysconfig.get_path('include')}",
            str(source),
            "-o",
            str(library),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Finding(
                "C++ compiler",
                WARNING,
                f"{path}: {type(error).__name__}",
                effect,
                "apt-get install --reinstall g++",
            )
        if done.returncode == 0 and library.exists():
            return Finding(
                "C++ compiler",
                OK,
                f"{path} builds a library with OpenMP and Python.h",
                figures={"path": path},
            )
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    first = next((line for line in lines if "error" in line), lines[0]).replace(f"{folder}/", "")
    mend = "apt-get install python3-dev" if "Python.h" in first else "apt-get install g++ libgomp1"
    return Finding("C++ compiler", WARNING, f"{path} fails: {first}", effect, mend, {"path": path})


def cards(families: Sequence[Family]) -> Finding:
    """The CUDA devices: what the driver's own tool lists, and what PyTorch sees of them."""
    seen = list(dict.fromkeys(card for family in families for card in family.cards))
    listed = _driver_lists()
    figures = {"driver": listed, "torch": seen}
    if seen:
        return Finding("CUDA", OK, f"PyTorch sees {', '.join(seen)}", figures=figures)
    if listed:
        effect = "no backend of PyTorch runs on the card"
        mend = "install a CUDA build of torch: see https://pytorch.org/get-started/locally"
        return Finding(
            "CUDA", WARNING, f"nvidia-smi lists {', '.join(listed)}, PyTorch sees none", effect, mend, figures
        )
    said = "no device: there is no /dev/nvidiactl and nvidia-smi lists none, so the CPU is measured"
    untried = f"; not tried: {', '.join(cardless())}" if cardless() else ""
    return Finding("CUDA", OK, said + untried, figures=figures)


def _driver_lists() -> list[str]:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        done = subprocess.run(
            [tool, "-L"], capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("GPU ")]
