"""The article's network under the harness: its cases, its judge, its gate, and a run from the command line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from bench.arm.server import ArmServer
from bench.judging import network_results
from bench.messages import Finished, Prepared, Sample
from bench.plan.networks import network_cases, network_plan
from bench.plan.options import OptionError, parse
from kernels import networks
from kernels.api import Case
from kernels.backends.numpy_ufunc import NumpyUfunc
from kernels.networks import reference
from kernels.networks.case import NetworkCase, case_of, parse_widths
from kernels.networks.numpy_ufunc import NumpyMlp
from kernels.networks.weights import Weights, initial, pack, pristine, unpack
from scripts import network as script
from tests.running import Outcome, bench

pytestmark = pytest.mark.slow

Array = np.ndarray[Any, Any]
SMALL = NetworkCase("mlp_relu")
WIDE = NetworkCase("mlp_leaky_relu", n=784 * 4, layout="784-256-10")


def batch(case: NetworkCase, seed: int = 1) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return tuple(rng.standard_normal((case.batch, width), np.float32) for width in case.widths[::2])  # type: ignore[return-value]


# cases


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"op": "relu"}, "op of a network is 'relu'; allowed: mlp_relu"),
        ({"direction": "backward"}, "direction of a network is 'backward'; allowed: forward, train_step"),
        ({"placement": "out"}, "placement of a network is 'out'; allowed: new"),
        ({"dtype": "float64"}, "dtype of a network"),
        ({"cache": "cold"}, "cache of a network"),
        ({"layout": "contiguous"}, "'contiguous' are no widths; allowed: input-hidden-output"),
        ({"layout": "10-5"}, "no widths"),
        ({"layout": "10-0-3"}, "no widths"),
        ({"n": 15}, "n is 15; it counts the input batch: a multiple of its width 10"),
        ({"n": 0}, "n is 0"),
        ({"threads": -1}, "threads is -1"),
    ],
)
def test_a_case_refuses_what_no_network_is(axes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        NetworkCase(**{"op": "mlp_relu", **axes})


def test_an_activations_case_still_refuses_networks() -> None:
    for axes in (
        {"op": "mlp_relu"},
        {"op": "relu", "direction": "train_step"},
        {"op": "relu", "layout": "10-5-3"},
    ):
        with pytest.raises(ValueError, match="allowed"):
            Case(**axes)  # type: ignore[arg-type]


def test_the_op_says_which_kind_of_case_it_is() -> None:
    assert case_of(op="mlp_relu", layout="3-2-1", n=6) == NetworkCase("mlp_relu", layout="3-2-1", n=6)
    assert case_of(op="relu", n=6) == Case("relu", n=6)
    assert NetworkCase("mlp_relu", negative_slope=0.3).negative_slope == 0.0


def test_what_a_network_moves_and_computes() -> None:
    case = NetworkCase("mlp_relu", n=20)
    assert (case.batch, case.parameters) == (2, 10 * 5 + 5 + 5 * 3 + 3)
    assert case.bytes_moved == 4 * (20 + 73 + 6)
    assert case.flops == 2 * 2 * (50 + 15)
    step = NetworkCase("mlp_relu", "train_step", n=20)
    assert step.bytes_moved == 4 * (20 + 6 + 73 + 73 + 1)
    assert step.flops == 2 * 2 * (2 * 50 + 3 * 15)


@pytest.mark.parametrize("text", ["10x5x3", "10-5-3-1", "-5-3", "1e3-5-3", "1000000-1-1", "10-5-3 ", ""])
def test_words_that_are_no_widths(text: str) -> None:
    with pytest.raises(ValueError, match="are no widths; allowed: input-hidden-output"):
        parse_widths(text)


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


@pytest.mark.parametrize(
    ("name", "op"),
    [
        *(("numpy_ufunc", op) for op in ("mlp_relu", "mlp_leaky_relu", "mlp_identity")),
        ("numba_jit", "mlp_leaky_relu"),  # the others differ by what is compiled into the same loop
    ],
)
@pytest.mark.parametrize("direction", ["forward", "train_step"])
@pytest.mark.parametrize("layout", ["10-5-3", "784-256-10"])
def test_honest_work_is_believed(
    name: str, op: str, direction: str, layout: str, monkeypatch: pytest.MonkeyPatch
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


# the plan


def test_in_company_the_quick_profile_has_the_articles_network_only() -> None:
    company = network_plan(parse({}), alone=False)
    assert [each.label for each in company] == [
        "mlp_relu-forward-10-5-3-b1",
        "mlp_leaky_relu-forward-10-5-3-b1",
    ]
    assert {arm.role for arm in company[0].arms} == {"baseline", "candidate", "twin", "floor"}
    alone = network_plan(parse({}), alone=True)
    assert len(alone) == 12
    assert {arm.role for arm in alone[0].arms} == {"baseline", "candidate", "ablation", "twin", "floor"}
    assert all("copy" not in arm.backend for arm in alone[0].arms)


def test_a_question_about_activations_brings_no_network() -> None:
    assert network_cases(parse({"sizes": "4Mi"}), alone=False) == ()
    assert network_cases(parse({"ops": "relu"}), alone=False) == ()
    named = network_cases(parse({"sizes": "4Mi", "widths": "3-2-1", "batches": "2"}), alone=False)
    assert named[0].label == "mlp_relu-forward-3-2-1-b2"
    assert {case.op for case in network_cases(parse({"ops": "relu,mlp_leaky_relu"}), alone=False)} == {
        "mlp_leaky_relu"
    }


def test_axes_are_crossed_and_named() -> None:
    settings = parse(
        {
            **{"ops": "mlp_leaky_relu", "directions": "train_step", "widths": "3-2-1,2-2-2"},
            **{"batches": "1,5", "negative_slopes": "0.01,0.2"},
        }
    )
    labels = [case.label for case in network_cases(settings, alone=True)]
    assert len(set(labels)) == 8
    assert "mlp_leaky_relu-train_step-3-2-1-b5-slope0.2" in labels


def test_what_would_take_minutes_or_all_memory_is_skipped_with_the_figures() -> None:
    from bench.arm.network import Network

    huge = NetworkCase("mlp_relu", n=4096 * 4096, layout="4096-4096-4096")
    reason = Network(huge).why_too_large(2, 10.0)
    assert reason is not None
    assert "would take minutes" in reason
    assert "--max-seconds" in reason
    seconds = float(reason.rpartition(" ")[2])
    assert Network(huge).why_too_large(2, seconds + 1) is None
    wide = NetworkCase("mlp_relu", n=999999, layout="999999-999999-9")
    assert "GiB are free" in str(Network(wide).why_too_large(12, 1e9))


@pytest.mark.parametrize("option", ["sizes", "layouts", "placements"])
def test_options_that_networks_lack_are_refused_where_they_stand_alone(option: str, tmp_path: Path) -> None:
    from bench.plugin.hooks import _scoped

    values = {"sizes": "1Ki", "layouts": "strided", "placements": "out"}
    config: Any = type("Config", (), {"args": ["bench/test_network.py::test_network"]})
    with pytest.raises(OptionError, match=f"^--{option}: .*leave it out"):
        _scoped(parse({option: values[option]}), config)


# from the command line


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return bench(
        tmp_path_factory.mktemp("network"),
        *(
            "--backends",
            "numpy_ufunc,numba_jit",
            "--widths",
            "10-5-3",
            "--batches",
            "1",
            "--isolation",
            "inline",
        ),
        *("--ops", "mlp_leaky_relu", "--benchmark-quiet"),
    )


def test_a_run_has_every_planned_row(ran: Outcome) -> None:
    assert ran.code == 0, ran.text[-3000:]
    arms = [(row["direction"], row["backend"], row["role"]) for row in ran.cells]
    wanted = [
        ("numpy_ufunc", "baseline"),
        ("numba_jit", "candidate"),
        ("numpy_ufunc", "ablation"),
        ("numba_jit", "ablation"),
        ("numpy_ufunc", "twin"),
        ("empty_call", "floor"),
    ]
    assert arms == [(direction, *arm) for direction in ("forward", "train_step") for arm in wanted]
    for row in ran.cells:
        assert (row["op"], row["layout"], row["n"]) == ("mlp_leaky_relu", "10-5-3", "10")
        assert row["status"] in ("ok", "noisy"), row["reason"]
        assert (row["ceiling_gb_per_s"], row["verdict"] != "") == ("", row["role"] == "candidate")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert script.main(arguments) == 0
    return capsys.readouterr().out


def test_table_has_times_speed_ups_and_the_activations_share(
    ran: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    text = printed(capsys, str(ran.folder), "--against", "numpy_ufunc", "--format", "csv")
    rows = {(row["direction"], row["backend"]): row for row in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 4
    for (_, backend), row in rows.items():
        assert row["batch"] == "1"
        assert float(row["share_lo"]) <= float(row["share"]) <= float(row["share_hi"]) < 1
        assert (float(row["speedup"]) == 1.0) == (backend == "numpy_ufunc")
    table = printed(capsys, str(ran.folder), "--against", "numpy_ufunc")
    assert "mlp_leaky_relu train_step" in table
    assert re.search(r"10-5-3 +1 +numba_jit +~?[\d.]+ \w+ +[\d.]+x \[.*\] +-?[\d.]+% \[", table)


def test_other_readers_take_networks_too(ran: Outcome, capsys: pytest.CaptureFixture[str]) -> None:
    from scripts import compare, summarise

    assert summarise.main([str(ran.folder), "--format", "markdown"]) == 0
    text = capsys.readouterr().out
    assert "mlp_leaky_relu train_step new" in text
    assert "numpy_ufunc (ablation)" in text
    assert compare.main([str(ran.folder), str(ran.folder), "--all"]) == 0
    assert "mlp_leaky_relu-forward-10-5-3-b1-numba_jit" in capsys.readouterr().out


def test_mixed_up_rows_are_named(ran: Outcome, tmp_path: Path) -> None:
    from bench.records.reading import ReadError, read_cells

    text = (ran.folder / "cells.csv").read_text()
    for old, new, says in (
        (",10-5-3,", ",contiguous,", "column layout: is 'contiguous', but op is mlp_leaky_relu"),
        (",10-5-3,", ",10x5x3,", "column layout: is '10x5x3'; allowed: .*widths such as 10-5-3"),
        (",train_step,", ",backward,", "column direction: is 'backward', but op is mlp_leaky_relu"),
        (",10,10-5-3,", ",15,10-5-3,", "column n: is 15; a batch of 10-5-3"),
    ):
        path = tmp_path / "cells.csv"
        path.write_text(text.replace(old, new))
        with pytest.raises(ReadError, match=says):
            read_cells([path])


def test_script_says_what_is_wrong_in_one_line(ran: Outcome) -> None:
    from scripts._shared.cli import UsageError

    with pytest.raises(
        UsageError, match="--against: no cell has 'torch_eager'; there is numba_jit, numpy_ufunc"
    ):
        script.main([str(ran.folder)])
    with pytest.raises(UsageError, match="no network in"):
        script.main([str(ran.folder), "--ops", "mlp_relu"])


def test_a_vector_holds_loss_and_weights() -> None:
    weights = initial(SMALL)
    loss, found = unpack(SMALL, pack(np.float32(2.5), weights))
    assert loss == 2.5
    assert all(np.array_equal(one, other) for one, other in zip(found, weights, strict=True))
