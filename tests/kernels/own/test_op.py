"""``--op FILE.py:Name``: a user's class becomes an op, or is refused in one line that says what is wrong with it."""

from __future__ import annotations

import json
import sys
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.plan.option_values import OptionError
from bench.plan.options import parse
from kernels import op_facts, ops
from kernels.api import DIRECTIONS, PLACEMENTS, Case
from kernels.ops.formula import Formula
from kernels.own import op as own_op
from kernels.own.op import load_ops
from kernels.specs import op as spec_op
from kernels.specs.op import checked, is_op_spec
from tests.calls import check, load

EXAMPLE = Path(__file__).parents[3] / "examples" / "own_op.py"
RIGHT = """
    import numpy as np
    class Mine:
        def reference(x): return np.tanh(x)
        def numpy(x): return np.tanh(x)
"""


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    yield
    ops.own.clear()
    op_facts._OWN.clear()


@pytest.fixture
def asked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is imported by this process, which starts none; below, others ask as users do."""

    def replies(_module: str, words: Sequence[str], *, what: str) -> list[Any]:
        said: list[Any] = []
        monkeypatch.setattr(own_op, "reply", lambda value: said.append(json.loads(json.dumps(value))))
        with warnings.catch_warnings(action="ignore"):  # as a Python of its own would print them
            own_op.answer(*words)
        assert what
        return said

    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(spec_op, "replies", replies)


def written(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(textwrap.dedent(text))
    return f"{file}:Mine"


def changed(folder: Path, old: str, new: str) -> str:
    assert old in RIGHT
    return written(folder, RIGHT.replace(old, new))


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numpy_ufunc", "numba_jit", "torch_eager"])
def test_the_example_is_right_where_it_has_an_expression(name: str) -> None:
    op, spec = checked(f"{EXAMPLE}:Swish")
    load_ops({op: spec})
    backend = load(name)
    assert Case(op).params == "beta=1.5"
    assert Case(op).bytes_moved == Case("relu").bytes_moved
    served = 0
    for placement in PLACEMENTS:
        case = Case(op, placement=placement, n=71)
        reason = backend.why_not(case)
        if reason is None:
            check(backend, case, step=7)
            served += 1
        else:
            assert "use placement new" in reason
    assert served >= 1
    assert "Swish has no expression for" in str(backend.why_not(Case(op, "backward")))


def test_the_options_take_it_beside_ops_or_alone() -> None:
    text = f"{EXAMPLE}:Swish"
    alone, beside = parse({"op": [text]}), parse({"op": [text], "ops": "relu"})
    assert all(grid["op"] == ("Swish",) for grid in alone.grids)
    assert all(grid["op"] == ("relu", "Swish") for grid in beside.grids)
    assert is_op_spec(alone.plugins["Swish"])
    assert "Swish" not in alone.backends


def test_two_files_with_one_name_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(EXAMPLE.read_text())
    with pytest.raises(OptionError, match="--op: two ops are called 'Swish'"):
        parse({"op": [f"{EXAMPLE}:Swish", f"{other}:Swish"]})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("class Mine", "class Other", "the file has no class 'Mine'"),
        ("def reference", "def referenc", "it has no function reference"),
        (
            "def reference",
            "ulps = float('nan')\n        def reference",
            "ulps is nan; allowed: a number, 0 or more",
        ),
        ("def reference", "params = 3\n        def reference", "params is 3; allowed: names with numbers"),
        ("def reference", "params = {'a=1;b': 2.0}\n        def reference", "allowed: names with numbers"),
        ("def reference", "kinks = 3\n        def reference", "kinks is 3; allowed: a list of numbers"),
        ("def reference", "inputs = 3\n        def reference", "inputs is 3; allowed: 1 or 2"),
        (
            "def numpy",
            "def nunpy",
            "it has no expression; give at least one function of numba, numpy, jax, torch",
        ),
        (
            "reference(x): return np.tanh(x)",
            "reference(x): return np.log(x)",
            "reference gives nan at x=-8.03",
        ),
        ("reference(x): return np.tanh(x)", "reference(x): return x.sum()", "reference returns float64"),
        ("reference(x): return np.tanh(x)", "reference(x): return x[:-1]", "reference returns shape (201,)"),
        (
            "reference(x): return np.tanh(x)",
            "reference(x): return 1 / 0",
            "ZeroDivisionError: division by zero",
        ),
        ("def numpy", "derivative = staticmethod(np.cos)\n        def numpy", "derivative gives"),
        ("def numpy", "inputs = 3\n        def numpy", "inputs is 3; allowed: 1 or 2"),
        ("import numpy", "import no_such_module; import numpy", "no module named 'no_such_module'"),
        ("class Mine", "1 +\n    class Mine", "SyntaxError"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(
    tmp_path: Path, asked_here: None, old: str, new: str, says: str
) -> None:
    with pytest.raises(ValueError, match=r"mine\.py:Mine: ") as caught:
        checked(changed(tmp_path, old, new))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mine.py", "is no op; allowed: FILE.py:Name"),
        ("mine.py:mine", "begins with a capital letter"),
        ("nowhere.py:Mine", "there is no file nowhere.py"),
    ],
)
def test_a_name_that_is_none_is_a_sentence(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=f"--op: .*{says}"):
        parse({"op": [text]})


def test_a_file_that_ends_python_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ended Python, exit status 3"):
        checked(changed(tmp_path, "import numpy as np", "import os; os._exit(3)"))


def test_an_op_of_two_inputs_is_one_of_two_arrays(tmp_path: Path) -> None:
    text = """
        import numpy as np
        class Mine:
            inputs = 2
            ulps = 0
            def reference(x, r): return x * r
            def numpy(x, r, out=None): return np.multiply(x, r, out=out)
    """
    name, spec = checked(written(tmp_path, text))
    load_ops({name: spec})
    assert Case(name).bytes_moved == 3 * 1024 * 4
    op = ops.op_of(name)
    assert isinstance(op, Formula)
    x, r = np.ones(8, np.float32), np.full(8, 3, np.float32)
    assert op.numpy_forward((x, r), None, {})().tolist() == [3.0] * 8
    assert all(op.lacks("numpy", name, direction, "new") for direction in DIRECTIONS[1:])


FORGE = """
    import os, sys, time
    os.write(int(sys.argv[2]), {!r} + bytes([10, 10]))
    time.sleep(9)
