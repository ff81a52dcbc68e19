"""What a run prints at its end: the leader of each experiment, who is as fast, and of whom that is not known."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

from bench.plugin.console import busy_lines, next_commands, table
from bench.plugin.texts import leader
from tests.factories import cell, experiment


def test_the_table_tells_what_is_the_same_from_what_is_not_known() -> None:
    times = {"numpy_ufunc": 4e-3, "torch_eager": 1e-3, "numba_jit": 1.01e-3, "jax_jit": 1.025e-3}
    lines = table([("relu-new", experiment(times)), ("relu-out", experiment({"numpy_ufunc": 2e-3}))], 200)
    assert lines[1].split() == [
        *("relu-new", "1.00", "ms", "0.0", "4.00x"),
        *("torch_eager,", "numba_jit", "jax_jit", "(2.0%)"),
    ]
    assert lines[2].split() == ["relu-out", "2.00", "ms", "0.0", "1.00x", "numpy_ufunc"]


def test_an_experiment_without_a_time_has_no_row() -> None:
    assert len(table([("relu-new", [cell("jax_jit", None, status="skipped", reason="no")])], 200)) == 1


def test_a_leader_that_was_not_shown_to_be_faster_has_no_ratio() -> None:
    """The ratio of the rounds may contradict the times on a busy machine: `torch_eager leads with …, 0.78x …`."""
    base, ours = experiment({"numpy_ufunc": 1.1e-3, "torch_eager": 1e-3})
    assert leader([base, ours]) == "torch_eager leads with 1.00 ms, 1.10x numpy_ufunc"
    for verdict, told in (("unresolved", "not told apart from"), ("same", "the same as")):
        other = dataclasses.replace(ours, speedup=0.78, verdict=verdict)
        assert leader([base, other]) == f"torch_eager leads with 1.00 ms, {told} numpy_ufunc"
    assert leader([base]) == "numpy_ufunc leads with 1.10 ms"


def test_what_to_type_next_holds_whatever_the_folder_is_called() -> None:
    folder = Path("/home/tom's runs/20260102")
    for _, command in next_commands(folder, "4Mi"):
        python, script, *words = shlex.split(command)
        assert (python, Path(script).parent.name) == ("python", "scripts")
        assert words[0] == str(folder)


def test_a_busy_machine_is_told_so_at_the_end() -> None:
    times = {"numpy_ufunc": 4e-3, "torch_eager": 1e-3}
    (line,) = busy_lines(experiment(times, rounds=10, contended_rounds=6))
    assert line.startswith("The machine was busy: 12 of 20 batches ran beside others' work. Do not rely on")
    assert busy_lines(experiment(times, rounds=10, contended_rounds=5)) == []
    assert busy_lines(experiment(times)) == []
