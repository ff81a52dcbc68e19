"""The extra `cuda` can be installed: all that it names is for one CUDA, that of PyTorch's own builds."""

from __future__ import annotations

import re
import tomllib

from tests.running import ROOT

_MAJOR = re.compile(r"(?:numba-cuda|jax)\[cu(?:da)?(\d+)\]")


def test_the_extra_names_one_cuda() -> None:
    """numba-cuda for 12 wants a cuda-bindings below 13, PyTorch since 2.11 one of 13: pip finds nothing for both."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = _MAJOR.findall(" ".join(extra["optional-dependencies"]["cuda"]))
    assert named == ["13", "13"]


def test_reasons_tell_to_install_the_same() -> None:
    files = [*(ROOT / "kernels").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    told = {path.name: _MAJOR.findall(path.read_text(encoding="utf-8")) for path in files}
    assert told["numba_card.py"]
    assert told["jax_card.py"]
    assert {major for majors in told.values() for major in majors} == {"13"}
