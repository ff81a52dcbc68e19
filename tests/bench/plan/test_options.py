"""What `pytest bench/` may be told: a bad value is one line that says what to type instead."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench.plan.option_table import OPTIONS
from bench.plan.option_values import sizes as parse_sizes
from bench.plan.options import OptionError, parse
from bench.plan.profiles import PROFILES
from bench.text.sizes import format_size
from kernels import registry
from tests.running import ROOT, bench

BAD: list[tuple[str, object, str]] = [
    ("profile", "fast", "'fast' is not known; allowed: quick, standard, full"),
    ("profile", "qiuck", "did you mean 'quick'"),
    (
        "backends",
        "numpy_ufunk",
        r"'numpy_ufunk' is not known; allowed: numpy_ufunc, .*did you mean 'numpy_ufunc'",
    ),
    (
        "backends",
        "numpy_ufunc,,numba_jit",
        "'numpy_ufunc,,numba_jit' has an empty item; allowed: a comma list",
    ),
    ("backends", "", "has an empty item"),
    ("ops", "relu,relo", "'relo' is not known; allowed: relu, leaky_relu.*did you mean 'relu'"),
    ("op", ["nowhere.py:Mine"], "there is no file nowhere.py"),
    ("cases", "no_such.json", "no_such.json: cannot be read: No such file or directory"),
    ("arm", ["old"], "'old' is no arm; allowed: NAME@BACKEND:python=PATH"),
    ("shard", "3/2", "'3/2' is out of range; allowed: from 1/COUNT"),
    ("shard", "third", "'third' is no shard; allowed: NUMBER/COUNT, as in 3/16"),
    ("directions", "forwards", "'forwards' is not known; allowed: forward, backward.*did you mean 'forward'"),
    ("placements", "in-place", "'in-place' is not known; allowed: new, out, inplace.*did you mean 'inplace'"),
    (
        "dtypes",
        "float23",
        "'float23' is not known; allowed: float16, bfloat16, float32.*did you mean 'float32'",
    ),
    ("sizes", "1Kb", "'1Kb' is no size; allowed: element counts such as 1024, 1Ki"),
    ("sizes", "16M", "'16M' is no size; allowed: .*did you mean '16Mi'"),
    ("sizes", "4kib", "did you mean '4Ki'"),
    ("sizes", "0", "'0' is out of range; allowed: 1 to 1024Gi"),
    ("sizes", "-5", "'-5' is no size"),
    ("sizes", "1.5Ki", "'1.5Ki' is no size"),
    ("sizes", "2000Gi", "out of range"),
    ("sizes", "9" * 5000, "out of range|no size|digits"),
    ("sizes", "1Ki:64Mi:4", "'1Ki:64Mi:4' has step '4'; allowed: x2 or more"),
    ("sizes", "1Ki:64Mi:x1", "has step 'x1'"),
    ("sizes", "1Ki:64Mi:x2:x4", "is no range; allowed: START:END"),
    ("sizes", "64Mi:1Ki", "ends before it starts"),
    (
        "sizes",
        "4,194,304",
        "reads as the number 4194304 and as a list; write 4Mi, or the list with the largest",
    ),
    ("sizes", "1,048,576", "write 1Mi"),
    ("sizes", "10,000", "write 10000"),
    ("sizes", "1,", "'1,' has an empty item; allowed: a comma list"),
    ("layouts", "stridden", "did you mean 'strided'"),
    ("data", "norml", "did you mean 'normal'"),
    ("cache_states", "warm", "'warm' is not known; allowed: hot, cold"),
    ("devices", "gpu", "'gpu' is not a device; allowed: cpu, cuda.*did you mean 'cuda'"),
    ("devices", "cuda:x", "'cuda:x' is not a device.*did you mean 'cuda'"),
    ("threads", "-1", "-1 is out of range; allowed: a whole number from 0 to 4096"),
    ("threads", "1.5", "'1.5' is not a whole number"),
    ("threads", "two", "'two' is not a whole number"),
    ("negative_slopes", "0.1,x", "'x' is not a number"),
    ("params", "alpha", "'alpha' gives no parameters; allowed: NAME=NUMBER, as in alpha=0.5"),
    ("params", "alpha=0.5,alpha=x", "'alpha=x' gives no parameters"),
    (
        "params",
        "alpha=0.5",
        "'alpha=0.5' is of none of the ops; allowed: the slope of leaky_relu is an option",
    ),
    ("batches", "0", "0 is out of range; allowed: a whole number from 1 to"),
    ("batches", "1,many", "'many' is not a whole number"),
    ("widths", "10x5x3", "'10x5x3' are no widths; allowed: input-hidden-output, .* as in 10-5-3"),
    ("callable", ["relu"], r"'relu' is no function; allowed: \[NAME=\]\[OP@\]\[KIND:\]FILE:FUNCTION"),
    ("callable", ["nowhere.py:f"], "there is no file nowhere.py"),
    ("variant", ["thp"], r"'thp' is no variant; allowed: NAME\[@BACKEND\]:K=V"),
    ("variant", ["thp:1A=1"], "is no variant"),
    ("variant", ["thp:A"], "is no variant"),
    ("variant", ["thp:A=1,"], "is no variant"),
    ("variant", [":A=1"], "is no variant"),
    ("variant", ["a@nunpy_ufunc:A=1"], "'nunpy_ufunc' is not known; allowed: .*did you mean 'numpy_ufunc'"),
    ("variant", ["a:A=1", "a:B=1"], "'a' is given twice"),
    ("variant", ["a:A=1", "a@numpy_ufunc:B=1"], "'a' is given twice"),
    ("plugin", ["tests.tricksters"], "is not MODULE:CLASS"),
    ("plugin", ["tests.no_such:X"], "no module named"),
    ("plugin", ["tests.tricksters:Memoized"], "no class 'Memoized'; did you mean 'Memoised'"),
    ("plugin", ["tests.broken_plugins:LacksMethods"], "lacks the methods? sync, versions"),
    ("plugin", ["tests.broken_plugins:TakesABuiltinsName"], "two backends are called 'numpy_ufunc'"),
    ("plugin", ["tests.broken_plugins:NamelessPlugin"], "has the name 'a, b'; a name is"),
    ("plugin", ["tests.broken_plugins:RaisesAtOnce"], "RuntimeError: not today"),
    ("plugin", ["tests.broken_plugins:DiesAtOnce"], "ended Python.*exit status -11"),
    ("plugin", ["tests.broken_import:Any"], "ZeroDivisionError: division by zero"),
    ("baseline", "numpy", "'numpy' is not known; allowed: .*did you mean 'numpy_ufunc'"),
    ("target_ci", "two", "'two' is out of range; allowed: 0.0005 to 1, or as in 2%"),
    ("target_ci", "2", "'2' is out of range"),
    ("target_ci", "nan", "'nan' is out of range"),
    ("resolve", "0", "'0' is out of range; allowed: 0.001 to 1, or as in 2%"),
    ("resolve", "200%", "'200%' is out of range"),
    ("processes", "0", "0 is out of range; allowed: a whole number from 1 to 8"),
    ("processes", "1.5", "'1.5' is not a whole number"),
    ("minutes", "0", "0 is out of range"),
    ("max_seconds", "0", "0.* is out of range"),
    ("max_seconds", "inf", "inf is out of range"),
    ("cell_timeout", "soon", "'soon' is not a number"),
    ("cell_timeout", "-1", "-1.* is out of range"),
    ("isolation", "thread", "'thread' is not known; allowed: process, inline"),
    ("require", "torch", "'torch' is not known; allowed: .*did you mean 'torch_eager'"),
    ("results", "", "'' names no folder"),
    ("run_id", "../x", "'../x' is no folder name; allowed: letters, digits"),
    ("run_id", "", "'' is no folder name"),
    ("retry_failed", True, "needs --run-id"),
]


@pytest.mark.parametrize(("option", "value", "says"), BAD)
def test_bad_value_names_option_value_and_what_is_allowed(option: str, value: object, says: str) -> None:
    with pytest.raises(OptionError, match=f"(?s)^--{option.replace('_', '-')}: .*{says}") as caught:
        parse({option: value})
    assert "\n" not in str(caught.value)


def test_every_option_has_a_bad_value_above() -> None:
    switches = {"anonymise", "force"}  # said or not said, and right either way
    assert {spec.name for spec in OPTIONS} - switches == {option for option, _, _ in BAD}


@pytest.mark.parametrize("option", ["variant", "require"])
def test_naming_a_backend_that_is_not_measured_is_an_error(option: str) -> None:
    value = ["thp@jax_jit:A=1"] if option == "variant" else "jax_jit"
    with pytest.raises(OptionError, match=r"'jax_jit' is not known; allowed: (torch_eager, )?numpy_ufunc"):
        parse({"backends": "numpy_ufunc", option: value})


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("options", [{"backends": "numba_jit"}, {"devices": "cuda"}, {}])
def test_a_plugin_is_measured_whatever_else_is_named(options: dict[str, str]) -> None:
    settings = parse({**options, "plugin": ["examples.numexpr_relu:NumexprRelu"]})
    assert settings.backends[-1] == "numexpr"


@pytest.mark.usefixtures("own_registry")
def test_a_plugin_that_is_named_as_well_is_measured_once() -> None:
    settings = parse({"backends": "numexpr,numba_jit", "plugin": ["examples.numexpr_relu:NumexprRelu"]})
    assert settings.backends == ("numexpr", "numba_jit")


def test_an_option_that_is_nearly_one_of_ours_is_told_so(tmp_path: Path) -> None:
    outcome = bench(tmp_path, "--dtype", "float32", "--backend=numba_jit", "--durations", "3")
    assert outcome.code == 4
    assert "--dtype: did you mean --dtypes?" in outcome.text
    assert "--backend: did you mean --backends?" in outcome.text
    assert "--durations:" not in outcome.text
    assert not outcome.folder.exists()


def test_a_run_to_retry_has_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "monday").mkdir()
    (tmp_path / "monday" / "cells.csv").touch()
    outcome = bench(tmp_path, "--retry-failed", run_id="mondya")
    assert outcome.code == 4, outcome.text
    assert (
        f"--retry-failed: no run 'mondya' under {tmp_path}/; there is monday; did you mean 'monday'?"
        in outcome.text
    )
    assert not outcome.folder.exists()


def test_a_control_arms_name_is_taken() -> None:
    """In a process of its own: a registered plugin stays registered."""
    program = (
        "from bench.plan.options import parse; parse({'plugin': ['tests.broken_plugins:TakesAControlsName']})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert "OptionError: --plugin: 'copy_plain' is a control arm of every experiment; rename" in done.stderr


def test_usage_error_comes_before_anything_runs(tmp_path: Path) -> None:
    outcome = bench(tmp_path, "--ops", "relu", "--dtypes", "float31")
    assert outcome.code == 4
    lines = [line for line in outcome.text.splitlines() if line.strip()]
    assert len(lines) == 1, outcome.text
    assert lines[0].startswith("ERROR: --dtypes: 'float31' is not known; allowed: float16, bfloat16, float32")
    assert "Traceback" not in outcome.text
    assert not outcome.folder.exists()


def test_broken_plugin_is_a_usage_error(tmp_path: Path) -> None:
    outcome = bench(tmp_path, "--plugin", "tests.broken_import:Any")
    assert outcome.code == 4
    assert (
        "ERROR: --plugin: plugin tests.broken_import:Any: ZeroDivisionError: division by zero" in outcome.text
    )
    assert "Traceback" not in outcome.text


def test_a_list_replaces_its_axis_in_every_grid_of_the_profile() -> None:
    settings = parse({"profile": "full", "dtypes": "bfloat16, float16", "sizes": "1Ki,1024,1:4"})
    assert len(settings.grids) == len(PROFILES["full"].grids)
    assert {grid["dtype"] for grid in settings.grids} == {("bfloat16", "float16")}
    assert {grid["n"] for grid in settings.grids} == {(1024, 1, 2, 4)}


def test_defaults_are_the_quick_profile_with_every_cpu_backend() -> None:
    settings = parse({})
    assert settings.profile_name == "quick"
    if find_spec("torch") is not None:
        assert (settings.baseline, settings.baseline_note) == ("torch_eager", "")
    assert settings.backends[:2] == ("numpy_ufunc", "numba_jit")
    assert not settings.inline
    assert (settings.processes, settings.resolve, settings.target_ci, settings.minutes) == (
        None,
        None,
        None,
        None,
    )


def test_numpy_stands_in_where_torch_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    builtins = registry.BUILTINS
    missing = dataclasses.replace(builtins["torch_eager"], top="no_such_framework")
    monkeypatch.setitem(builtins, "torch_eager", missing)
    settings = parse({"backends": "numba_jit"})
    assert settings.baseline == "numpy_ufunc"
    assert settings.baseline_note == "torch_eager is not installed: speed-ups are over numpy_ufunc"
    asked_for = parse({"backends": "numba_jit", "baseline": "torch_eager"})
    assert (asked_for.baseline, asked_for.baseline_note) == ("torch_eager", "")


@pytest.mark.parametrize(
    ("ops", "params", "says"),
    [
        ("elu", "alpha=-1", "alpha=-1 is out of the range of elu; allowed: 0 to 100"),
        (
            "elu,prelu",
            "beta=1",
            r"'beta=1.0' is of none of the ops; allowed: alpha of elu \(0 to 100\), slope of prelu",
        ),
        ("silu", "alpha=1", "silu: no parameters"),
    ],
)
def test_parameters_that_no_op_takes_are_refused(ops: str, params: str, says: str) -> None:
    with pytest.raises(OptionError, match=f"^--params: .*{says}"):
        parse({"ops": ops, "params": params})


def test_parameters_are_values_of_an_axis() -> None:
    settings = parse({"ops": "elu,relu", "params": "alpha=.5,alpha=2"})
    assert settings.grids[0]["params"] == ("alpha=0.5", "alpha=2.0")
    assert settings.network.foreign == ("params",)


def test_slopes_that_are_only_reported_are_allowed() -> None:
    slopes = parse({"negative_slopes": "nan,inf,-0.5,0"}).grids[0]["negative_slope"]
    assert math.isnan(slopes[0])  # type: ignore[arg-type]
    assert slopes[1:] == (math.inf, -0.5, 0.0)


def test_variants_carry_their_environment() -> None:
    one, other = parse({"variant": ["thp:A=1,B=x=y", "thp2@numba_jit:C="]}).variants
    assert (one.name, one.environ, one.backend) == ("thp", (("A", "1"), ("B", "x=y")), "")
    assert (other.environ, other.backend) == ((("C", ""),), "numba_jit")


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("1024", (1024,)),
        ("1Ki, 2ki,1KI", (1024, 2048)),
        ("1Ki:64Ki:x4", (1024, 4096, 16384, 65536)),
        ("1:10:X3", (1, 3, 9)),
        ("3:3", (3,)),
        ("1Gi", (1 << 30,)),
        ("1024Gi", (1 << 40,)),
        ("64,256,513", (64, 256, 513)),
        ("768,32", (768, 32)),
    ],
)
def test_size_grammar(text: str, sizes: tuple[int, ...]) -> None:
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize("n", [1, 1000, 1024, 1536, 3 << 20, 1 << 30, (1 << 40) - 1])
def test_sizes_are_printed_as_they_may_be_typed(n: int) -> None:
    assert parse_sizes(format_size(n)) == (n,)
