"""ONNX Runtime as a plugin: its Relu and LeakyRelu on the CPU, in a session of one node.

    pip install 'relu-bench[examples]'
    pytest bench/ --plugin examples.onnxruntime_relu:OnnxRuntimeRelu --sizes 1Mi
    python scripts/crosscheck.py --plugin examples.onnxruntime_relu:OnnxRuntimeRelu --backends onnxruntime

What it cannot do honestly it refuses, with the reason: gradients, results in place, bfloat16, strided
inputs, and slopes on float64 data that the model's float32 attribute cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import psutil
from onnx import TensorProto, helper

Array = np.ndarray[Any, Any]

_TYPES = {"float16": TensorProto.FLOAT16, "float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}
_OPSET = 16
"""LeakyRelu's newest version."""
_IR = 8
"""A format that older runtimes read, too."""


class OnnxRuntimeRelu:
    """`placement` new: ``session.run``, as one calls it; out: IO binding, which writes into a given array."""

    name = "onnxruntime"
    distribution = "onnxruntime"

    def __init__(self) -> None:
        self._threads = 0

    def why_not(self, case: Any) -> str | None:
        """None for forward on contiguous arrays on the CPU."""
        slope = case.negative_slope
        reasons = {
            "runs on the CPU only here; use --devices cpu": case.device != "cpu",
            "ONNX Runtime for inference has no gradients; use direction forward": case.direction != "forward",
            "input and output of a session are separate memory; use placement new or out": (
                case.placement == "inplace"
            ),
            "has no Relu for bfloat16 on a CPU; use float16 or float32": case.dtype == "bfloat16",
            "copies arrays that are not contiguous; use layout contiguous": case.layout != "contiguous",
            f"LeakyRelu's alpha is a float32, which cannot hold {slope!r} for float64 data; use a slope such as 0.25": (
                case.dtype == "float64" and float(np.float32(slope)) != slope
            ),
        }
        return next((reason for reason, applies in reasons.items() if applies), None)

    def set_threads(self, count: int) -> int:
        """The threads of sessions that are made from now on; 0, the runtime's default, is one a core."""
        self._threads = count
        return count or psutil.cpu_count(logical=False) or 1

    def adopt(self, host: Array, case: Any) -> Array:
        """`host` itself: a CPU OrtValue made from it shares its memory."""
        return host

    def compile(self, case: Any, x: Array, dy: None, out: Array | None) -> Callable[[], Any]:
        """Build the session, bind the arrays, run once."""
        session, feed = self._session(case), {"x": x}
        binding = session.io_binding()
        if out is not None:
            binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x))
            binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_numpy(out))

        def bound(_kept: Any = (x, out)) -> Any:
            session.run_with_iobinding(binding)
            return out

        call = (lambda: session.run(["y"], feed)[0]) if out is None else bound
        call()
        return call

    def sync(self, result: Array) -> None:
        """Nothing to wait for: a run on the CPU returns when it is done."""

    def to_numpy(self, result: Array) -> Array:
        """`result` itself."""
        return result

    def versions(self) -> dict[str, str]:
        """The runtime's version, and onnx's, which writes the model."""
        return {"onnxruntime": ort.__version__, "onnx": onnx.__version__}

    def _session(self, case: Any) -> Any:
        kind, leaky = _TYPES[case.dtype], case.op == "leaky_relu"
        attributes = {"alpha": case.negative_slope} if leaky else {}
        node = helper.make_node("LeakyRelu" if leaky else "Relu", ["x"], ["y"], **attributes)
        ends = [helper.make_tensor_value_info(name, kind, [case.n]) for name in "xy"]
        graph = helper.make_graph([node], case.op, ends[:1], ends[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
