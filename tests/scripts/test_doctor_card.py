"""`scripts/doctor.py --only card`: what it makes of the answers of NVIDIA's tool, which a shell script gives here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.machine.finding import OK, PROBLEM, WARNING, Finding
from scripts._doctor import backends, cards
from scripts._shared import nvidia_smi

_ANSWERS = {
    "name": "NVIDIA H200",
    "driver_version": "580.65.06",
    "compute_cap": "9.0",
    "compute_mode": "Default",
    "persistence_mode": "Enabled",
    "mig.mode.current": "Disabled",
    "clocks.sm": "345",
    "clocks.max.sm": "1980",
    "clocks.mem": "2619",
    "clocks.max.mem": "3201",
    "power.draw": "76.41",
    "power.limit": "700.00",
    "temperature.gpu": "31",
    "utilization.gpu": "0",
    "memory.total": "143771",
    "memory.free": "143100",
    "clocks_event_reasons.active": "0x0000000000000001",
}


class Card:
    """A card by what the tool says of it; it refuses a question with a field that it does not know."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.says(_ANSWERS)

    def says(self, answers: dict[str, str], users: str = "") -> None:
        known = "\n".join(f"{name}) printf '%s' '{value}' ;;" for name, value in answers.items())
        tool = self._folder / "nvidia-smi"
        tool.write_text(
            "#!/bin/sh\n"
            f"case \"$1\" in --query-compute-apps=*) printf '%s' '{users}'; exit 0 ;; esac\n"
            "first=yes; IFS=,\n"
            "for field in ${1#--query-gpu=}; do\n"
            "[ $first = yes ] || printf ', '; first=no\n"
            f'case $field in\n{known}\n*) echo "Field $field is not valid"; exit 2 ;; esac\n'
            "done\necho\n"
        )
        tool.chmod(0o755)


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return Card(tmp_path)


def found(device: str = "cuda") -> dict[str, Finding]:
    return {each.name: each for each in cards.findings(device)}


def test_a_card_at_rest_is_well(card: Card) -> None:
    lines = found()
    assert {each.status for each in lines.values()} == {OK}
    assert "NVIDIA H200, compute capability 9.0, driver 580.65.06" in lines["card"].measured
    assert "SM 345 of 1980 MHz" in lines["card's clocks"].measured
    assert "143,100 of 143,771 MiB" in lines["card's memory"].measured
    assert "numpy" in lines["versions"].figures


@pytest.mark.parametrize(
    ("changes", "name", "status", "says"),
    [
        ({"compute_mode": "Exclusive_Process"}, "compute mode", PROBLEM, "only one process may use the card"),
        ({"compute_mode": "Prohibited"}, "compute mode", PROBLEM, "nothing can run"),
        ({"clocks_event_reasons.active": "0x68"}, "card's brakes", WARNING, "no round is free of it"),
        ({"utilization.gpu": "87"}, "card's users", WARNING, "take turns"),
        ({"memory.free": "900"}, "card's memory", WARNING, "may be skipped"),
    ],
)
def test_what_would_spoil_a_run_is_told(
    card: Card, changes: dict[str, str], name: str, status: str, says: str
) -> None:
    card.says({**_ANSWERS, **changes})
    line = found()[name]
    assert (line.status, bool(line.mend)) == (status, True)
    assert says in line.effect


def test_brakes_are_named(card: Card) -> None:
    card.says({**_ANSWERS, "clocks_event_reasons.active": "0x68"})
    assert found()["card's brakes"].figures["brakes"] == [
        "hardware slowdown",
        "heat, by software",
        "heat, by hardware",
    ]


def test_others_on_the_card_are_named(card: Card) -> None:
    card.says(_ANSWERS, users="4711, /usr/bin/python3, 512\n")
    line = found()["card's users"]
    assert line.status == WARNING
    assert "/usr/bin/python3 (process 4711, 512 MiB)" in line.measured


def test_a_field_that_a_driver_does_not_know_costs_itself_alone(card: Card) -> None:
    answers = {**_ANSWERS, "compute_mode": "[N/A]", "clocks_throttle_reasons.active": "0x80"}
    del answers["compute_cap"], answers["clocks_event_reasons.active"]
    card.says(answers)
    lines = found()
    assert "compute capability not told, driver 580.65.06" in lines["card"].measured
    assert lines["compute mode"].measured == "compute mode not told"
    assert lines["card's brakes"].figures["brakes"] == ["power brake"]


def test_without_a_card_it_says_what_brings_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    line = found("cuda:1")["card"]
    assert (line.status, line.measured) == (PROBLEM, "nvidia-smi shows no cuda:1")
    assert "--gpus all" in line.mend
    assert list(found("cpu")) == ["versions"]


@pytest.mark.parametrize(
    ("visible", "device", "name"),
    [(None, "cuda:1", "1"), ("3,5", "cuda:1", "5"), ("GPU-ab", "cuda", "GPU-ab")],
)
def test_cards_are_counted_as_cuda_does(
    visible: str | None, device: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert nvidia_smi._name_of(device) == name


@pytest.mark.slow
def test_each_backend_of_the_device_compiles_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU's, as there is no card: one is right, one refuses, one computes nonsense; nothing hides the others."""
    from scripts._doctor.probe import _tried

    class Wrong:
        def __init__(self, base: object) -> None:
            self._base = base

        def __getattr__(self, name: str) -> object:
            return getattr(self._base, name)

        def compile(self, case: object, x: object, dy: object, out: object) -> object:
            return lambda: x

    from kernels import registry

    assert _tried("numpy_ufunc", "cpu").state == "runs"
    assert _tried("numpy_ufunc", "cuda").state == "refuses"
    monkeypatch.setitem(registry._loaded, "numpy_ufunc", Wrong(registry.load("numpy_ufunc")))
    assert _tried("numpy_ufunc", "cpu").state == "broken"


@pytest.mark.slow
def test_a_backend_that_does_not_run_on_the_card_says_why() -> None:
    from scripts._doctor.messages import Tried

    refused = backends._finding("triton_jit", Tried("refuses", "no CUDA device: look at nvidia-smi"), "cuda")
    assert (refused.status, refused.name) == (WARNING, "backend triton_jit on cuda")
    assert refused.mend == "look at nvidia-smi"
    assert refused.figures["device"] == "cuda"
    assert backends._finding("triton_jit", Tried("refuses", "no CUDA device: x")).status == OK
