"""`scripts/sweep.py` without Dask: what is planned, what is refused, and where it comes from."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plan.experiments import weight
from bench.plan.networks import network_plan
from bench.plan.option_table import OPTIONS
from bench.plan.option_values import option_flag
from bench.plan.options import parse
from bench.plan.shards import shares
from bench.run.run import plan
from scripts._shared.cli import UsageError
from scripts._sweep.connecting import connected
from scripts._sweep.index import index_of, write_index
from scripts._sweep.lanes import EACH, Lanes
from scripts._sweep.machine import dask_set, host_of
from scripts._sweep.planning import planned
from scripts.sweep import main
from tests.running import ROOT


class TestPlan:
    def test_shards_together_are_the_run(self) -> None:
        settings = parse({"baseline": "numpy_ufunc", "profile": "standard"})
        found = planned(settings, 7)
        whole = (*plan(settings), *network_plan(settings, alone=False))
        assert (found.count, found.cells) == (7, sum(len(each.arms) for each in whole))
        loads = [sum(map(weight, part)) for part in shares(whole, 7)]
        assert max(loads) < 1.1 * min(loads)

    def test_no_shard_is_empty(self) -> None:
        settings = parse({"baseline": "numpy_ufunc", "sizes": "64", "ops": "relu", "directions": "forward"})
        assert planned(settings, 100).count == len(plan(settings))

    def test_nothing_to_measure_is_said(self) -> None:
        with pytest.raises(UsageError, match="nothing to measure"):
            planned(parse({"directions": "train_step", "ops": "relu", "batches": None}), 3)


class TestCommand:
    """What is refused before anything is begun."""

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ("--scheduler local --shard 1/2", "--shard: the sweep makes the shards itself; see --shards"),
            (
                "--scheduler local --retry-failed",
                "--retry-failed: measure those cells again on their machine",
            ),
            ("--scheduler local --on all", "allowed: each, any"),
            ("--scheduler local --shards 0", "allowed: a whole number from 1 to 100000"),
            ("", "--scheduler"),
        ],
    )
    def test_options(self, words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as ended:
            main(words.split())
        assert ended.value.code == 2
        assert said in capsys.readouterr().err

    def test_it_has_every_option_of_the_benchmark(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            main(["--help"])
        shown = capsys.readouterr().out.partition("The machines are")[0]
        flags = {spec.name: re.escape(option_flag(spec.name)) for spec in OPTIONS}
        absent = {name for name, flag in flags.items() if not re.search(rf"{flag}(?![\w-])", shown)}
        assert absent == {"shard", "retry_failed"}

    @pytest.mark.parametrize(
        ("scheduler", "said"),
        [
            ("nowhere", "no such file, and no address; allowed: local"),
            ("tls://head:8786", "TLS needs certificates"),
            (__file__, "a file that no scheduler of Dask wrote"),
        ],
    )
    def test_a_scheduler_that_is_none(self, scheduler: str, said: str) -> None:
        pytest.importorskip("distributed", reason="the extra fleet")
        with pytest.raises(UsageError, match=said), connected(scheduler):
            pass

    def test_without_dask_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == "distributed" else real(name)
        )
        with pytest.raises(UsageError, match=r"pip install --editable '\.\[fleet\]'"), connected("local"):
            pass

    def test_another_sweep_under_the_same_id_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "s").mkdir()
        write_index(tmp_path / "s", index_of(Lanes("s", EACH, 1), ["--ops=relu"], {}, 0))
        words = f"--scheduler local --results {tmp_path} --run-id s --ops leaky_relu --baseline numpy_ufunc"
        with pytest.raises(UsageError, match="was begun with options --ops=relu, not --ops=leaky_relu"):
            main(words.split())


def test_nothing_imports_dask_otherwise() -> None:
    program = "import sys, scripts.sweep, scripts.fleet, bench.conftest; print('distributed' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(("value", "left_out"), [("1", ["OMP_NUM_THREADS"]), ("4", []), (None, [])])
def test_what_dask_set_is_not_measured(
    value: str | None, left_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A nanny as it comes sets one thread for all; what a user set stays."""
    dask = pytest.importorskip("dask", reason="the extra fleet")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if value is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", value)
    with dask.config.set(
        {"distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": None}}
    ):
        assert dask_set() == left_out


def test_hosts_of_addresses() -> None:
    assert host_of("tcp://10.0.0.7:4321") == "10.0.0.7"
    assert host_of("tls://[fe80::1]:4321") == "[fe80::1]"
