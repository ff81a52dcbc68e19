"""What the tests of the kernels in PyTorch share."""

from __future__ import annotations

import pytest


@pytest.fixture
def tuned_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours for small tensors as well, no reason given yet, and the same random numbers."""
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    from kernels import torch_module
    from kernels.tuned import tensor_scope

    monkeypatch.setattr(torch_module, "SMALL", 0)
    monkeypatch.setattr(tensor_scope, "_said", {})
    torch.manual_seed(0)
