"""The article's network under the harness: its weights, its judge and its gate."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.judging import network_results
from bench.messages import Finished, Prepared, Sample
from kernels import networks
from kernels.api import Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from kernels.networks import reference
from kernels.networks.case import NetworkCase, parse_widths
from kernels.networks.numpy_ufunc import NumpyMlp
from kernels.networks.weights import Weights, initial, pack, pristine

pytestmark = pytest.mark.slow

Array = np.ndarray[Any, Any]
SMALL = NetworkCase("mlp_relu")
WIDE = NetworkCase("mlp_leaky_relu", n=784 * 4, layout="784-256-10")


def batch(case: NetworkCase, seed: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((case.batch, width), np.float32) for width in case.widths[::2])  # type: ignore[return-value]


# weights and reference


def test_weights_are_pytorchs_default_and_the_same_every_time() -> None:
    weights = initial(WIDE)
    assert all(part.dtype == np.float32 and part.ctypes.data % 64 == 0 for part in weights)
    for part, fan_in in zip(weights, (784, 784, 256, 256), strict=True):
        assert np.abs(part).max() <= np.float32(fan_in**-0.5)
    assert weights.w1.std() == pytest.approx(784**-0.5 / 3**0.5, rel=0.01)
    weights.w1.fill(0)
    assert initial(WIDE).w1.any(), "a backend that trains must not change everyone's weights"


def test_gradients_are_those_of_the_loss() -> None:
    """Central differences of the loss, in float64."""
    case = NetworkCase("mlp_leaky_relu", "train_step", n=30)
    x, target = batch(case)
    weights = Weights(*(part.astype(np.float64) for part in initial(case)))
    after = reference.train(case, weights, x, target, 1).weights
    for name in Weights._fields:
        part = getattr(weights, name)
        slopes = np.empty_like(part)
        for index in np.ndindex(part.shape):
            kept, losses = part[index], []
            for step in (1e-6, -1e-6):
                part[index] = kept + step
                losses.append(reference.loss(reference.forward(case, weights, x).y, target))
            part[index] = kept
            slopes[index] = (losses[0] - losses[1]) / 2e-6
        found = (part - getattr(after, name)) / case.learning_rate
        np.testing.assert_allclose(found, slopes, rtol=1e-5, atol=1e-8)


def float32(case: NetworkCase, x: Array, change: Callable[[Array], Array] = lambda a: a) -> Array:
    """The network in NumPy's float32; `change` is done to inputs and weights."""
    w1, b1, w2, b2 = (change(part).astype(np.float32) for part in initial(case))
    h = change(x).astype(np.float32) @ w1.T + b1
    return np.asarray(np.where(h > 0, h, np.float32(case.slope) * h) @ w2.T + b2)


@pytest.mark.parametrize("layout", ["1-1-1", "10-5-3", "784-256-10", "512-1024-64"])
def test_bound_fits_float32_and_nothing_less(layout: str) -> None:
    a = parse_widths(layout)[0]
    case = NetworkCase("mlp_leaky_relu", n=a * 8, layout=layout)
    x, _ = batch(case)
    problem, used = network_results.outputs(case, pristine(case), x, float32(case, x))
    assert problem is None
    assert used < 0.2
    for narrow in (np.float16, ml_dtypes.bfloat16):
        y = float32(case, x, lambda array, narrow=narrow: array.astype(narrow))  # type: ignore[misc]
        assert network_results.outputs(case, pristine(case), x, y)[0], narrow
    for other in ("mlp_relu", "mlp_identity"):
        y = float32(NetworkCase(other, n=case.n, layout=layout), x)
        assert network_results.outputs(case, pristine(case), x, y)[0], other


def test_weights_show_how_many_steps_were_made() -> None:
    case = NetworkCase("mlp_relu", "train_step", n=320)
    x, target = batch(case)
    for made, called, fine in ((900, 900, True), (810, 900, False), (1, 2, False)):
        done = reference.train(case, pristine(case), x, target, made)
        problem = network_results.steps(
            case, pristine(case), x, target, pack(done.loss, Weights(*done.weights)), count=called
        )
        assert (problem is None) == fine, (made, called, problem)


# the server: honest work passes, tricks do not


def worked(
    backend: Any, case: NetworkCase, monkeypatch: pytest.MonkeyPatch
) -> tuple[Prepared, list[Sample], Finished]:
    monkeypatch.setitem(networks._loaded, "numpy_ufunc", backend)
    server = ArmServer(NumpyUfunc, 1, 1 << 16)
    server.load()
    prepared = server.prepare(case)
    if prepared.skip or prepared.gate.problem:
        return prepared, [], Finished(None, {})
    server.probe(0.0)
    samples = [server.batch(iterations, 0.0) for iterations in (1, 7, 200)]
    return prepared, samples, server.finish()


TRIED = {
    *(("numpy_ufunc", op, "10-5-3") for op in ("mlp_relu", "mlp_leaky_relu", "mlp_identity")),
    ("numpy_ufunc", "mlp_leaky_relu", "784-256-10"),
}
"""In both directions."""
COMPILED = ("numba_jit", "mlp_leaky_relu", "10-5-3", "train_step")
"""A step goes forward as well, and the other ops differ by what is compiled into the same loop."""


