"""Sees each operator that torch runs, below autograd and so in the backward pass as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils import _python_dispatch as dispatch

from kernels.recorder.activations import Seen
from kernels.recorder.pages import Spent, now

__all__ = ["Watch"]


class Watch(dispatch.TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no hints here
    """Tells every operator of ATen that is called, its result, its seconds and its page faults."""

    def __init__(self, tell: Callable[[Seen, Any, Spent], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        begin = now()
        options = kwargs or {}
        result = func(*args, **options)
        spent = now().since(begin)
        namespace, _, name = func._schema.name.partition("::")
        if namespace == "aten":
            self._tell(Seen(name, func._overloadname, args, options), result, spent)
        return result
