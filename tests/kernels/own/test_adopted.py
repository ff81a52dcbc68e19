"""A user's function as a backend: what is called with what, and what is refused in one line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kernels.api import OPS, Case
from kernels.own.adopted import Adopted
from kernels.own.loading import loaded
from kernels.plugins import instantiate
from kernels.specs.function import CallableSpec, is_callable_spec, parse_callable, spec_of_text

X = np.array([-2.0, -0.0, 0.0, 1.5, np.nan], np.float32)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes a file into the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


Writer = Callable[[str, str], Path]


def adopted(text: str, asked: tuple[str, ...] = ()) -> Adopted:
    spec = parse_callable(text, OPS, asked)
    return Adopted(spec, loaded(spec))


def called(backend: Adopted, case: Case, x: np.ndarray = X, dy: np.ndarray | None = None) -> np.ndarray:
    assert backend.why_not(case) is None
    out = np.full_like(x, 7) if case.placement == "out" else None
    handles = [None if each is None else backend.adopt(each, case) for each in (x.copy(), dy, out)]
    call = backend.compile(case, *handles)
    if out is not None:
        out.fill(9)
    result = backend.to_numpy(call())
    assert out is None or result is out or np.may_share_memory(result, out)
    return result


# --- what is typed ----------------------------------------------------------------------------


def test_what_is_typed_is_made_whole_and_read_again(file: Writer) -> None:
    path = file("my.py", "")
    spec = parse_callable("my.py:f", OPS)
    assert spec == CallableSpec("f", "relu", "numpy", str(path), "f")
    assert is_callable_spec(str(spec))
    assert spec_of_text(str(spec)) == spec
    assert parse_callable("fast=leaky_relu@torch:my.py:f", OPS) == CallableSpec(
        "fast", "leaky_relu", "torch", str(path), "f"
    )
    assert not is_callable_spec("my.module:Class")


@pytest.mark.parametrize(
    ("text", "asked", "op"),
    [
        ("my.py:f", (), "relu"),
        ("my.py:f", ("leaky_relu",), "leaky_relu"),
        ("my.py:f", ("relu", "leaky_relu"), "relu"),
        ("my.py:leaky_relu", (), "leaky_relu"),
        ("relu@my.py:leaky_relu", ("leaky_relu",), "relu"),
    ],
)
def test_the_op_is_the_one_said_or_named_or_alone(
    file: Writer, text: str, asked: tuple[str, ...], op: str
) -> None:
    file("my.py", "")
    assert parse_callable(text, OPS, asked).op == op


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("my.py", r"'my.py' is no function; allowed: \[NAME=\]\[OP@\]\[KIND:\]FILE:FUNCTION, as in my.py:relu"),
        ("my.py:", "is no function; allowed"),
        ("mi.py:f", r"there is no file mi.py \(from .*\); did you mean my.py\?"),
        ("trch:my.py:f", "'trch' is no kind of function; allowed: numpy, torch, .*; did you mean 'torch'"),
        ("leaky_rely@my.py:f", "'leaky_rely' is no op; allowed: .*did you mean 'leaky_relu'"),
        ("my.so:f", "my.so is no Python file; a function of a shared library is c:my.so:SYMBOL"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line(file: Writer, text: str, wanted: str) -> None:
    file("my.py", "")
    file("my.so", "")
    with pytest.raises(ValueError, match=wanted) as caught:
        parse_callable(text, OPS)
    assert "\n" not in str(caught.value)


PROGRAM = """
import numpy as np
from beside import zero

def relu(x, out=None):
    return np.maximum(x, zero, out=out)

def silent(x, out):
    np.maximum(x, zero, out=out)

def leaky(x, *, negative_slope):
    return np.where(x > 0, x, x * x.dtype.type(negative_slope))

def grad(dy, x):
    return np.where(x > 0, dy, 0).astype(dy.dtype)

