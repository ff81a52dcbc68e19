"""`relu_bench.compare`: the harness around functions of a user's own, on their own array."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import relu_bench
from bench.functions.result import Comparison
from kernels import registry
from tests.functions import Array, X, added, added_into, dies, doubled, doubled_into, halved, raises
from tests.running import ROOT, ended, environ, wait_until, workers_of

compare = relu_bench.compare

# --- in processes -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def measured(forked_arms: None) -> Comparison:
    functions = {"doubled": doubled, "added": added, "halved": halved, "raises": raises, "dies": dies}
    return compare(functions, X, seconds=1)


@pytest.mark.slow
def test_each_function_gets_its_own_outcome(measured: Comparison) -> None:
    assert {row.name: row.status for row in measured.functions if row.time_s is None} == {
        "halved": "incorrect",
        "raises": "failed",
        "dies": "crashed",
    }
    assert measured["halved"].reason.startswith("element 0 is -1, wanted -4")
    assert measured["raises"].reason == "RuntimeError: not today"
    assert "SIGSEGV" in measured["dies"].reason
    for name in ("doubled", "added"):
        row = measured[name]
        assert row.time_s is not None
        # A busy machine leaves some empty: the interval of few rounds, the share of a disturbed copy.
        known = [each for each in (0.0, row.time_lo_s, row.time_s, row.time_hi_s) if each is not None]
        assert known == sorted(known)
        assert row.ceiling_fraction is None or row.ceiling_fraction > 0
    assert measured["doubled"].speedup == 1.0
    assert measured["added"].verdict in ("faster", "slower", "same", "unresolved")
    assert measured.baseline == "doubled"


@pytest.mark.slow
def test_a_comparison_is_read_by_people_and_by_programs(measured: Comparison) -> None:
    text = repr(measured)
    assert text.startswith("5 functions on float32 30x40, ")
    assert "each in processes of its own" in text
    assert "raises: failed: RuntimeError: not today" in text
    assert "<table>" in measured._repr_html_()
    frame = measured.to_pandas()
    assert list(frame["name"]) == [row.name for row in measured.functions]
    assert frame["time_s"].iloc[0] == measured.functions[0].time_s
    told = json.loads(measured.to_json())
    assert [row["name"] for row in told["functions"]] == list(frame["name"])
    assert told["baseline"] == "doubled"
    with pytest.raises(KeyError):
        measured["nobody"]


@pytest.mark.slow
def test_functions_of_x_and_out_write_into_a_given_array() -> None:
    def forgets(x: Array, out: Array) -> None:
        out[:-1] = x[:-1] * 2

    def allocates(x: Array, out: Array) -> Array:
        return x * 2

    functions: dict[str, Callable[..., Any] | str] = {
        "into": doubled_into,
        "either": added_into,
        "forgets": forgets,
        "allocates": allocates,
        "no": doubled,
    }
    out = np.zeros_like(X)
    found = compare(functions, X, out=out, seconds=1, isolation="inline", reference=doubled)
    assert {found[name].status for name in ("into", "either")} <= {"ok", "noisy"}
    assert found["forgets"].status == found["allocates"].status == "incorrect"
    assert found["no"].status == "skipped"
    assert "one that takes out, too, has placement out" in found["no"].reason
    assert "into a given array" in repr(found)
    assert not out.any()


PROGRAM = """
import numpy as np
import relu_bench

def f(x):
    return x + x

if {guard}:
    relu_bench.compare({{"f": f}}, np.ones(1000, np.float32), seconds=60)
"""


@pytest.mark.slow
def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PROGRAM.format(guard='__name__ == "__main__"'))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited by what is started, and never reset
        signal.signal(signal.SIGINT, signal.default_int_handler)
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "mine.py")],
        env={**environ(), "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    workers: list[psutil.Process] = []

    def all_there() -> bool:
        workers[:] = workers_of(process.pid)
        return len(workers) >= 5

    wait_until(all_there, "the arms' processes")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    wait_until(lambda: all(map(ended, workers)), "the end of all of them")
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.slow
def test_a_script_that_compares_when_it_is_imported_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PROGRAM.format(guard="True"))
    done = subprocess.run(
        [sys.executable, str(tmp_path / "mine.py")],
        env={**environ(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'put the call under if __name__ == "__main__":' in done.stderr.splitlines()[-1]


# --- inline -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_inline_takes_closures_and_finds_what_is_remembered() -> None:
    kept: list[Array] = []
    two = 2

    def remembers(x: Array) -> Array:
        kept.append(x * two)
        return kept[0]

    def overwrites(x: Array) -> Array:
        x *= two
        return x

    functions: dict[str, Callable[..., Any] | str] = {
        "right": lambda x: x * two,
        "remembers": remembers,
        "overwrites": overwrites,
    }
    found = compare(functions, X, seconds=1, isolation="inline", reference=doubled)
    assert found["right"].status in ("ok", "noisy")
    assert found["remembers"].status == "incorrect"
    assert "writes into its input x" in found["overwrites"].reason
    assert "not for figures to quote" in repr(found)
    assert not {"right", "remembers"}.intersection(registry.names())


@pytest.mark.slow
def test_a_result_may_have_another_shape() -> None:
    functions = {
        "sum": lambda x: x.sum(axis=1),
        "mean": lambda x: x.mean(axis=1) * x.shape[1],
        "first": lambda x: x[:, 0].copy(),
    }
    found = compare(functions, X, seconds=1, isolation="inline", rtol=1e-4, atol=1e-3)
    assert {row.status for row in found.functions if row.name != "first"} <= {"ok", "noisy"}
    assert found["sum"].ceiling_fraction is None
    assert found["first"].status == "incorrect"
