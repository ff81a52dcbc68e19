"""`jax_sharded`: arrays in parts on host devices, programs in which devices exchange nothing, and what is refused.

Host devices are made before JAX starts, so a process of its own asks all of it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from kernels import registry
from tests.running import printed_by

pytestmark = pytest.mark.slow

_PROGRAM = """
import json, os, sys
import jax, numpy as np
from kernels.api import Case
from kernels.backends.jax_sharded import JaxSharded, collectives_in
from kernels.correctness import policy
from kernels.numbers import host_arrays
from tests.calls import check

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2 --xla_cpu_enable_fast_math=false"
backend, said = JaxSharded(), {}
said["before"] = backend.why_not(Case("relu", threads=4))
said["devices"] = backend.set_threads(4)
said["flags"] = os.environ["XLA_FLAGS"]
case = Case("leaky_relu", n=256, threads=4)
x = backend.adopt(host_arrays.host_array(case), case)
said["parts"] = [[f"{part.device.platform}:{part.device.id}", list(part.data.shape)] for part in x.addressable_shards]
call = backend.compile(case, x, None, None)
said["result_parts"] = [f"{part.device.platform}:{part.device.id}" for part in call().addressable_shards]
said["collectives"] = collectives_in(call.func.as_text())
exchanging = jax.jit(lambda v: v - v.mean()).lower(x).compile()
said["of_a_mean"] = collectives_in(exchanging.as_text())
backend._compiled = dict.fromkeys(backend._compiled, exchanging)
try:
    backend.bind(case, x, None, None)
except RuntimeError as error:
    said["refused"] = str(error)
backend._compiled.clear()
for op in ("relu", "leaky_relu"):
    for direction in ("forward", "backward"):
        for dtype in ("float32", "float64", "bfloat16"):
            check(backend, Case(op, direction, dtype=dtype, n=128, threads=4), step=7)
said["why_not"] = {
    name: backend.why_not(Case("relu", **axes))
    for name, axes in {
        "odd": {"n": 7, "threads": 4},
        "inplace": {"n": 64, "placement": "inplace"},
        "out": {"n": 64, "placement": "out"},
        "eight": {"n": 64, "threads": 8},
        "cuda": {"n": 64, "device": "cuda"},
        "fine": {"n": 64},
    }.items()
}
said["versions"] = backend.versions()
print(json.dumps(said))
"""
_ALONE = """
import jax
from kernels.api import Case
from kernels.backends.jax_sharded import JaxSharded
jax.devices()
print(JaxSharded().why_not(Case("relu", n=64)))
"""


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    pytest.importorskip("jax", reason="the backend's framework")
    found: dict[str, Any] = json.loads(printed_by(_PROGRAM))
    return found


def test_as_many_host_devices_as_threads_are_asked_for(said: dict[str, Any]) -> None:
    assert (said["before"], said["devices"]) == (None, 4)
    assert said["flags"] == "--xla_cpu_enable_fast_math=false --xla_force_host_platform_device_count=4"
    assert said["versions"]["host_devices"] == "4"


def test_each_has_an_equal_part(said: dict[str, Any]) -> None:
    names = [f"cpu:{number}" for number in range(4)]
    assert said["parts"] == [[name, [64]] for name in names]
    assert said["result_parts"] == names


def test_the_program_exchanges_nothing_and_one_that_did_would_be_refused(said: dict[str, Any]) -> None:
    assert said["collectives"] == []
    assert said["of_a_mean"] == ["all-reduce"]
    assert said["refused"] == "XLA's program exchanges data between devices: all-reduce"


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("odd", "7 elements cannot be cut into 4 equal parts of whole cache lines"),
        ("inplace", "use placement new"),
        ("out", "use placement new"),
        ("eight", "JAX fixed its pool at 4 threads"),
        ("cuda", "use --devices cpu"),
    ],
)
def test_what_it_cannot_do_it_refuses_with_what_to_do(said: dict[str, Any], case: str, reason: str) -> None:
    assert said["why_not"]["fine"] is None
    assert reason in said["why_not"][case]


def test_one_device_is_no_mesh() -> None:
    pytest.importorskip("jax", reason="the backend's framework")
    assert "JAX has one device here" in printed_by(_ALONE)


def test_it_is_measured_only_where_it_is_named() -> None:
    from bench.plan.options import parse

    assert "jax_sharded" not in parse({}).backends
    assert parse({"backends": "jax_sharded"}).backends == ("jax_sharded",)
    assert "jax_sharded" in registry.names()
