"""A CUDA card before it is measured: what it is, who uses it, whether it keeps its clocks, what is installed."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from bench.machine.finding import OK, PROBLEM, WARNING, Finding
from scripts._shared import nvidia_smi

__all__ = ["findings"]

_FACTS = (
    *("name", "driver_version", "compute_cap", "compute_mode", "persistence_mode", "mig.mode.current"),
    *("clocks.sm", "clocks.max.sm", "clocks.mem", "clocks.max.mem", "power.draw", "power.limit"),
    *("temperature.gpu", "utilization.gpu", "memory.total", "memory.free"),
)
_THROTTLE = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
"""The same under its name of today and its former one."""
_BRAKES = {
    0x8: "hardware slowdown",
    0x20: "heat, by software",
    0x40: "heat, by hardware",
    0x80: "power brake",
}
"""The bits of NVML that slow a card down; the others are its rest, its power limit and settings."""
_ENOUGH_MIB = 32 << 10
"""In the largest cases each of ten arms holds three arrays of 1 GiB."""
_PACKAGES = (
    *("numpy", "numba", "numba-cuda", "numba-cuda-mlir", "cuda-python", "cuda-bindings", "jax", "jaxlib"),
    *(
        "jax-cuda12-plugin",
        "jax-cuda13-plugin",
        "torch",
        "triton",
        "nvidia-ml-py",
        "pytest",
        "pytest-benchmark",
    ),
)


def findings(device: str) -> list[Finding]:
    """All about `device`, in the order in which they are printed; of the CPU only what is installed."""
    if device == "cpu":
        return [_versions()]
    facts = nvidia_smi.ask(_FACTS, device)
    if not facts:
        said = f"nvidia-smi shows no {device}"
        mend = "install NVIDIA's driver, look at CUDA_VISIBLE_DEVICES, or start the container with --gpus all"
        return [Finding("card", PROBLEM, said, "nothing can run on it", mend), _versions()]
    checks = (_mode(facts), _clocks(facts), _throttled(device), _users(facts, device), _memory(facts))
    return [_card(facts, device), *checks, _versions()]


def _card(facts: dict[str, str], device: str) -> Finding:
    capability = facts.get("compute_cap", "not told")
    said = f"{device} is {facts.get('name', 'a card without a name')}, compute capability {capability}"
    said += f", driver {facts.get('driver_version', 'not told')}"
    return Finding("card", OK, said, figures=dict(facts))


def _mode(facts: dict[str, str]) -> Finding:
    mode, parts = facts.get("compute_mode", "not told"), facts.get("mig.mode.current", "Disabled")
    said = f"compute mode {mode}" + (", divided by MIG" if parts == "Enabled" else "")
    figures = {"compute_mode": mode, "mig": parts}
    if mode == "Prohibited":
        mend = "nvidia-smi --compute-mode=DEFAULT, as root"
        return Finding("compute mode", PROBLEM, said, "nothing can run on it", mend, figures)
    if mode.startswith("Exclusive"):
        effect = "each arm is a process of its own, and only one process may use the card"
        mend = "nvidia-smi --compute-mode=DEFAULT, as root"
        return Finding("compute mode", PROBLEM, said, effect, mend, figures)
    return Finding("compute mode", OK, said, figures=figures)


def _clocks(facts: dict[str, str]) -> Finding:
    def beside(part: str, most: str, unit: str) -> str:
        return f"{facts.get(part, 'not told')} of {facts.get(most, 'not told')} {unit}"

    said = (
        f"at rest: SM {beside('clocks.sm', 'clocks.max.sm', 'MHz')}, memory "
        f"{beside('clocks.mem', 'clocks.max.mem', 'MHz')}, {beside('power.draw', 'power.limit', 'W')}, "
        f"{facts.get('temperature.gpu', 'not told')} degrees C, persistence mode "
        f"{facts.get('persistence_mode', 'not told')}"
    )
    return Finding("card's clocks", OK, said)


def _throttled(device: str) -> Finding:
    """The brakes that are on while nothing runs: in some virtual machines they are always said to be."""
    told = next((found for name in _THROTTLE for found in nvidia_smi.ask([name], device).values()), None)
    bits = _number(told)
    if bits is None:
        return Finding("card's brakes", OK, "the driver does not tell")
    on = [name for bit, name in _BRAKES.items() if bits & bit]
    figures = {"bits": bits, "brakes": on}
    if not on:
        return Finding("card's brakes", OK, f"none is on at rest (bits {bits:#x})", figures=figures)
    effect = "the card is slow, or it says so without being it; then no round is free of it"
    mend = "let it cool, or look at nvidia-smi -q -d PERFORMANCE"
    return Finding(
        "card's brakes", WARNING, f"at rest: {', '.join(on)} (bits {bits:#x})", effect, mend, figures
    )


def _users(facts: dict[str, str], device: str) -> Finding:
    found, busy = nvidia_smi.users(device), _number(facts.get("utilization.gpu")) or 0
    figures = {"processes": [list(each) for each in found], "utilization": busy}
    if not found and not busy:
        return Finding("card's users", OK, "nobody is seen to use it", figures=figures)
    names = ", ".join(f"{program} (process {pid}, {mib} MiB)" for pid, program, mib in found)
    said = f"it was busy for {busy} % of the last moment; {names or 'no process is shown here'}"
    effect = "others take turns with what is measured: times are longer, and no round is free of it"
    return Finding("card's users", WARNING, said, effect, "end or wait for what runs", figures)


def _memory(facts: dict[str, str]) -> Finding:
    free, total = (_number(facts.get(f"memory.{name}")) for name in ("free", "total"))
    if free is None or total is None:
        return Finding("card's memory", OK, "the driver does not tell")
    said, figures = f"{free:,} of {total:,} MiB are free", {"free_mib": free, "total_mib": total}
    if free >= _ENOUGH_MIB:
        return Finding("card's memory", OK, said, figures=figures)
    effect = "the largest cases may be skipped"
    return Finding(
        "card's memory", WARNING, said, effect, "end what holds it, or choose smaller --sizes", figures
    )


def _versions() -> Finding:
    found = dict(_installed())
    said = ", ".join(f"{name} {number}" for name, number in found.items())
    return Finding("versions", OK, f"Python {platform.python_version()}, {said}", figures=found)


def _installed() -> Iterator[tuple[str, str]]:
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def _number(text: str | None) -> int | None:
    """A whole number, also in base 16 after 0x; None of what is none."""
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None
