"""A file of recorded cases is read, or refused in a line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs PyTorch")
import torch

import kernels
from kernels.recorder.cases_file import CasesFileError, read_recording


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw.update(schema=2), "schema is 2; allowed: 1"),
        (lambda raw: raw["used"][0].update(op="relux"), "op is 'relux'"),
        (lambda raw: raw["used"][0].update(calls=-1.0), "calls is -1.0; allowed: 0 or more"),
        (lambda raw: raw["used"][0].update(shape=[1.5]), "shape has 1.5"),
        (lambda raw: raw["used"][0].update(shape="3"), "shape is '3'; allowed: a list"),
        (lambda raw: raw["steps"].update(seconds=[0.0]), "seconds are 0.0; allowed: more than 0"),
        (lambda raw: raw.pop("used"), "used is missing"),
        (lambda raw: raw["used"][0].update(calls=10**400), "too large"),
        (lambda raw: raw["used"][0].update(op="Foo"), "op is 'Foo'; allowed: relu"),
        (lambda raw: raw["used"][0].update(device="tpu"), "tpu"),
        (lambda raw: raw["used"][0].update(threads=10**9), "no program on one machine"),
        (lambda raw: raw["used"][0].update(shape=[10**9] * 4), "no program on one machine"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_in_a_line(
    tmp_path: Path, change: Callable[[Any], Any], said: str
) -> None:
    path = tmp_path / "cases.json"
    with kernels.recording(path):
        torch.relu(torch.ones(3))
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(CasesFileError) as caught:
        read_recording(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"null", b"[1]", b"\xff\xfe", b'{"schema": 1', b"[" * 100_000])
def test_bytes_that_are_no_recording_are_refused_in_a_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cases.json"
    path.write_bytes(content)
    with pytest.raises(CasesFileError) as caught:
        read_recording(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