def is_tried(*way: str) -> bool:
    """In make test; the others once a day."""
    return way == COMPILED or way[:-1] in TRIED


WAYS = [
    pytest.param(*way, marks=() if is_tried(*way) else pytest.mark.daily)
    for way in itertools.product(
        ("numpy_ufunc", "numba_jit"),
        ("mlp_relu", "mlp_leaky_relu", "mlp_identity"),
        ("10-5-3", "784-256-10"),
        ("forward", "train_step"),
    )
]


@pytest.mark.parametrize(("name", "op", "layout", "direction"), WAYS)
def test_honest_work_is_believed(
    name: str, op: str, layout: str, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rows in (1, 4):
        case = NetworkCase(op, direction, n=rows * parse_widths(layout)[0], layout=layout)
        prepared, samples, finished = worked(networks.load(name), case, monkeypatch)
        assert prepared.skip is None
        assert prepared.gate.problem is None
        assert [sample.problem for sample in samples] == [None] * 3
        assert finished.problem is None
        assert "of the bound" in prepared.gate.special_values


class Trickster(NumpyMlp):
    """Wraps an honest call; `kind` says what it does instead of the work."""

    def __init__(self, kind: str) -> None:
        self.kind, self.calls = kind, 0
        self.first: Any = None

    def compile(self, case: Case, x: Array, dy: Array | None, out: Array | None) -> Callable[[], Any]:  # noqa: C901  # a list of tricks
        assert isinstance(case, NetworkCase)
        if self.kind == "other slope":
            case = NetworkCase(
                "mlp_leaky_relu", case.direction, n=case.n, layout=case.layout, negative_slope=0.02
            )
        honest = super().compile(case, x, dy, out)
        kept: Any = None
        memo: Any = None
        count = 0

        def call() -> Any:  # noqa: C901, PLR0911  # as above
            nonlocal count, kept, memo
            count += 1
            if kept is None:
                kept = honest()
                memo = np.copy(kept) if case.direction == "forward" else None
                self.first = kept.copy() if self.first is None and case.direction == "forward" else self.first
                return kept
            if self.kind == "remembers" or (self.kind == "every second step" and count > 20 and count % 2):
                return kept
            self.calls += 1
            if self.kind == "remembers for good" and self.calls > 12:
                return self.first.copy()
            if self.kind == "remembers in batches" and count > 8:
                return memo.copy()
            if self.kind == "returns what it dropped" and count > 8:
                return kept
            if self.kind == "writes into x":
                x[0, 0] += 1
            if self.kind == "drops NaN":
                return np.nan_to_num(honest())
            if self.kind == "keeps one result":
                np.copyto(kept, honest())
                return kept
            if self.kind == "float64":
                return honest().astype(np.float64)
            if self.kind == "forgets the bias's gradient":
                loss, weights = honest()
                weights.b1[...] = pristine(case).b1
                return loss, weights
            if self.kind == "steps too far":
                honest()
            return honest()

        return super().compile(case, x, dy, out) if self.kind == "other slope" else call


@pytest.mark.parametrize(
    ("kind", "direction", "says"),
    [
        ("other slope", "forward", r"output \[\d+, \d+\] is .*, wanted .* ±"),
        ("other slope", "train_step", "is .*, wanted"),
        ("remembers", "forward", "wanted"),
        ("remembers for good", "forward", "returns an earlier result again"),
        ("remembers in batches", "forward", "where its input changes between two calls|passed the gate, but"),
        ("returns what it dropped", "forward", "writes nothing"),
        ("remembers", "train_step", "wanted"),
        ("every second step", "train_step", r"the weights are not where 2\d\d steps lead"),
        ("writes into x", "forward", "writes into its input x"),
        ("writes into x", "train_step", "writes into its input x"),
        ("drops NaN", "forward", "wanted nan"),
        ("keeps one result", "forward", "some share memory|wanted"),
        ("float64", "forward", "returned dtype float64, wanted float32"),
        ("forgets the bias's gradient", "train_step", "after 3 steps b1"),
        ("steps too far", "train_step", "after 3 steps|loss"),
    ],
)
def test_tricks_are_found(kind: str, direction: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = NetworkCase("mlp_leaky_relu", direction, n=20)
    prepared, samples, finished = worked(Trickster(kind), case, monkeypatch)
    problems = [prepared.gate.problem, *(sample.problem for sample in samples), finished.problem]
    assert re.search(says, "; ".join(problem for problem in problems if problem)), problems


def test_a_backend_without_a_network_is_skipped_with_the_names_that_have_one() -> None:
    class Another(NumpyUfunc):
        name = "another"

    prepared = ArmServer(Another, 1, 1 << 16).prepare(SMALL)
    assert prepared.skip is not None
    assert prepared.skip.startswith("another has no network; those that have one: numpy_ufunc, numba_jit")


def test_one_process_serves_networks_and_activations() -> None:
    server = ArmServer(NumpyUfunc, 1, 1 << 16)
    for case in (SMALL, Case("relu"), SMALL):
        prepared = server.prepare(case)
        assert (prepared.skip, prepared.gate.problem) == (None, None)