"""


@pytest.mark.parametrize(
    "answer",
    [
        b"[1]",
        b'{"problem": ""}',
        b'{"problem": "", "inputs": 3, "params": []}',
        b'{"problem": "", "inputs": 1, "params": 5}',
        b'{"problem": "", "inputs": 1, "params": [["a", 1.0, 2.0, 3.0]]}',
    ],
)
def test_a_file_that_forges_its_answer_is_a_sentence(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(ValueError, match="importing it gave no") as caught:
        checked(written(tmp_path, FORGE.format(answer)))
    assert "\n" not in str(caught.value)


SETTABLE = """
    import math
    import numpy as np
    class Mine:
        params = {"power": 2.0, "scale": 1.0}
        def reference(x, scale, power): return scale * np.tanh(x) ** power
        def numpy(x, scale, power, out=None): return np.multiply(scale, np.tanh(x) ** power, out=out)
        def numba(v, scale, power): return scale * math.tanh(v) ** power
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["numpy_ufunc", "numba_jit"])
def test_parameters_that_its_functions_take_may_be_set(tmp_path: Path, name: str) -> None:
    text = written(tmp_path, SETTABLE)
    settings = parse({"op": [text], "params": "power=3;scale=0.5"})
    load_ops({"Mine": settings.plugins["Mine"]})
    assert Case("Mine").params == "power=2.0;scale=1.0"
    case = Case("Mine", dtype="float64", n=71, params="power=3;scale=0.5")
    backend = load(name)
    x = np.linspace(-3, 3, 71)
    found = backend.compile(case, x, None, None)()
    np.testing.assert_allclose(found, 0.5 * np.tanh(x) ** 3, rtol=1e-12)
    check(backend, case, step=9)


def test_parameters_that_its_functions_do_not_take_are_the_files() -> None:
    with pytest.raises(
        OptionError, match=r"--params: beta=3 is out of the range of Swish; allowed: 1\.5 alone"
    ):
        parse({"op": [f"{EXAMPLE}:Swish"], "params": "beta=3"})


def test_a_parameter_that_some_of_its_functions_take_is_a_sentence(tmp_path: Path) -> None:
    text = written(tmp_path, SETTABLE.replace("numba(v, scale, power)", "numba(v, power)"))
    with pytest.raises(
        ValueError, match="scale is an argument of reference, numpy and not of numba; give it to all"
    ):
        checked(text)
