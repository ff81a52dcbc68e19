"""The lines of code that `scripts/recommend.py` prints: they are run as they stand there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.machine.environment import machine_name
from kernels.api import Case
from kernels.numbers.host_arrays import np_dtype
from scripts._recommend.code import code_for
from scripts.recommend import main
from tests.factories import experiment, write_run

pytestmark = pytest.mark.slow

X = np.array([-2.0, -0.5, 0.0, 1.0, 3.0] * 20, np.float32)
DY = np.arange(1.0, 101.0, dtype=np.float32)
SLOPE = 0.25


PAIRS = [("relu", "bfloat16"), ("leaky_relu", "float32"), ("relu", "float32"), ("leaky_relu", "bfloat16")]


def in_every(
    ways: Sequence[tuple[str, ...]], usual: Collection[tuple[str, ...]] = ()
) -> pytest.MarkDecorator:
    """A test of each op and dtype in each way; once a day but for one of the first two, in turn, in a `usual` way."""
    return pytest.mark.parametrize(
        ("ways", "op", "dtype"),
        [
            pytest.param(
                way,
                *pair,
                marks=() if pair == PAIRS[number % 2] and way in (usual or ways) else pytest.mark.daily,
                id="-".join([*way, *pair]),
            )
            for number, way in enumerate(ways)
            for pair in PAIRS
        ],
    )


def wanted(op: str, direction: str) -> np.ndarray:
    slope = 0.0 if op == "relu" else SLOPE
    return np.where(X > 0, X, slope * X) if direction == "forward" else np.where(X > 0, DY, slope * DY)


def recommended(tmp_path: Path, now: str, use: str, **axes: Any) -> Path:
    """A run in which `use` is twice as fast as `now`."""
    options = {"variants": {"thp": {"THP_MEM_ALLOC_ENABLE": "1"}}}
    cells = experiment({now: 2e-3, use: 1e-3}, negative_slope=SLOPE, **axes)
    return write_run(tmp_path / "run", cells, environment={"machine": "test-2c", "options": options})


def printed(capsys: pytest.CaptureFixture[str], run: Path, now: str, **axes: Any) -> str:
    asked = [word for name, value in axes.items() for word in (f"--{name}", str(value))]
    assert main(["--n", "1Ki", "--now", now, "--negative-slope", str(SLOPE), *asked, str(run)]) == 0
    return capsys.readouterr().out


def lines_of(text: str) -> list[str]:
    return [line[4:] for line in text.splitlines() if line.startswith("    ")]


def arrays(framework: str, dtype: str) -> dict[str, Any]:
    """x, dy, and y and dx to be filled, as the user of the framework has them."""
    host = {"x": X, "dy": DY, "y": np.zeros_like(X), "dx": np.zeros_like(X)}
    if framework == "torch":
        torch = pytest.importorskip("torch")
        return {name: torch.tensor(each).to(getattr(torch, dtype)) for name, each in host.items()}
    if framework == "jax":
        jnp = pytest.importorskip("jax.numpy")
        return {name: jnp.asarray(each.astype(np_dtype(dtype))) for name, each in host.items()}
    return {name: each.astype(np_dtype(dtype)) for name, each in host.items()}


def as_float(value: Any) -> np.ndarray:
    return np.asarray(value.float() if hasattr(value, "float") else value, np.float32)


FORWARD = [
    ("torch_eager", "numba_tuned", "new"),
    ("torch_eager", "numba_tuned", "inplace"),
    ("torch_eager", "numba_tuned", "out"),
    ("torch_eager", "numba_jit", "new"),
    ("torch_eager", "numba_parallel", "out"),
    ("torch_eager", "numpy_ufunc", "inplace"),
    ("torch_eager", "jax_jit", "new"),
    ("torch_compile", "torch_eager", "new"),
    ("torch_compile", "torch_eager", "out"),
    ("torch_eager", "torch_eager[thp]", "new"),
    ("numpy_ufunc", "numba_jit", "new"),
    ("numpy_ufunc", "numba_tuned", "out"),
    ("jax_jit", "numba_tuned", "new"),
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # there is no activation in the model of these tests
@in_every(FORWARD)
def test_forward(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ways: tuple[str, str, str], op: str, dtype: str
) -> None:
    now, use, placement = ways
    axes = {"op": op, "dtype": dtype, "placement": placement}
    framework = {"torch": "torch", "jax": "jax"}.get(now.partition("_")[0], "numpy")
    names = arrays(framework, dtype)
    if framework == "torch":
        names["model"] = pytest.importorskip("torch").nn.Linear(1, 1)
    found = lines_of(printed(capsys, recommended(tmp_path, now, use, **axes), now, **axes))
    lines = [line for line in found if not line.startswith("export ")]
    assert (len(found) > len(lines)) == ("[" in use)
    kind = type(names["x"])
    exec("\n".join(lines), names)
    result = names["x" if placement == "inplace" else "y"]
    assert isinstance(result, kind)
    assert np.array_equal(as_float(result), wanted(op, "forward"))


BACKWARD = [
    *product(["torch_eager", "numpy_ufunc"], ["numba_tuned"], ["new", "out", "inplace"]),
    *product(["torch_compile"], ["torch_eager"], ["new", "out", "inplace"]),
    ("torch_eager", "jax_jit", "new"),
    ("jax_jit", "numba_tuned", "new"),
]


def run_backward(run: Path, capsys: pytest.CaptureFixture[str], now: str, **axes: Any) -> None:
    framework = {"torch": "torch", "jax": "jax"}.get(now.partition("_")[0], "numpy")
    names = arrays(framework, axes["dtype"])
    exec("\n".join(lines_of(printed(capsys, run, now, direction="backward", **axes))), names)
    result = names["dy" if axes["placement"] == "inplace" else "dx"]
    assert isinstance(result, type(names["x"]))
    assert np.array_equal(as_float(result), wanted(axes["op"], "backward"))


@in_every(BACKWARD)
def test_backward(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ways: tuple[str, str, str], op: str, dtype: str
) -> None:
    now, use, placement = ways
    axes = {"op": op, "dtype": dtype, "placement": placement}
    run_backward(recommended(tmp_path, now, use, direction="backward", **axes), capsys, now, **axes)


def run_compiled(tmp_path: Path, capsys: pytest.CaptureFixture[str], direction: str, **axes: Any) -> None:
    """The lines for torch.compile do what they should."""
    run = recommended(tmp_path, "torch_eager", "torch_compile", direction=direction, **axes)
    if direction == "backward":
        return run_backward(run, capsys, "torch_eager", **axes)
    names = arrays("torch", axes["dtype"])
    exec("\n".join(lines_of(printed(capsys, run, "torch_eager", **axes))), names)
    result = names["x" if axes["placement"] == "inplace" else "y"]
    assert np.array_equal(as_float(result), wanted(axes["op"], "forward"))
    return None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit
@in_every(
    list(product(["forward", "backward"], ["new", "out", "inplace"])),
    usual=[("forward", "out"), ("backward", "inplace")],
)
def test_torch_compile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ways: tuple[str, str], op: str, dtype: str
) -> None:
    """The function that is compiled, without the seconds that compiling it takes."""
    torch = pytest.importorskip("torch")
    with torch.compiler.set_stance("force_eager"):
        run_compiled(tmp_path, capsys, ways[0], placement=ways[1], op=op, dtype=dtype)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit
def test_torch_compile_compiles_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backends = pytest.importorskip("kernels.backends.torch_compile")
    if reason := backends.TorchCompile().why_not(Case("relu")):
        pytest.skip(reason)
    run_compiled(tmp_path, capsys, "backward", placement="out", op="leaky_relu", dtype="float32")


def test_the_lines_for_a_model_replace_its_activations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.ReLU())
    text = printed(capsys, recommended(tmp_path, "torch_eager", "numba_tuned"), "torch_eager")
    exec("\n".join(lines_of(text)), {"x": torch.tensor(X), "model": model})
    assert type(model[0]).__name__ == "TunedReLU"
    assert "What getting there and back costs was not tried" in text


def test_nothing_is_printed_where_nothing_changes_or_nothing_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not lines_of(printed(capsys, recommended(tmp_path, "numba_jit", "torch_eager"), "torch_eager"))
    assert not lines_of(printed(capsys, recommended(tmp_path / "a", "torch_eager", "my_relu"), "torch_eager"))
    assert code_for(Case("relu", layout="strided"), "numba_jit", "torch_eager", {}) is None


def test_there_and_back_is_tried_on_the_machine_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In processes of their own, the lines as they are printed."""
    cells = experiment({"numpy_ufunc": 2e-6, "numba_jit": 1e-6}, n=64)
    cells = [dataclasses.replace(cell, machine=machine_name()) for cell in cells]
    run = write_run(tmp_path / "run", cells, environment={"machine": machine_name()})
    asked = ["--n", "64", "--now", "numpy_ufunc", "--placement", "new", str(run)]
    assert main([*asked, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["answers"]
    left = found["code"]["there_and_back"]
    assert left["lo"] < left["value"] < left["hi"]
    assert left["verdict"] in ("faster", "slower", "same", "unresolved")
    assert main([*asked, "--json", "--no-try"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"][0]["code"]["there_and_back"] is None