value = 3
"""


@pytest.fixture
def mine(file: Writer) -> str:
    file("beside.py", "zero = 0")
    return str(file("my.py", PROGRAM))


@pytest.mark.parametrize("placement", ["new", "out"])
def test_a_function_is_called_into_a_new_or_a_given_array(mine: str, placement: str) -> None:
    result = called(adopted(f"{mine}:relu"), Case("relu", placement=placement))
    assert np.array_equal(result, np.maximum(X, 0), equal_nan=True)


def test_a_function_that_returns_nothing_gives_what_it_wrote(mine: str) -> None:
    result = called(adopted(f"{mine}:silent"), Case("relu", placement="out"))
    assert np.array_equal(result, np.maximum(X, 0), equal_nan=True)


def test_another_text_of_the_file_is_another_version(mine: str) -> None:
    before = adopted(f"{mine}:relu").versions()
    assert before["numpy"] == np.__version__
    Path(mine).write_text(PROGRAM + "# changed")
    after = adopted(f"{mine}:relu").versions()
    assert before["file"] != after["file"]


def test_a_slope_is_given_by_name(mine: str) -> None:
    backend = adopted(f"leaky_relu@{mine}:leaky")
    case = Case("leaky_relu", negative_slope=0.25)
    assert called(backend, case, X[:4]).tolist() == [-0.5, 0, 0, 1.5]


def test_an_op_of_two_inputs_and_a_parameter_of_an_op(file: Writer) -> None:
    text = "def both(x, r):\n    return (x + r).clip(0)\n\ndef linear(x, alpha):\n    return x * alpha\n"
    path = file("more.py", text)
    backend = adopted(f"add_relu@{path}:both")
    case = Case("add_relu", n=4)
    call = backend.compile(case, (X[:4], np.ones(4, np.float32)), None, None)
    assert call().tolist() == [0, 1, 1, 2.5]
    assert called(adopted(f"elu@{path}:linear"), Case("elu"), X[:4]).tolist() == X[:4].tolist()
    with pytest.raises(ValueError, match=r"takes \(x, alpha\); allowed: \(x\)"):
        adopted(f"{path}:linear")


def test_a_gradient_is_given_dy_first(mine: str) -> None:
    dy = np.arange(1, 5, dtype=np.float32)
    assert called(adopted(f"{mine}:grad"), Case("relu", "backward"), X[:4], dy).tolist() == [0, 0, 0, 4]


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Case("leaky_relu"), "relu is measured as relu; for leaky_relu say --callable leaky_relu@FILE:FUNCTION"),
        (Case("relu", "backward"), r"a function of \(x, out\) has no backward; one of \(dy, x\) has"),
        (Case("relu", placement="inplace"), "for inplace write a plugin"),
        (Case("relu", threads=2), "has threads of its own, .*leave out --threads"),
        (Case("relu", device="cuda"), "NumPy runs on the CPU only"),
    ],
)  # fmt: skip
def test_what_is_not_served_says_why(mine: str, case: Case, reason: str) -> None:
    assert re.search(reason, str(adopted(f"{mine}:relu").why_not(case)))


@pytest.mark.parametrize("kind", ["torch", "jax"])
def test_a_function_of_another_framework_gets_its_arrays(file: Writer, kind: str) -> None:
    pytest.importorskip(kind, reason="the function's framework")
    path = file("ours.py", "def relu(x):\n    return x.clip(0)\n")
    for dtype in ("float32", "float64"):
        x = X[:4].astype(dtype)
        result = called(adopted(f"{kind}:{path}:relu"), Case("relu", dtype=dtype), x)
        assert result.dtype == x.dtype
        assert result.tolist() == [0, 0, 0, 1.5]


def test_jax_arrays_cannot_be_written_to(file: Writer) -> None:
    path = file("ours.py", "def relu(x, out):\n    pass\n")
    with pytest.raises(ValueError, match="JAX arrays cannot be written to: return the result"):
        adopted(f"jax:{path}:relu")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("rleu", "my.py has no function 'rleu'; did you mean 'relu'"),
        ("value", "has no function 'value'"),
    ],
)
def test_a_name_that_is_not_there(mine: str, text: str, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        adopted(f"{mine}:{text}")


def test_a_file_that_raises(file: Writer) -> None:
    with pytest.raises(ValueError, match=r"importing .*my.py raised ZeroDivisionError: division by zero"):
        adopted(f"{file('my.py', '1 / 0')}:relu")


def test_a_plugin_may_be_a_function(mine: str) -> None:
    """As workers and readers of a run see it: by its text alone."""
    backend = instantiate(f"fast=relu@numpy:{mine}:relu")
    assert backend.name == "fast"


# --- a function in C --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("c")
    source = folder / "fast.c"
    source.write_text(
        "#include <stddef.h>\n"
        "void relu_f32(const float *x, float *out, size_t n)\n"
        "{ for (size_t i = 0; i < n; i++) out[i] = x[i] < 0 ? 0 : x[i]; }\n"
    )
    made = folder / "libfast.so"
    subprocess.run(["cc", "-shared", "-fPIC", str(source), "-o", str(made)], check=True)
    return made


@pytest.mark.parametrize("placement", ["new", "out"])
@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_symbol_is_called_with_addresses(library: Path, placement: str, n: int) -> None:
    backend = adopted(f"c:{library}:relu_f32")
    result = called(backend, Case("relu", placement=placement, n=n), X[:n].copy())
    assert np.array_equal(result, np.maximum(X[:n], 0), equal_nan=True)


@pytest.mark.parametrize(
    "case", [Case("relu", dtype="float64"), Case("relu", layout="strided"), Case("relu", "backward")]
)
def test_a_symbol_takes_contiguous_floats_forward(library: Path, case: Case) -> None:
    assert adopted(f"c:{library}:relu_f32").why_not(case)


def test_a_symbol_that_is_not_there_and_a_file_that_is_no_library(library: Path, file: Writer) -> None:
    with pytest.raises(ValueError, match=r"libfast.so has no symbol 'relu_f64'; nm -D lists"):
        adopted(f"c:{library}:relu_f64")
    with pytest.raises(ValueError, match=r"cannot be loaded here: .*; compile it for this machine"):
        adopted(f"c:{file('no.so', 'text')}:relu_f32")
