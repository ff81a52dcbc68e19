"""numba_tuned as a backend: every way to run every loop, judged by the policy, and what a call keeps and shares."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection

import numpy as np
import pytest

from kernels.api import Backend, Case
from kernels.backends.numba_tuned import NumbaTuned
from kernels.correctness import policy
from kernels.numbers import host_arrays
from kernels.tuned.bind import Mode, bind, walk_of
from kernels.tuned.loops import Loop
from kernels.tuned.simd import VECTOR_BYTES

pytestmark = pytest.mark.slow

OPS = ("relu", "leaky_relu")
DIRECTIONS = ("forward", "backward")
PLACEMENTS = ("new", "out", "inplace")
DTYPES = ("float16", "bfloat16", "float32", "float64")
PLANS = {
    "serial": (Mode(), False),
    "parallel": (Mode(2), False),
    "chunks": (Mode(2, 64), False),
    "streaming": (Mode(), True),
    "streaming parallel": (Mode(2), True),
    "streaming chunks": (Mode(3, 64), True),
}
BACKENDS = {name: NumbaTuned(plan) for name, plan in PLANS.items()}


def _judge(
    backend: NumbaTuned, case: Case, x: np.ndarray, dy: np.ndarray | None, out: np.ndarray | None
) -> None:
    """Run it, judge it, and see that nothing but the target was written."""
    x0, dy0 = x.copy(), None if dy is None else dy.copy()
    result = backend.bind(case, x, dy, out)()
    judgement = policy.judge(case, x0, dy0, result)
    assert judgement.problem is None, (case, judgement.problem)
    assert judgement.model in ("A", "exact"), case
    target = {"new": None, "out": out, "inplace": x if dy is None else dy}[case.placement]
    if target is not None:
        assert result is target
    for before, after in ((x0, x), (dy0, dy)):
        if before is not None and after is not None and after is not target:
            assert policy.unchanged(before, after) is None, case


def _mixed(shape: int | tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    """Normals with a special value at about every fourth place."""
    rng = np.random.default_rng(seed)
    array = rng.standard_normal(shape).astype(host_arrays.np_dtype(dtype))
    special = host_arrays.specials(dtype)
    where = rng.random(shape) < 0.25
    array[where] = special[rng.integers(0, special.size, int(where.sum()))]
    return array


def _lengths(dtype: str) -> list[int]:
    lanes = VECTOR_BYTES // host_arrays.np_dtype(dtype).itemsize
    return [0, 1, lanes - 1, lanes + 1, 4 * lanes, 1023]


def _is_shown(op: str, plan: str, among: Collection[str]) -> bool:
    return plan == "streaming chunks" or (op == "relu" and (plan != "serial" or len(among) < len(PLANS)))


def in_plans(plans: Collection[str]) -> pytest.MarkDecorator:
    """A test of each op in each plan; once a day those that others show: relu walks memory as leaky_relu does.

    In the serial plan, where all plans are tried, relu's own vectors are.
    """
    return pytest.mark.parametrize(
        ("op", "plan"),
        [
            pytest.param(op, plan, marks=pytest.mark.daily if _is_shown(op, plan, plans) else ())
            for op in OPS
            for plan in plans
        ],
    )


@in_plans(PLANS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_contiguous_of_all_lengths_and_starts(plan: str, op: str, direction: str) -> None:
    backend = BACKENDS[plan]
    for dtype, placement in itertools.product(DTYPES, PLACEMENTS):
        for n, start in itertools.product(_lengths(dtype), (0, 3) if placement == "out" else (0,)):
            x = _mixed(n + start, dtype, n)[start:]
            dy = _mixed(n + start, dtype, n + 1)[start:] if direction == "backward" else None
            out = host_arrays.aligned_empty(n + 5, x.dtype)[start : n + start] if placement == "out" else None
            if out is not None:
                host_arrays.poison(out)
            _judge(backend, Case(op, direction, placement, dtype, n), x, dy, out)


@in_plans(["serial", "parallel", "streaming parallel"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_strided_and_transposed(plan: str, op: str, direction: str) -> None:
    backend = BACKENDS[plan]
    for dtype, placement in itertools.product(DTYPES, PLACEMENTS):
        for layout, n in (("strided", 1), ("strided", 133), ("transposed", 64 * 96), ("transposed", 37 * 41)):
            case = Case(op, direction, placement, dtype, n, layout)
            x = host_arrays.host_array(case)
            x[...] = _mixed(x.shape, dtype, n)
            dy = None
            if direction == "backward":
                dy = host_arrays.host_array(case)
                dy[...] = _mixed(x.shape, dtype, n + 1)
            out = None
            if placement == "out":
                out = host_arrays.output_array(case)
                host_arrays.poison(out)
            _judge(backend, case, x, dy, out)


def test_every_second_element_reads_nothing_behind_the_last_and_writes_nothing_between() -> None:
    for n in (1, 16, 17, 33, 64, 65):
        base = _mixed(2 * n - 1, "float32", n)
        between = base[1::2].copy()
        x = base[::2]
        case = Case("leaky_relu", placement="inplace", n=n, layout="strided")
        _judge(BACKENDS["serial"], case, x, None, None)
        assert policy.unchanged(between, base[1::2]) is None
        _judge(BACKENDS["streaming"], Case("relu", n=n, layout="strided"), x, None, None)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_any_other_array(op: str, direction: str) -> None:
    def views(array: np.ndarray) -> dict[str, np.ndarray]:
        return {
            "reversed": array[::-1],
            "every third": array[::3],
            "0-d": array[:1].reshape(()),
            "broadcast": np.broadcast_to(array[:5], (3, 5)),
            "Fortran": np.asfortranarray(array[:60].reshape(5, 12)),
            "3-D permuted": array[:60].reshape(3, 4, 5).transpose(1, 2, 0),
            "columns": array[:60].reshape(6, 10)[:, 2:7],
            "misaligned": np.frombuffer(array.tobytes() + b"\0" * 4, np.uint8)[1 : 1 + 4 * 60].view(
                array.dtype
            ),
        }

    backend = NumbaTuned()
    for name, x in views(_mixed(64, "float32", 5)).items():
        dy = views(_mixed(64, "float32", 6))[name] if direction == "backward" else None
        case = Case(op, direction, n=x.size)
        _judge(backend, case, x, dy, None)
        out = np.full(x.shape, np.nan, x.dtype)
        _judge(backend, Case(op, direction, "out", n=x.size), x, dy, out)


@pytest.mark.parametrize("slope", [0.0, 1.0, 1.5, -0.5, 1e-3, 3e38])
def test_slopes(slope: float) -> None:
    for dtype, direction in itertools.product(DTYPES, DIRECTIONS):
        case = Case("leaky_relu", direction, "new", dtype, 300, negative_slope=slope)
        x, dy = _mixed(300, dtype, 1), _mixed(300, dtype, 2)
        judged = policy.judge(case, x, dy if direction == "backward" else None, _new(case, x, dy))
        assert judged.problem is None, (case, judged.problem)


def _new(case: Case, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    return NumbaTuned().bind(case, x, dy if case.direction == "backward" else None, None)()


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("carrier", ["float16", "float16bits", "bfloat16"])
def test_all_patterns_of_16_bits(op: str, direction: str, carrier: str) -> None:
    """``float16bits`` is what hosts without conversion instructions run."""
    dtype = carrier.removesuffix("bits")
    x = np.arange(1 << 16, dtype=np.uint16).view(host_arrays.np_dtype(dtype))
    dy = x[np.random.default_rng(0).permutation(x.size)]
    out = np.empty_like(x)
    inputs = [x, dy] if direction == "backward" else [x]
    element = op if direction == "forward" else f"{op}_backward"
    for slope in (0.01, -1.5, 300.0) if op == "leaky_relu" else (0.0,):
        rounded = float(x.dtype.type(slope))
        walk = walk_of(out, inputs)
        assert walk is not None
        bound = bind(Loop(element, carrier), walk, inputs, rounded)
        bound.entry(out.ctypes.data, *bound.rest)
        case = Case(op, direction, "out", dtype, x.size, negative_slope=slope)
        judged = policy.judge(case, x, dy if direction == "backward" else None, out)
        assert judged.problem is None, judged.problem
        assert judged.model in ("A", "exact")


def test_what_is_chosen_where_there_is_a_choice_is_torchs() -> None:
    x = np.array([0.0, -0.0, np.nan], np.float32)
    dy = np.array([3.0, 3.0, 3.0], np.float32)
    assert np.signbit(_new(Case("relu", n=3), x, dy)).tolist()[:2] == [False, True]
    assert _new(Case("relu", "backward", n=3), x, dy).tolist() == [0.0, 0.0, 3.0]
    leaky = Case("leaky_relu", "backward", n=3, negative_slope=0.5)
    assert _new(leaky, x, dy).tolist() == [1.5, 1.5, 1.5]


def test_it_is_a_backend_and_says_why_not() -> None:
    backend = NumbaTuned()
    assert isinstance(backend, Backend)
    assert backend.why_not(Case("relu")) is None
    assert "cuda" in str(backend.why_not(Case("relu", device="cuda")))
    read_only = np.zeros(4, np.float32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        backend.bind(Case("relu", placement="inplace", n=4), read_only, None, None)


def test_adopt_aliases_and_the_call_follows_its_input() -> None:
    backend, case = NumbaTuned(), Case("relu", placement="out", n=100)
    x, out = host_arrays.host_array(case), host_arrays.output_array(case)
    x[...] = 1
    call = backend.compile(case, backend.adopt(x, case), None, backend.adopt(out, case))
    x[...] = 2
    assert call() is out
    assert (out == 2).all()


def test_the_call_keeps_its_inputs_alive() -> None:
    case = Case("relu", "backward", "out", n=1 << 16)
    out = host_arrays.output_array(case)
    call = NumbaTuned().compile(case, np.ones(case.n, np.float32), np.full(case.n, 7, np.float32), out)
    junk = [np.zeros(case.n, np.float32) for _ in range(8)]  # would be given their memory
    out[...] = 0
    call()
    assert (out == 7).all()
    assert not any(array.any() for array in junk)


def test_threads_are_set_and_read() -> None:
    backend = NumbaTuned()
    most = backend.set_threads(0)
    assert backend.set_threads(1) == 1
    assert backend.set_threads(10_000) == most
    backend.set_threads(0)


def test_four_python_threads_at_once() -> None:
    case = Case("leaky_relu", n=60_001)
    inputs = [_mixed(case.n, "float32", seed) for seed in range(4)]
    for x in (
        inputs
    ):  # a signalling NaN stays one where a vector takes it, and not at a chunk's ends: by Numba 0.61
        x[np.isnan(x)] = np.nan
    wanted = [BACKENDS["serial"].bind(case, x, None, None)() for x in inputs]
    problems: list[str] = []
    ready = threading.Barrier(4)

    def work(number: int) -> None:
        ready.wait()
        for name in ("parallel", "streaming chunks"):
            call = BACKENDS[name].bind(case, inputs[number], None, None)
            for _ in range(50):
                changed = policy.unchanged(wanted[number], call())
                if changed:
                    problems.append(f"{name}: {changed}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
